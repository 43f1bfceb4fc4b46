"""The gate with fake harnesses: correct ones, with slower rows, and faulty ones."""

import json
import math
import random
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import gate, gate_accepted, gate_judge, gate_report, gate_time  # noqa: E402
from yard.common import Exit, Failure  # noqa: E402
from yard.gate_judge import Cell, Finding, Verdict  # noqa: E402
from yard.gate_meters import Crash, Meters, read_profiles  # noqa: E402

ROWS = ("arena", "pool", "libc")
WORKLOADS = (("pair", "size=64"), ("window", "size=64;window=1000"))
FORM = gate.Form("quick", True, 1000, (30, 60), 0, 2)
# As on a shared machine: noise common to a process, noise common to a round, and noise of each side.
NOISE_OF_A_ROUND = 0.02
ROUNDS = 16


class Quiet(gate.Progress):
    """Prints nothing."""

    def _show(self):
        return


class FakeMeters:
    """A harness with exact counts, and realistic noise in its times. `slower` is {(row, workload): factor} of
    head's time; `spoil(record)` injects a fault into a record of time (None drops it)."""

    def __init__(self, slower=None, spoil=None, counts=None, absent=(), rss=None, crash_at=None, layout=None):
        self.plugins = {label: f"/plugins/{label}.so" for label in ("base", "head", "again")}
        self.slower = slower or {}
        self.spoil = spoil or (lambda record: record)
        self.counts = counts or {}  # {(label, row): instructions per operation}
        self.absent = absent  # (label, row): rows that this side doesn't have
        self.rss = rss or {}
        self.crash_at = crash_at  # number of the cell at which a process crashes
        self.layout = layout or {}  # {row: factor} of head's time that disappears when relinked
        self.relinked = False

    def cells(self):
        records = []
        for row in ROWS:
            for workload, params in WORKLOADS:
                sides = {label: (label, row) not in self.absent for label in ("base", "head")}
                record = {"kind": "pair", "number": len(records), "row": row, "group": "strategy"}
                record |= {"workload": workload, "params": params, "threads": 1, "live_bytes": 1 << 20, "counted": True}
                records.append(record | sides)
        return records

    def _cells_of(self, row):
        return [Cell(row, workload, params) for workload, params in WORKLOADS]

    def exact(self, label, row):
        metrics = {"child_calls": self.counts.get((label, row), 100), "refused_count": 0}
        return {cell: {"checksum": "1", "operations": 10, "metrics": metrics} for cell in self._cells_of(row)}, None

    def instructions(self, label, rows):
        counts = {row: self.counts.get((label, row), 100) * 10 for row in rows}
        return {
            cell: {"checksum": "1", "operations": 10, "instructions": counts[row]}
            for row in rows
            for cell in self._cells_of(row)
        }, None

    def peak_rss(self, label, cell):
        return self.rss.get((label, cell.row), 10 << 20), None

    def with_plugins(self, plugins):
        other = FakeMeters(self.slower, self.spoil, self.counts, self.absent, self.rss, self.crash_at)
        other.plugins = plugins
        other.relinked = True
        return other

    def pairs(self, numbers, control, seed, microseconds, core=None):
        chooser = random.Random(seed)
        listed = {record["number"]: record for record in self.cells()}
        records = []
        for number in numbers:
            if number == self.crash_at:
                return records, Crash("signal 11", "heapyard-bench pairs")
            record = self._record(listed[number], number in control, chooser)
            record = self.spoil(record)
            if record is not None:
                records.append(record)
        return records, None

    def _record(self, cell, with_control, chooser):
        labels = ["base", "head"] + ["again"] * with_control
        process = chooser.lognormvariate(0, 0.1)
        factor = self.slower.get((cell["row"], cell["workload"]), 1.0)
        factor *= 1.0 if self.relinked else self.layout.get(cell["row"], 1.0)
        rows = {label: {"file": self.plugins[label], "operations": 1000, "checksum": "1", "ns_per_op": []} for label in labels}
        order = ""
        for _ in range(ROUNDS):
            common = process * chooser.lognormvariate(0, 0.2)
            for label in labels:
                own = chooser.lognormvariate(0, NOISE_OF_A_ROUND) * (1.0 if label == "base" else factor)
                rows[label]["ns_per_op"].append(5 * common * own)
            letters = list("abc"[: len(labels)])
            chooser.shuffle(letters)
            order += "".join(letters + letters[::-1])
        keys = ("number", "row", "workload", "params", "threads")
        return {"kind": "pairs", "elapsed_ns": 1000, "order": order, "rows": rows} | {key: cell[key] for key in keys}


def relinked_for(meters):
    return lambda number: meters.with_plugins(meters.plugins)


def run_gate(meters, entries=(), tiers=gate.TIERS, valgrind=True, seed=1, filters=((), ())):
    plan = gate.make_plan(meters.cells(), *filters)
    outcome = gate.measure(plan, meters, tiers, FORM, relinked_for(meters), seed, Quiet(), 2, valgrind)
    return gate.judge(outcome, list(entries))


def verdicts(findings, *wanted):
    return {(finding.cell.row, finding.tier) for finding in findings if finding.verdict in wanted}


# Correct harnesses.


def test_equal_sides_pass():
    findings, code, _ = run_gate(FakeMeters())
    assert code == Exit.GOOD
    assert gate_judge.sums(findings).compared == len(findings) > 0


def test_equal_sides_never_fail():
    codes = [run_gate(FakeMeters(), tiers=("time",), seed=1000 * seed)[1] for seed in range(20)]
    assert Exit.CONFIRMED not in codes
    assert codes.count(Exit.GOOD) >= 18


def test_a_slower_row_fails_and_is_named():
    findings, code, _ = run_gate(FakeMeters(slower={("arena", "pair"): 1.06}))
    assert code == Exit.CONFIRMED
    assert verdicts(findings, Verdict.FAIL) == {("arena", "time")}
    failed = next(finding for finding in findings if finding.verdict is Verdict.FAIL)
    assert failed.lo > gate_judge.TIME_FAIL
    assert failed.ratio == pytest.approx(1.06, abs=0.01)


def test_a_faster_row_is_reported_and_passes():
    findings, code, _ = run_gate(FakeMeters(slower={("arena", "pair"): 0.8}))
    assert code == Exit.GOOD
    assert verdicts(findings, Verdict.CHANGED) == {("arena", "time")}


def test_a_slowdown_that_disappears_when_relinked_is_no_regression():
    findings, code, _ = run_gate(FakeMeters(layout={"pool": 1.10}), tiers=("time",))
    assert code == Exit.GOOD
    notes = [finding.note for finding in findings if finding.cell.row == "pool"]
    assert all("not when linked in another order" in note for note in notes)


def test_more_instructions_fail_by_one_percent():
    assert run_gate(FakeMeters(counts={("head", "pool"): 101}), tiers=("instructions",))[1] == Exit.CONFIRMED
    slight = FakeMeters(counts={("base", "pool"): 1000, ("head", "pool"): 1005})
    findings, code, _ = run_gate(slight, tiers=("instructions",))
    assert code == Exit.GOOD
    assert verdicts(findings, Verdict.CHANGED) == {("pool", "instructions")}


def test_exact_counts_have_no_tolerance():
    findings, code, _ = run_gate(FakeMeters(counts={("base", "pool"): 100000, ("head", "pool"): 100001}), tiers=("exact",))
    assert code == Exit.CONFIRMED
    assert verdicts(findings, Verdict.FAIL) == {("pool", "exact")}
    fewer = FakeMeters(counts={("base", "pool"): 100001, ("head", "pool"): 100000})
    assert run_gate(fewer, tiers=("exact",))[1] == Exit.GOOD


def test_rss_needs_both_margins():
    mib = 1 << 20
    for base, head, code in ((10, 10.5, Exit.GOOD), (10, 11, Exit.CONFIRMED), (1, 1.2, Exit.GOOD), (10, 9, Exit.GOOD)):
        rss = {("base", "pool"): int(base * mib), ("head", "pool"): int(head * mib)}
        assert run_gate(FakeMeters(rss=rss), tiers=("memory",))[1] == code


def test_without_valgrind_it_is_inconclusive_at_best():
    findings, code, notes = run_gate(FakeMeters(), valgrind=False)
    assert code == Exit.INCONCLUSIVE
    assert any("valgrind" in note for note in notes)
    assert run_gate(FakeMeters(slower={("arena", "pair"): 1.2}), valgrind=False)[1] == Exit.CONFIRMED


def test_too_much_noise_is_inconclusive():
    def shake(record):
        chooser = random.Random(record["rows"]["head"]["ns_per_op"][0])
        shift = chooser.lognormvariate(0, 0.3)
        record["rows"]["head"]["ns_per_op"] = [value * shift for value in record["rows"]["head"]["ns_per_op"]]
        return record

    findings, code, _ = run_gate(FakeMeters(spoil=shake), tiers=("time",))
    assert code == Exit.INCONCLUSIVE
    assert all(finding.verdict is Verdict.INCONCLUSIVE for finding in findings)


def test_a_control_that_differs_voids_the_times():
    def shift_copy(record):
        if "again" in record["rows"]:
            record["rows"]["again"]["ns_per_op"] = [value * 1.1 for value in record["rows"]["again"]["ns_per_op"]]
        return record

    findings, code, notes = run_gate(FakeMeters(spoil=shift_copy), tiers=("time",))
    assert code == Exit.INCONCLUSIVE
    assert all("its own copy" in finding.note for finding in findings)
    assert any("own copy" in note for note in notes)


# Faulty harnesses, each with its exit status.


def sides_swapped(record):
    rows = record["rows"]
    rows["base"], rows["head"] = rows["head"], rows["base"]
    return record


def always_base_first(record):
    letters = "abc"[: len(record["rows"])]
    record["order"] = (letters + letters[::-1]) * ROUNDS
    return record


def sequential_blocks(record):
    record["order"] = "".join(letter * 2 * ROUNDS for letter in "abc"[: len(record["rows"])])
    return record


def fixed_interleaving(record):
    record["order"] = "abc"[: len(record["rows"])] * 2 * ROUNDS
    return record


def bench_dropped(record):
    return None if record["row"] == "pool" else record


def side_dropped(record):
    record["rows"].pop("head")
    return record


def zero_samples(record):
    record["rows"]["head"]["ns_per_op"] = []
    return record


def fewer_samples(record):
    record["rows"]["head"]["ns_per_op"].pop()
    return record


def not_a_time(record):
    record["rows"]["head"]["ns_per_op"][0] = math.nan
    return record


def other_work(record):
    record["rows"]["head"]["checksum"] = "2"
    return record


def fewer_operations(record):
    record["rows"]["head"]["operations"] = 500
    return record


def same_file(record):
    record["rows"]["head"]["file"] = record["rows"]["base"]["file"]
    return record


@pytest.mark.parametrize(
    "fault, status",
    [
        (sides_swapped, Exit.HARNESS),
        (always_base_first, Exit.HARNESS),
        (sequential_blocks, Exit.HARNESS),
        (fixed_interleaving, Exit.HARNESS),
        (not_a_time, Exit.HARNESS),
        (other_work, Exit.HARNESS),
        (fewer_operations, Exit.HARNESS),
        (same_file, Exit.HARNESS),
        (bench_dropped, Exit.NOTHING_MEASURED),
        (side_dropped, Exit.NOTHING_MEASURED),
        (zero_samples, Exit.NOTHING_MEASURED),
        (fewer_samples, Exit.NOTHING_MEASURED),
    ],
)
def test_faults_of_the_sampler(fault, status):
    findings, code, _ = run_gate(FakeMeters(spoil=fault), tiers=("time",))
    assert code == status
    assert verdicts(findings, Verdict.BROKEN, Verdict.MISSING)


def test_a_crash_breaks_only_its_own_cell():
    findings, code, _ = run_gate(FakeMeters(crash_at=3), tiers=("time",))
    assert code == Exit.HARNESS
    broken = [finding for finding in findings if finding.verdict is Verdict.BROKEN]
    assert [finding.cell for finding in broken] == [Cell("pool", "window", "size=64;window=1000")]
    assert len([finding for finding in findings if finding.verdict is Verdict.PASS]) == len(findings) - 1


def test_a_row_that_head_lacks_is_missing():
    meters = FakeMeters(absent=(("head", "pool"),))
    findings, code, _ = run_gate(meters)
    assert code == Exit.NOTHING_MEASURED
    assert verdicts(findings, Verdict.MISSING) == {("pool", "cells")}
    removed = gate_accepted.Accepted("pool", None, None, "removed", None, None, "Replaced by a better one.")
    assert run_gate(meters, [removed])[1] == Exit.GOOD


def test_a_row_that_is_new_in_head_is_reported():
    findings, code, notes = run_gate(FakeMeters(absent=(("base", "pool"),)))
    assert code == Exit.GOOD
    assert not [finding for finding in findings if finding.cell.row == "pool"]
    assert any("New in head" in note and "pool" in note for note in notes)


def test_nothing_in_common_is_nothing_measured():
    only_new = FakeMeters(absent=tuple(("base", row) for row in ROWS))
    assert run_gate(only_new)[1] == Exit.NOTHING_MEASURED


def test_a_meter_that_loses_a_side_is_missing():
    meters = FakeMeters()
    meters.exact = lambda label, row: ({}, None) if (label, row) == ("head", "pool") else FakeMeters.exact(meters, label, row)
    assert run_gate(meters, tiers=("exact",))[1] == Exit.NOTHING_MEASURED
    meters.exact = lambda label, row: ({}, Crash("signal 11", "x")) if row == "pool" else FakeMeters.exact(meters, label, row)
    assert run_gate(meters, tiers=("exact",))[1] == Exit.HARNESS


def test_a_filter_that_matches_nothing_is_a_usage_error():
    with pytest.raises(Failure) as caught:
        run_gate(FakeMeters(), filters=(["areina"], ()))
    assert caught.value.code == Exit.USAGE
    assert "did you mean 'arena'" in str(caught.value)


def test_filters_keep_what_they_name():
    plan = gate.make_plan(FakeMeters().cells(), ["arena"], ["pair"], ["1"])
    assert plan.cells == [Cell("arena", "pair", "size=64")]
    with pytest.raises(Failure):
        gate.make_plan(FakeMeters().cells(), [], [], ["7"])


def test_what_differs_from_run_to_run_is_not_counted():
    records = FakeMeters().cells()
    for record in records:
        record["counted"] = record["workload"] != "window"
    plan = gate.make_plan(records, [], [])
    assert {cell.workload for cell in plan.single_threaded} == {"pair"}
    assert {cell.workload for cell in plan.cells} == {"pair", "window"}


def test_a_regression_outweighs_a_broken_harness():
    findings, code, _ = run_gate(FakeMeters(slower={("arena", "pair"): 1.2}, crash_at=3), tiers=("time",))
    assert code == Exit.CONFIRMED


# Rules.


def test_accepted_up_to_its_bound():
    entry = gate_accepted.Accepted("pool", None, None, "instructions", 1.03, None, "Checks bounds now.")
    assert run_gate(FakeMeters(counts={("head", "pool"): 102}), [entry], ("instructions",))[1] == Exit.GOOD
    assert run_gate(FakeMeters(counts={("head", "pool"): 104}), [entry], ("instructions",))[1] == Exit.CONFIRMED
    notes = run_gate(FakeMeters(), [entry], ("instructions",))[2]
    assert any("Not needed" in note for note in notes)


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("[[accepted]]\nrow='a'\nmetric='time'\nbound=1.1\n", "reason"),
        ("[[accepted]]\nrow='a'\nmetric='time'\nbound=1.1\nreason='because'\n", "letters"),
        ("[[accepted]]\nrow='a'\nmetric='speed'\nbound=1.1\nreason='a good reason'\n", "metric"),
        ("[[accepted]]\nrow='a'\nmetric='time'\nbound=0.9\nreason='a good reason'\n", "bound"),
        ("[[accepted]]\nrow='a'\nmetric='time'\nbound=true\nreason='a good reason'\n", "bound"),
        ("[[accepted]]\nrow='a'\nmetric='time'\nreason='a good reason'\n", "bound"),
        ("[[accepted]]\nrow='a'\nmetric='time'\nbound=1.1\nmore=3\nreason='a good reason'\n", "bound"),
        ("[[accepted]]\nrow='a'\nmetric='time'\nbuond=1.1\nreason='a good reason'\n", "buond"),
        ("[[acepted]]\n", "acepted"),
        ("accepted = 3\n", "tables"),
        ("[[accepted\n", "accepted.toml"),
    ],
)
def test_wrong_accepted_files_are_usage_errors(tmp_path, text, complaint):
    path = tmp_path / "accepted.toml"
    path.write_text(text)
    with pytest.raises(Failure) as caught:
        gate_accepted.load(path)
    assert caught.value.code == Exit.USAGE
    assert complaint in str(caught.value)


def test_the_projects_own_accepted_file_is_valid():
    assert isinstance(gate_accepted.load(), list)


def test_alpha_is_divided_among_comparisons_and_looks():
    assert gate_judge.share_of_alpha(60, 1) == pytest.approx(gate_judge.FAMILY_ALPHA / 60)
    assert gate_judge.share_of_alpha(60, 3) == pytest.approx(gate_judge.FAMILY_ALPHA / 180)


def test_order_is_read_as_permutation_and_reverse():
    assert gate_time._interleaved("abba" + "baab", 2, 2)
    assert not gate_time._interleaved("abab" + "baab", 2, 2)
    assert not gate_time._interleaved("abba", 2, 2)
    assert gate_time.first_places("abba" + "baab" + "abba", 2) == (3, 2)


def test_callgrind_profiles_are_read_by_their_names(tmp_path):
    body = "version: 1\ndesc: Trigger: Client Request: cell-3\nevents: Dr Ir\nsummary: 7 9\ntotals: 1 123\n"
    (tmp_path / "profile.1").write_text(body)
    (tmp_path / "profile").write_text("desc: Trigger: Program termination\nevents: Ir\ntotals: 5\n")
    assert read_profiles(tmp_path) == {"cell-3": 123}


def test_reports_begin_with_the_verdict(tmp_path):
    findings, code, notes = run_gate(FakeMeters(slower={("arena", "pair"): 1.2}))
    context = {"title": "Base x, head y", "notes": notes, "facts": {"base": "x"}}
    gate_report.write(tmp_path, context, findings, code)
    text = (tmp_path / "gate.md").read_text()
    assert text.startswith("## FAIL")
    assert text.index("Beyond noise") < text.index("<details>")
    suite = xml.etree.ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert suite.get("failures") == "1" and len(suite) == len(findings)
    assert len((tmp_path / "findings.ndjson").read_text().splitlines()) == len(findings)
    assert json.loads((tmp_path / "gate.json").read_text())["exit"] == int(Exit.CONFIRMED)
    assert gate_report.terminal(findings, code).splitlines()[-1].startswith("compared ")


def test_findings_without_a_ratio_are_shown_as_numbers():
    finding = Finding(Cell("a", "b", "c"), "exact", "refused_count", Verdict.FAIL, 0, 3)
    assert finding.effect == "0 to 3"
    assert gate_report.terminal([finding], Exit.CONFIRMED)


# The command.

GATE = Path(__file__).resolve().parent.parent / "gate"


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--base", "no-such-commit"], "no such commit"),
        (["--base=--help"], "no such commit"),
        (["--tiers", "speed"], "no tier 'speed'"),
        (["--quick", "--full"], "not both"),
        (["--jobs", "0"], "--jobs"),
        (["--base"], "expected one argument"),
        (["--base-plugin", __file__], "go together"),
        (["--base-plugin", "no.so", "--head-plugin", __file__], "no.so: no such file"),
        (["--base", "HEAD", "--base-plugin", __file__, "--head-plugin", __file__], "not both"),
        (["--bench", __file__], "--bench goes with plugins"),
    ],
)
def test_wrong_arguments_are_usage_errors(arguments, complaint):
    done = subprocess.run([GATE, *arguments], capture_output=True, text=True)
    assert done.returncode == Exit.USAGE
    assert complaint in done.stderr


def test_help_lists_the_exit_codes():
    done = subprocess.run([GATE, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "3 a confirmed regression" in " ".join(done.stdout.split())


def test_a_killed_process_is_a_crash(tmp_path):
    bench = tmp_path / "bench"
    bench.write_text('#!/bin/sh\necho \'{"kind":"pairs","number":1}\'\necho \'{"cut\'\nkill -SEGV $$\n')
    bench.chmod(0o755)
    meters = Meters(bench, {"base": "b", "head": "h", "again": "a"}, "quick")
    meters = meters.with_plugins({"base": "b", "head": "h"})
    records, crash = meters.pairs([1, 2], [], 1, 1000)
    assert records == [{"kind": "pairs", "number": 1}]
    assert crash.why == "signal 11"
