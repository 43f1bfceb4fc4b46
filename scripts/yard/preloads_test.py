"""Malloc libraries that are preloaded: sound ones, ones that lack something, and ones that fail in each way."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from yard import cells, common, preloads, run, samples

BUILD = Path(os.environ.get("HEAPYARD_BUILD", common.ROOT / "build" / "debug"))
BENCH = BUILD / "bench" / "heapyard-bench"
TEXT = common.ROOT / "LICENSE"


def library(kind):
    return BUILD / "bench" / f"libmalloc_{kind}.so"


def preload(kind):
    return preloads.Preload(kind, str(TEXT if kind == "text" else library(kind)))


def bench(*kinds):
    return run.Bench(BENCH, preloads=[preload(kind) for kind in kinds])


def plan_of(some_bench, workloads="window", processes=1):
    plan = cells.make(some_bench.listing(), "quick", allocators="libc*," + ",".join(f"{one.name}*" for one in some_bench.preloads), workloads=workloads, threads="1")
    return plan._replace(cells=plan.cells[:1], rounds={plan.cells[0]: 3}, processes=processes, memory_processes=1)


def execute(some_bench, plan, path):
    folder = run.Folder(path, {"rows": []})
    with folder:
        run.Runner(plan, some_bench, folder, 1, run.Progress(1, out=open(os.devnull, "w"))).run()
    return [json.loads(line) for line in (path / run.SAMPLES).read_text().splitlines()]


def failures(lines, suite):
    return {line["row"]: line for line in lines if line["kind"] == "failed" and line["suite"] == suite}


def measured(lines):
    return {row for line in lines if line["kind"] == "samples" for row in line["rows"]}


def remembered(lines):
    return {line["row"] for line in lines if line["kind"] == "memory"}


@pytest.mark.parametrize(
    "text, message",
    [
        (str(TEXT), "write it as name=/path/lib.so"),
        ("x=", "write it as name=/path/lib.so"),
        (f"Big-Name={TEXT}", "must be 1 to 31 of"),
        ("x=/nowhere/lib.so", "no such file: /nowhere/lib.so"),
    ],
)
def test_a_wrong_spelling_is_a_usage_error(text, message):
    with pytest.raises(common.Failure, match=message) as caught:
        preloads.parse(text)
    assert caught.value.code == common.Exit.USAGE


def test_a_path_that_the_linker_would_split_is_a_usage_error(tmp_path):
    path = tmp_path / "a lib.so"
    path.write_text("")
    with pytest.raises(common.Failure, match="no path with blanks"):
        preloads.parse(f"x={path}")


def test_names_that_are_taken_are_usage_errors():
    one, other = preloads.Preload("x", "/a.so"), preloads.Preload("x_sized", "/b.so")
    for given, rows in (([one], ["x"]), ([one], ["x_sized"]), ([one, other], []), ([preloads.Preload("empty", "/a.so")], [])):
        with pytest.raises(common.Failure, match="choose another name"):
            preloads.check_names(given, rows)
    preloads.check_names([one], ["y"])


def script(*arguments):
    command = [str(common.ROOT / "scripts" / "bench"), "--bench", str(BENCH), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_script_says_a_wrong_spelling_in_one_line(tmp_path):
    for given in ("nonsense", "x=/nowhere.so", f"jemalloc={library('sound')}"):
        done = script("--out", str(tmp_path), "--preload", given)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and given in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_library_has_the_rows_that_its_functions_allow():
    rows = {row["name"]: row for row in bench("sound", "bare").listing()["rows"] if row.get("preload")}
    assert set(rows) == {"sound", "sound_sized", "bare"}
    assert rows["sound"]["summary"].endswith("through malloc and free")
    assert rows["sound_sized"]["summary"].endswith("through malloc and free_sized")
    assert rows["sound"]["greatest_align_log2"] == 63 and rows["bare"]["greatest_align_log2"] == 4


def test_rows_of_a_library_are_measured_beside_libc_in_processes_of_their_own(tmp_path):
    one = bench("sound", "bare")
    plan = plan_of(one, "window,trace")
    refs = cells.REFERENCES
    assert plan.cells[0].groups == (refs, (*refs, "sound", "sound_sized"), (*refs, "bare"))
    lines = execute(one, plan, tmp_path / "run")
    assert failures(lines, "throughput") == failures(lines, "memory") == {}
    assert measured(lines) == remembered(lines) == {*refs, "sound", "sound_sized", "bare"}
    sums = {row["checksum"] for line in lines if line["kind"] == "samples" for row in line["rows"].values()}
    assert len(sums) == 1


def test_each_bad_library_costs_its_own_cells_only(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "HANG_SECONDS", 3)
    monkeypatch.setattr(run, "HANG_FACTOR", 0)
    one = bench("sound", "crash", "hang", "overlap", "misalign", "text")
    lines = execute(one, plan_of(one), tmp_path / "run")
    for suite in ("throughput", "memory"):
        whys = {row: line["why"] for row, line in failures(lines, suite).items()}
        assert set(whys) == {"crash", "hang", "overlap", "misalign", "text"}
        assert "SIGSEGV" in whys["crash"] and whys["hang"].startswith("hung")
        assert "shares no byte with a live one" in whys["overlap"]
        assert "aligned as asked" in whys["misalign"]
        assert whys["text"] == "it can't be loaded: invalid ELF header"
    assert measured(lines) == remembered(lines) == {"libc", "libc_again", "sound", "sound_sized"}


def test_the_command_of_a_failure_reproduces_it(tmp_path):
    one = bench("crash", "overlap", "text")
    found = failures(execute(one, plan_of(one), tmp_path / "run"), "throughput")
    for row, status in (("crash", -signal.SIGSEGV), ("overlap", 1), ("text", 2)):
        again = subprocess.run(found[row]["command"], shell=True, cwd=common.ROOT, capture_output=True)
        assert again.returncode in (status, 128 - status), found[row]["command"]


def test_a_library_that_goes_wrong_while_it_is_measured_is_to_blame_for_libc_too(tmp_path, monkeypatch):
    monkeypatch.setattr(run.Runner, "verify", lambda *arguments: None)
    one = bench("sound", "overlap", "crash")
    lines = execute(one, plan_of(one), tmp_path / "run")
    found = failures(lines, "throughput")
    assert set(found) == {"overlap", "crash"}
    assert "libc" in measured(lines) and "sound" in measured(lines)


def test_wrong_numbers_of_libc_beside_a_library_count_for_nobody():
    runner = run.Runner.__new__(run.Runner)
    runner.bench = bench("sound")
    rows = {name: {"checksum": value} for name, value in (("libc", "b"), ("libc_again", "a"), ("sound", "a"), ("sound_sized", "a"))}
    whys = runner.blamed(rows)
    assert set(whys) == set(rows) == {"sound", "sound_sized"}
    assert "libc, measured beside it" in whys["sound"]
    rows = {name: {"checksum": value} for name, value in (("libc", "a"), ("libc_again", "a"), ("sound", "b"))}
    assert set(runner.blamed(rows)) == {"sound"} and "libc" in rows


def test_a_library_that_hangs_everywhere_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "HANG_SECONDS", 1)
    monkeypatch.setattr(run, "HANG_FACTOR", 0)
    one = bench("hang")
    plan = cells.make(one.listing(), "quick", allocators="hang", workloads="pair,window,request", threads="1")
    plan = plan._replace(cells=plan.cells[:4], rounds=dict.fromkeys(plan.cells, 3), processes=1, memory_processes=1)
    assert len(plan.cells) == 4
    whys = [line["why"] for line in execute(one, plan, tmp_path / "run") if line["kind"] == "failed" and line["suite"] == "throughput"]
    assert [why.startswith("hung: no result") for why in whys] == [True] * run.HANGS_MAX + [False] * (4 - run.HANGS_MAX)
    assert all("was not tried" in why for why in whys[run.HANGS_MAX :])


def line(row, process, values, **others):
    rows = {name: {"ns_per_op": [value, value], "checksum": "a"} for name, value in {row: values, **others}.items()}
    return {"kind": "samples", "workload": "w", "params": "", "threads": 1, "process": process, "rows": rows}


def test_rows_that_share_no_process_are_compared_over_libc():
    context = {"rows": [{"name": name} for name in ("libc", "a", "b")]}
    found = samples.Run("/nowhere", context)
    for process in range(6):
        found.take(line("a", process, 8.0, libc=10.0 + process / 100))
        found.take(line("b", process, 8.0, libc=20.0 + process / 50))
    (cell,) = found.cells.values()
    assert cell.ratio("a", "b").median == pytest.approx(2.0) and cell.ratio("a", "b").n == 6


def test_a_run_says_what_failed_in_every_form(tmp_path):
    arguments = [f"--preload={kind}={library(kind)}" for kind in ("sound", "crash")] + ["--preload", f"text={TEXT}"]
    done = script("--quick", "--out", str(tmp_path), *arguments, "--allocators", "sound*,crash,text", "--workloads", "pair", "--threads", "1")
    assert done.returncode == 1, done.stderr
    assert "crash" in done.stdout and "text" in done.stdout and "again:" in done.stderr
    latest = tmp_path / "latest"
    page = (latest / "index.html").read_text()
    assert "it can&#39;t be loaded: invalid ELF header" in page and "SIGSEGV" in page
    rows = list(csv.DictReader((latest / "results.csv").open()))
    assert {row["n"] for row in rows if row["allocator"] in ("crash", "text")} == {"0"}
    good = [row for row in rows if row["allocator"] == "sound_sized" and row["metric"] == "time"]
    assert good and all(row["ratio_vs_libc"] for row in good)
    known = {given["name"]: given for given in json.loads((latest / run.RUN).read_text())["preloads"]}
    assert known["sound"]["path"] == str(library("sound")) and len(known["sound"]["sha256"]) == 64
    assert f"PRELOAD=&#39;sound={library('sound')} crash=" in page


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
