"""From raw samples to every format: no record is lost, added or partly written."""

import csv
import json
import os
import sys
import xml.etree.ElementTree
from pathlib import Path

import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import common, results, samples  # noqa: E402
from yard.testdata import synthetic  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    synthetic.write(folder, row_count=20, cell_count=14, processes=8, rounds=10)
    results.derive(folder)
    return folder


@pytest.fixture(scope="module")
def records(folder):
    return [json.loads(line) for line in (folder / "results.ndjson").read_text().splitlines()]


def small(tmp_path, *lines, rows=("libc", "arena"), finished=True):
    """A run folder of one cell with the given lines of samples."""
    cell = {"params": "size=64", "threads": 1, "rows": list(rows)}
    table = [{"name": name, "group": "strategy", "summary": "", "traits": [], "missing": None} for name in rows]
    context = {"finished": finished, "rows": table, "workloads": [{"name": "pair", "summary": "", "operation": "", "cells": [cell]}]}
    (tmp_path / "run.json").write_text(json.dumps(context))
    (tmp_path / "samples.ndjson").write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return tmp_path


def process(index, checksum="a", **rows):
    found = {name: {"ns_per_op": values, "checksum": checksum if name == "libc" else "a"} for name, values in rows.items()}
    operations = {name: 100 for name in rows}
    return {"kind": "samples", "suite": "throughput", "workload": "pair", "params": "size=64", "threads": 1, "process": index,
            "seed": index, "epoch_operations": operations, "rows": found}  # fmt: skip


def test_every_record_fits_the_schema(records):
    schema = json.loads((common.ROOT / "reports" / "schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    assert [error.message for record in records for error in validator.iter_errors(record)] == []
    assert {record["status"] for record in records} == {"ok", "failed", "not applicable", "not in this build", "not measured"}
    for record in (record for record in records if record["status"] != "ok"):
        assert not validator.is_valid(record | {"metrics": records[0]["metrics"]})


def test_there_is_a_record_for_each_suite_cell_and_row(records):
    keys = {(r["suite"], r["workload"], r["params"], r["threads"], r["allocator"]) for r in records}
    # 19 rows of 20, as one refuses everything, and one that is not in the build.
    assert len(keys) == len(records) == 2 * 14 * 20


def test_csv_has_the_header_and_units_promised(folder):
    lines = list(csv.DictReader(open(folder / "results.csv")))
    header = (folder / "results.csv").read_text().split("\n")[0]
    assert header == "suite,allocator,workload,params,threads,metric,unit,median,lo95,hi95,n,ratio_vs_libc,ratio_lo95,ratio_hi95"
    units = {(line["metric"], line["unit"]) for line in lines}
    assert {("time", "ns/op"), ("peak_rss", "bytes"), ("rss_after_free", "bytes"), ("rss_after_free_1s", "bytes")} <= units
    libc = [line for line in lines if line["allocator"] == "libc" and line["metric"] == "time"]
    assert {(line["ratio_vs_libc"], line["ratio_lo95"], line["ratio_hi95"]) for line in libc} == {("1", "1", "1")}
    failed = [line for line in lines if line["n"] == "0"]
    assert failed and all(line["median"] == "" for line in failed)


def test_flat_view_agrees_with_the_records(folder, records):
    flat = {(r["allocator"], r["workload"], r["params"], r["threads"]): r for r in csv.DictReader(open(folder / "results.csv")) if r["metric"] == "time"}
    compared = 0
    for record in records:
        for metric in (metric for metric in record["metrics"] if metric["metric"] == "time"):
            line = flat[record["allocator"], record["workload"], record["params"], str(record["threads"])]
            assert float(line["median"]) == pytest.approx(metric["median"], rel=1e-5)
            assert len(record["samples"]) == metric["n"] and all(len(sample["ns_per_op"]) == 10 for sample in record["samples"])
            compared += 1
    assert compared > 100


def test_other_tools_formats(folder):
    bencher = json.loads((folder / "bencher.json").read_text())
    measure = bencher["pair/size=16/threads=1/jemalloc"]
    assert measure["latency"]["lower_value"] <= measure["latency"]["value"] <= measure["latency"]["upper_value"]
    assert measure["peak_rss"]["value"] > 1e6
    assert measure["peak_rss"]["value"] == measure["peak_rss_above_start"]["value"] + synthetic.START_RSS
    action = json.loads((folder / "github-action-benchmark.json").read_text())
    assert {"name", "unit", "value", "extra"} <= set(action[0])
    suite = xml.etree.ElementTree.parse(folder / "junit.xml").getroot()[0]
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) > 0
    assert int(suite.get("tests")) == len(suite.findall("testcase"))


def test_pairing_is_by_round(tmp_path):
    lines = [process(index, libc=[1.0, 10.0, 100.0], arena=[0.5, 5.0, 50.0]) for index in range(6)]
    run = results.derive(small(tmp_path, *lines))
    ratio = next(iter(run.cells.values())).ratio("arena", "libc")
    assert ratio.median == pytest.approx(0.5) and ratio.lo == pytest.approx(0.5) and ratio.n == 6


def test_a_truncated_last_line_is_left_out(tmp_path):
    cut = json.dumps(process(1, libc=[1.0], arena=[0.5]))[:40]
    run = results.derive(small(tmp_path, process(0, libc=[1.0], arena=[0.5]), cut, finished=False))
    assert run.unreadable == 1 and not run.finished
    assert next(iter(run.cells.values())).time("arena").n == 1


def test_too_few_processes_leave_the_bounds_empty(tmp_path):
    results.derive(small(tmp_path, process(0, libc=[1.0, 1.1], arena=[0.5, 0.5])))
    line = next(csv.DictReader(open(tmp_path / "results.csv")))
    assert (line["median"], line["lo95"], line["hi95"], line["n"]) == ("1.05", "", "", "1")


def test_failed_and_unmeasured_cells_have_records(tmp_path):
    crash = {"kind": "failed", "suite": "throughput", "workload": "pair", "params": "size=64", "threads": 1, "row": "arena",
             "process": 0, "why": "signal 11 (SIGSEGV)", "command": "again --please"}  # fmt: skip
    folder = small(tmp_path, process(0, libc=[1.0]), crash, rows=("libc", "arena", "pool"))
    results.derive(folder)
    found = {r["allocator"]: r for r in map(json.loads, open(folder / "results.ndjson"))}
    assert (found["arena"]["status"], found["arena"]["command"]) == ("failed", "again --please")
    assert found["pool"]["status"] == "not measured"
    assert found["libc"]["status"] == "ok"


def test_a_different_checksum_is_a_failure(tmp_path):
    run = results.derive(small(tmp_path, process(0, checksum="b", libc=[1.0], arena=[0.1])))
    cell = next(iter(run.cells.values()))
    assert run.status(cell, "throughput", "arena") == samples.FAILED
    assert cell.failures["throughput", "arena"]["why"] == "checksum a where libc has b"


def test_memory_ratios_are_of_the_peak_above_the_start(tmp_path):
    line = {"kind": "memory", "workload": "pair", "params": "size=64", "threads": 1, "process": 0, "start_rss": 1000, "live_peak": 10}
    run = results.derive(small(tmp_path, line | {"row": "libc", "peak_rss": 3000}, line | {"row": "arena", "peak_rss": 2000}))
    cell = next(iter(run.cells.values()))
    assert cell.memory_ratio("arena", "libc").median == pytest.approx(0.5)
    assert cell.memory_ratio("arena", "libc").lo is None


def test_a_folder_without_a_run_is_a_usage_error(tmp_path):
    with pytest.raises(common.Failure, match="no run.json") as caught:
        samples.load(tmp_path)
    assert caught.value.code == common.Exit.USAGE
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(common.Failure, match="not JSON"):
        samples.load(tmp_path)
    with pytest.raises(common.Failure, match="no run 'never'"):
        samples.find_run("never")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    folder = small(tmp_path, process(0, libc=[1.0]), rows=("libc",))
    results.derive(folder)
    before = (folder / "results.csv").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError):
        results.derive(folder)
    assert (folder / "results.csv").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir() if path.name.count(".") > 1) == []
