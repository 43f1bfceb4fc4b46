"""The user's own programs: recorded by one command, measured by another."""

import csv
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from yard import cells, common, run, samples, traces

BUILD = Path(os.environ.get("HEAPYARD_BUILD", common.ROOT / "build" / "debug"))
BENCH = BUILD / "bench" / "heapyard-bench"
VERSION_AT = 8  # behind the magic
PROGRAM = ["awk", "BEGIN { for (i = 0; i < 30000; i++) word[i] = \"word number \" i; print length(word) }"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "words.hyt"
    done = subprocess.run(
        [str(common.ROOT / "scripts" / "trace"), "record", "--out", str(path), "--", *PROGRAM],
        env=dict(os.environ, HEAPYARD_BUILD=str(BUILD)), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout == "30000\n", done.stderr
    return path


def script(*arguments):
    command = [str(common.ROOT / "scripts" / "bench"), "--bench", str(BENCH), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_trace_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(common.Failure, match="no such file; make trace CMD") as caught:
        traces.parse("/nowhere/x.hyt")
    assert caught.value.code == common.Exit.USAGE
    (tmp_path / "a b.hyt").write_text("")
    with pytest.raises(common.Failure, match="no blanks"):
        traces.parse(str(tmp_path / "a b.hyt"))


def test_two_traces_of_one_name_are_a_usage_error():
    with pytest.raises(common.Failure, match="rename one"):
        traces.check_names(["/a/x.hyt", "/b/x.hyt"])
    traces.check_names(["/a/x.hyt", "/a/x.hyt", "/a/y.hyt"])


@pytest.mark.parametrize("damage", ["text", "cut", "newer"])
def test_a_file_that_cannot_be_replayed_is_one_line_and_measures_nothing(recorded, tmp_path, damage):
    data = bytearray(recorded.read_bytes())
    if damage == "newer":
        (version,) = struct.unpack_from("<I", data, VERSION_AT)
        struct.pack_into("<I", data, VERSION_AT, version + 1)
    path = tmp_path / "bad.hyt"
    path.write_bytes({"text": b"no trace at all\n", "cut": data[: len(data) // 2], "newer": data}[damage])
    done = script("--out", str(tmp_path / "out"), "--trace", str(path))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and str(path) in done.stderr, done.stderr
    assert {"text": "not a trace", "cut": "cut within", "newer": "version 2"}[damage] in done.stderr
    assert not (tmp_path / "out").exists()


def test_given_traces_are_measured_alone_unless_workloads_are_named(recorded):
    listing = run.Bench(BENCH, traces=[str(recorded)]).listing()
    params = traces.params(str(recorded))
    alone = cells.make(listing, "quick", paths=[str(recorded)])
    assert [(cell.workload, cell.params, cell.threads) for cell in alone.cells] == [("trace", params, 1)]
    assert {"libc", "raw_libc", "counting", "debug"} <= set(alone.cells[0].rows)
    beside = cells.make(listing, "quick", workloads="pair", paths=[str(recorded)])
    assert {cell.workload for cell in beside.cells} == {"pair", "trace"} and params in {cell.params for cell in beside.cells}
    every = cells.make(listing, "quick", workloads="trace", paths=[str(recorded)])
    assert len(every.cells) > 1 and params in {cell.params for cell in every.cells}


def test_a_threaded_trace_has_a_cell_with_its_threads(tmp_path):
    path = tmp_path / "threads.hyt"
    path.write_bytes((common.ROOT / "corpus" / "traces" / "git-grep.hyt").read_bytes())
    listing = run.Bench(BENCH, traces=[str(path)]).listing()
    found = cells.make(listing, "quick", allocators="raw_libc", paths=[str(path)])
    assert [cell.threads for cell in found.cells] == [1, 9]


def test_a_program_is_measured_from_its_recording_to_its_figures(recorded, tmp_path):
    done = script("--quick", "--out", str(tmp_path), "--trace", str(recorded), "--allocators", "raw_libc")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    title = next(number for number, line in enumerate(lines) if line.startswith("words: at most "))
    assert "peak RSS" in lines[title + 1] and "per live" in lines[title + 1]
    assert {line.split()[0] for line in lines[title + 2 : title + 4]} == {"libc", "raw_libc"}
    latest = tmp_path / "latest"
    rows = list(csv.DictReader((latest / "results.csv").open()))
    assert {row["params"] for row in rows} == {traces.params(str(recorded))}
    held = [float(row["median"]) for row in rows if row["metric"] == "fragmentation"]
    # What the process touched and freed before the start is used again, so libc's may lie a little below 1.
    assert len(held) == 3 and all(0.9 <= value < 3 for value in held)
    page = (latest / "index.html").read_text()
    assert "per live" in page and f"make bench FRESH=1 QUICK=1 TRACE={recorded} THREADS=1" in page
    (known,) = json.loads((latest / run.RUN).read_text())["traces"]
    assert known["path"] == str(recorded) and len(known["sha256"]) == 64


def test_fragmentation_takes_enough_live_memory():
    record = {"start_rss": 10 << 20, "peak_rss": 16 << 20, "live_peak": 4 << 20}
    assert samples.memory_value(record, "fragmentation") == 1.5
    assert samples.memory_value(record | {"live_peak": 1 << 19}, "fragmentation") is None
    assert samples.memory_value(record | {"live_peak": None}, "fragmentation") is None


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
