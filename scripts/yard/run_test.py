"""Planning, resuming, and runs of allocators that crash, hang, refuse or lose contents."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

from yard import cells, common, run, targets

BUILD = Path(os.environ.get("HEAPYARD_BUILD", common.ROOT / "build" / "debug"))
BENCH = BUILD / "bench" / "heapyard-bench"
PLUGIN = f"crash={BUILD / 'bench' / 'libcrash_plugin.so'}"


def cell(params, rows, threads=1, tier="quick", **changes):
    given = {"params": params, "threads": threads, "tier": tier, "live_bytes": 1000, "live_blocks": 10, "epoch_ns": 100_000, "warm_ns": 25_000, "compositions": False, "decorators": True}
    return given | {"rows": rows} | changes


def listing():
    rows = [{"name": name, "group": "source"} for name in ("libc", "libc_again", "arena", "pool")]
    rows.append({"name": "jemalloc", "group": "peer", "missing": "install libjemalloc2"})
    both = ["libc", "libc_again"]
    return {
        "rows": rows,
        "workloads": [
            {"name": "pair", "summary": "s", "operation": "o", "cells": [cell("size=16", both + ["arena", "pool"]), cell("size=64", both + ["arena"], threads=2, tier="standard")]},
            {"name": "window", "summary": "s", "operation": "o", "cells": [cell("size=64", both + ["pool"]), cell("size=4096", both + ["pool"], tier="full")]},
        ],
    }  # fmt: skip


def labels(plan):
    return [(one.workload, one.params, one.threads) for one in plan.cells]


def test_tiers_choose_cells():
    assert labels(cells.make(listing(), "quick")) == [("pair", "size=16", 1), ("window", "size=64", 1)]
    assert len(cells.make(listing(), "standard").cells) == 3
    assert len(cells.make(listing(), "full").cells) == 4


def test_libc_and_its_twin_are_always_included():
    plan = cells.make(listing(), "quick", allocators="arena")
    assert plan.rows == ("libc", "libc_again", "arena")
    assert labels(plan) == [("pair", "size=16", 1)]


def with_stacks():
    """The listing with a composition that applies to every cell, and one cell marked for compositions."""
    given = listing()
    given["rows"].append({"name": "arena_over_pool", "group": "composition"})
    for workload in given["workloads"]:
        workload["cells"] = [one | {"rows": [*one["rows"], "arena_over_pool"]} for one in workload["cells"]]
    given["workloads"][0]["cells"][0]["compositions"] = True
    return given


def test_compositions_are_measured_only_in_cells_marked_for_them():
    def holding(tier, allocators=None):
        plan = cells.make(with_stacks(), tier, allocators)
        return sum("arena_over_pool" in one.rows for one in plan.cells)

    assert holding("quick") == holding("standard") == 1
    assert holding("full") == 4
    assert holding("standard", "arena_over_pool") == 3


def with_a_decorator():
    """The listing with a decorator that applies to every cell, and a workload that leaves decorators out."""
    given = listing()
    given["rows"].append({"name": "counting", "group": "decorator"})
    for workload in given["workloads"]:
        workload["cells"] = [one | {"rows": [*one["rows"], "counting"]} for one in workload["cells"]]
    for one in given["workloads"][1]["cells"]:
        one["decorators"] = False
    return given


def test_a_workload_may_leave_decorators_out_below_the_full_tier():
    def holding(tier, allocators=None):
        plan = cells.make(with_a_decorator(), tier, allocators)
        return [one.workload for one in plan.cells if "counting" in one.rows]

    assert holding("standard") == ["pair", "pair"]
    assert len(holding("full")) == 4
    assert holding("standard", "counting") == ["pair", "pair", "window"]


def test_filters_take_globs():
    assert cells.make(listing(), "quick", allocators="a*,p*").rows == ("libc", "libc_again", "arena", "pool")
    assert labels(cells.make(listing(), "standard", threads="2")) == [("pair", "size=64", 2)]
    assert labels(cells.make(listing(), "quick", workloads="win*")) == [("window", "size=64", 1)]


@pytest.mark.parametrize(
    "filters, message",
    [
        ({"allocators": "aren"}, "no allocator 'aren'; did you mean 'arena'"),
        ({"workloads": "windw"}, "no workload 'windw'; did you mean 'window'"),
        ({"threads": "3"}, "no thread count '3'"),
        ({"allocators": "jemalloc"}, "jemalloc is not in this build: install libjemalloc2"),
        ({"allocators": "arena", "workloads": "window"}, "leave no cell"),
    ],
)
def test_filters_that_match_nothing_are_usage_errors(filters, message):
    with pytest.raises(common.Failure, match=message) as caught:
        cells.make(listing(), "quick", **filters)
    assert caught.value.code == common.Exit.USAGE


def test_large_live_sets_are_split_into_groups_with_the_references_in_each():
    rows = ["libc", "libc_again", "a", "b", "c"]
    assert cells.deal(rows, 100, 1 << 30) == (tuple(rows),)
    groups = cells.deal(rows, 100, 600)
    assert groups == tuple(("libc", "libc_again", name) for name in "abc")


def test_a_plan_fits_its_time():
    given = listing()
    given["workloads"][0]["cells"] = [cell(f"size={size}", [f"row{i}" for i in range(40)] + ["libc"], epoch_ns=2_000_000) for size in range(30)]
    given["rows"] += [{"name": f"row{i}", "group": "source"} for i in range(40)]
    plan = cells.make(given, "standard")
    assert plan.processes >= cells.PROCESSES_MIN
    assert all(rounds >= cells.ROUNDS_MIN for rounds in plan.rounds.values())
    small = cells.make(listing(), "standard")
    assert small.processes == 30 and max(small.rounds.values()) == 60
    assert small.seconds < 600


def bench():
    return run.Bench(BENCH, [PLUGIN])


def small_plan(tmp_path, allocators, processes=2):
    """One cell, few rounds, over the crash plugin's rows."""
    plan = cells.make(bench().listing(), "quick", allocators=allocators, workloads="pair", threads="1")
    one = plan.cells[:1]
    return plan._replace(cells=one, rounds={one[0]: 3}, processes=processes, memory_processes=1)


def execute(plan, path, seed=1):
    folder = run.Folder(path, {"rows": []})
    with folder:
        run.Runner(plan, bench(), folder, seed, run.Progress(1, out=open(os.devnull, "w"))).run()
    return folder, [json.loads(line) for line in (path / run.SAMPLES).read_text().splitlines()]


def failures(lines, suite="throughput"):
    return {line["row"]: line for line in lines if line["kind"] == "failed" and line["suite"] == suite}


def measured(lines):
    return {(line["process"], row) for line in lines if line["kind"] == "samples" for row in line["rows"]}


def test_a_crash_fails_only_its_own_row(tmp_path):
    _, lines = execute(small_plan(tmp_path, "segfault@crash,sound@crash"), tmp_path / "run")
    failed = failures(lines)
    assert set(failed) == {"segfault@crash"}
    assert "SIGSEGV" in failed["segfault@crash"]["why"]
    assert measured(lines) == {(process, row) for process in (0, 1) for row in ("libc", "libc_again", "sound@crash")}
    assert set(failures(lines, "memory")) == {"segfault@crash"}
    assert {line["row"] for line in lines if line["kind"] == "memory"} == {"libc", "libc_again", "sound@crash"}


def test_the_command_of_a_failure_reproduces_it(tmp_path):
    _, lines = execute(small_plan(tmp_path, "segfault@crash", processes=1), tmp_path / "run")
    for suite in ("throughput", "memory"):
        command = failures(lines, suite)["segfault@crash"]["command"]
        again = subprocess.run(command, shell=True, cwd=common.ROOT, capture_output=True)
        assert again.returncode in (-signal.SIGSEGV, 128 + signal.SIGSEGV)


def test_a_hang_fails_only_its_own_row(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "HANG_SECONDS", 2)
    monkeypatch.setattr(run, "HANG_FACTOR", 0)
    monkeypatch.setattr(run, "MEMORY_HANG_SECONDS", 4)
    _, lines = execute(small_plan(tmp_path, "hang@crash,sound@crash", processes=1), tmp_path / "run")
    failed = failures(lines)
    assert set(failed) == {"hang@crash"} and "hung" in failed["hang@crash"]["why"]
    assert (0, "sound@crash") in measured(lines)


def test_refusals_and_wrong_contents_are_failures(tmp_path):
    _, lines = execute(small_plan(tmp_path, "refuse@crash,sound@crash", processes=1), tmp_path / "run")
    assert "refused" in failures(lines)["refuse@crash"]["why"]
    plan = cells.make(bench().listing(), "quick", allocators="forget@crash,sound@crash", workloads="window", threads="1")
    plan = plan._replace(rounds=dict.fromkeys(plan.cells, 3), processes=1)
    folder = run.Folder(tmp_path / "other", {})
    with folder:
        run.Runner(plan, bench(), folder, 1, run.Progress(1, out=open(os.devnull, "w"))).throughput(plan.cells[0], 0)
    lines = [json.loads(line) for line in (tmp_path / "other" / run.SAMPLES).read_text().splitlines()]
    assert set(failures(lines)) == {"forget@crash"} and "checksum" in failures(lines)["forget@crash"]["why"]


def test_a_run_is_resumed_where_it_stopped(tmp_path):
    plan = small_plan(tmp_path, "sound@crash")
    path = tmp_path / "run"
    _, whole = execute(plan, path)
    kept = [line for line in whole if line.get("process") == 0 and line["kind"] == "samples"]
    text = "".join(json.dumps(line) + "\n" for line in kept)
    (path / run.SAMPLES).write_text(text + '{"kind":"samples","workl')  # as truncated by a kill
    _, again = execute(plan, path)
    assert again[: len(kept)] == kept
    assert measured(again) == measured(whole)
    assert sorted(line["process"] for line in again if line["kind"] == "samples") == [0, 1]
    _, third = execute(plan, path)
    assert third == again


def test_an_unfinished_run_is_found_by_its_resume_key(tmp_path):
    for name, key, finished in (("2026-01-01", "a", False), ("2026-01-02", "a", True), ("2026-01-03", "b", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / run.RUN).write_text(json.dumps({"resume_key": key, "finished": finished}))
    (tmp_path / "2026-01-04").mkdir()
    (tmp_path / "2026-01-04" / run.RUN).write_text("{")
    assert run.unfinished(tmp_path, "a").name == "2026-01-01"
    assert run.unfinished(tmp_path, "c") is None


def script(*arguments, **options):
    return subprocess.run(
        [str(common.ROOT / "scripts" / "bench"), "--bench", str(BENCH), *arguments], capture_output=True, text=True, **options
    )


def test_the_script_reports_wrong_arguments(tmp_path):
    for arguments, message in (
        (["--allocators", "aren"], "did you mean 'arena'"),
        (["--workloads", "x"], "no workload 'x'"),
        (["--nonsense"], "--nonsense"),
        (["--plugin", "crash=/nowhere.so"], "/nowhere.so"),
    ):
        done = script("--out", str(tmp_path), *arguments)
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_script_run_with_a_crash_ends_with_1_and_a_page(tmp_path):
    done = script("--quick", "--out", str(tmp_path), "--plugin", PLUGIN, "--allocators", "segfault@crash,sound@crash", "--workloads", "pair")
    assert done.returncode == 1, done.stderr
    assert "SIGSEGV" in done.stderr and "again:" in done.stderr
    latest = tmp_path / "latest"
    assert json.loads((latest / run.RUN).read_text())["finished"] is True
    assert "failed" in (latest / "index.html").read_text()
    assert "sound@crash" in (latest / "results.csv").read_text()


def test_an_interrupted_script_keeps_its_results_and_is_resumed(tmp_path):
    command = ["--quick", "--out", str(tmp_path), "--allocators", "raw_libc", "--workloads", "pair"]
    process = subprocess.Popen(
        [str(common.ROOT / "scripts" / "bench"), "--bench", str(BENCH), *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for_samples(tmp_path)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    folder = (tmp_path / "latest").resolve()
    assert json.loads((folder / run.RUN).read_text())["finished"] is False
    done = script(*command)
    assert done.returncode == 0, done.stderr
    assert f"going on with the unfinished run {folder.name}" in done.stdout
    assert json.loads((folder / run.RUN).read_text())["finished"] is True


def wait_for_samples(out, seconds=60):
    """Waits until the first samples are on disk. What is measured before them, what the wrappers cost, is no
    result of a row: a run that has no more than that points no link at itself."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if any('"kind":"samples"' in path.read_text() for path in out.glob(f"*/{run.SAMPLES}")):
            return
        time.sleep(0.001)
    raise AssertionError("no samples appeared")


def test_the_targets_file_is_valid():
    found = targets.read()
    assert len(found) > 10
    names = {row["name"] for row in bench().listing()["rows"]} | {"empty"}
    for target in found:
        assert target.row.partition(":")[0] in names
        assert target.reference.partition(":")[0] in names
        assert target.over is None or target.over in names


def test_targets_are_judged_by_median_and_interval():
    target = targets.Target("a", targets.Cell("pair", "x"), "b", targets.Cell("pair", "x"), 1.1, "")
    verdict = lambda *ratio: targets.Outcome(target, targets.stats.Estimate(*ratio, 30)).verdict  # noqa: E731
    assert verdict(1.0, 0.9, 1.2) == "held"
    assert verdict(1.2, 1.05, 1.3) == "unclear"
    assert verdict(1.3, 1.2, 1.4) == "short"


def test_a_target_over_a_row_subtracts_that_row():
    cell, floor = targets.Cell("window", "x"), targets.Cell("pair", "y")
    target = targets.Target("ours", cell, "floor", floor, 1.5, "", "child")
    assert targets.rows_by_cell([target]) == {cell: {"ours", "child"}, floor: {"floor"}}
    rounds = lambda **rows: [{name: numpy.array(values, float) for name, values in rows.items()}] * 6  # noqa: E731
    samples = {cell: rounds(ours=[14, 24, 13], child=[10, 20, 10]), floor: rounds(floor=[2, 2, 9])}
    (outcome,) = targets.judge([target], samples)
    assert outcome.ratio.median == 2.0 and outcome.verdict == "short"
    assert "ours beyond child in window x" in targets.line(outcome)
    samples[cell] = rounds(ours=[9, 19, 9], child=[10, 20, 10])
    (outcome,) = targets.judge([target], samples)
    assert outcome.ratio.median == -0.5 and outcome.verdict == "held"


def test_a_target_names_the_row_that_it_is_over(tmp_path):
    file = tmp_path / "targets.toml"
    entry = '[[target]]\nrows = ["a"]\nworkload = "pair"\nparams = ["x"]\nreference = "b"\nbound = 1\nwhy = "so"\n'
    file.write_text(entry + 'over = "c"\n')
    assert [target.over for target in targets.read(file)] == ["c"]
    file.write_text(entry)
    assert [target.over for target in targets.read(file)] == [None]


def test_a_slow_machine_gets_fewer_rounds_and_then_fewer_processes():
    plan = cells.make(listing(), "standard")
    pace, chosen = run.Pace(plan), plan.cells[0]
    planned = plan.rounds[chosen]
    assert pace.rounds(chosen, planned) == planned
    pace.took(10.0, 20.0)
    pace.left = pace.budget  # at this speed the rest would take twice the time left
    assert cells.ROUNDS_MIN <= pace.rounds(chosen, planned) <= planned / 2
    pace.left = pace.budget / 4
    assert pace.rounds(chosen, planned) == planned
    pace.left, pace.spent = 100.0, pace.budget + 1
    assert pace.rounds(chosen, planned) == cells.ROUNDS_MIN
    assert pace.is_over(cells.PROCESSES_MIN) and not pace.is_over(cells.PROCESSES_MIN - 1)
    pace.spent = pace.budget - 1
    assert not pace.is_over(plan.processes)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))


def test_overheads_are_measured_once_a_process_and_their_failure_is_told_once(tmp_path, capsys):
    stub = tmp_path / "stub"
    stub.write_text("#!/bin/sh\necho '{\"kind\":\"overhead\",\"name\":\"defer\",\"process\":'$3'}'\n")
    stub.chmod(0o755)
    plan = cells.make(listing(), "quick", workloads="pair")
    with run.Folder(tmp_path / "run", {}) as folder:
        runner = run.Runner(plan, run.Bench(stub), folder, 1, run.Progress(1))
        for process in (0, 1, 1, run.OVERHEAD_PROCESSES):
            runner.overheads(process)
        stub.write_text("#!/bin/sh\nexit 1\n")
        runner.overheads(2)
        runner.overheads(3)
    lines = [json.loads(line) for line in (tmp_path / "run" / run.SAMPLES).read_text().splitlines()]
    assert [line["process"] for line in lines] == [0, 1]
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and told[0].startswith("not measured: ") and "overheads" in told[0]
