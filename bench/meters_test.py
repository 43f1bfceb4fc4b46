"""Every meter on every workload, at a size for tests: fields, units, signs, and that all did the same work.

What there is comes from the program: the meters from its help, workloads, cells and rows from `list --json`. A
meter that METERS below does not describe fails here; a workload is run by all of them as soon as it is listed.
No bound on a time is asserted.
"""

import functools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from yard.gate_meters import CALLGRIND, TUNABLES, read_profiles  # noqa: E402

BUILD = Path(os.environ.get("HEAPYARD_BUILD", ROOT / "build" / "release"))
BENCH = BUILD / "bench" / "heapyard-bench"
PLUGIN = BUILD / "allocators" / "libheapyard-plugin.so"
CRASH = f"--plugin=crash={BUILD / 'bench' / 'libcrash_plugin.so'}"

ROUNDS = 3
SEED = 1
# What a checksum of `sample` is made over; `exact` is asked for as many.
OPERATIONS = 4096


def bench(*arguments, status=0, command=(), **options):
    words = [word if isinstance(word, bytes) else str(word) for word in (*command, BENCH, *arguments)]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=240, **options)
    assert done.returncode == status, f"{words}: exit {done.returncode}\n{done.stderr}"
    return done


def records(*arguments, **options):
    """The lines that a meter prints; each must be JSON."""
    return [json.loads(line) for line in bench(*arguments, **options).stdout.splitlines()]


def listed_meters():
    lines = bench("--help").stdout.splitlines()[1:]
    return [re.match(r"  ([a-z0-9_]+) +\S", line).group(1) for line in lines]


(LISTED,) = records("list", "--json")
SANITIZED = bool({"asan", "tsan"} & set(LISTED["build"].split()))  # Valgrind runs no such build
ROWS = {row["name"]: row for row in LISTED["rows"]}
WORKLOADS = {workload["name"]: workload for workload in LISTED["workloads"]}


@functools.lru_cache(maxsize=None)
def smoke(name):
    """The cell of a workload that is run here, the one with the fewest blocks, and its rows: as few as have every group
    and every trait among them; with sanitizers, which take ten times as long, a third of those."""
    cell = min((cell for cell in WORKLOADS[name]["cells"] if cell["threads"] == 1), key=lambda cell: cell["live_blocks"])
    chosen, seen = [], set()
    for row in cell["rows"]:
        has = {ROWS[row]["group"], *ROWS[row]["traits"]}
        if has - seen:
            chosen.append(row)
            seen |= has
    return cell, chosen[:: 3 if SANITIZED else 1]


def arguments_of(name):
    cell, _ = smoke(name)
    return ["--workload", name, "--params", cell["params"], "--seed", SEED]


@functools.lru_cache(maxsize=None)
def directs(name):
    """The label of a row's own loop, where it stands for this workload: the program takes it, or says that it does not apply."""
    _, rows = smoke(name)
    label = next((f"{row}:direct" for row in rows if ROWS[row]["direct"]), None)
    if not label:
        return []
    words = [str(word) for word in (BENCH, "sample", *arguments_of(name), "--rounds", 1, "--epoch-ns", 1000, "--rows", label)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 or (done.returncode == 2 and "does not apply" in done.stderr), done.stderr
    return [label] if done.returncode == 0 else []


def exact_arguments(name, operations, seed=SEED):
    cell, _ = smoke(name)
    return ["--workloads", name, "--tier", cell["tier"], "--operations", operations, "--epochs", 1, "--seed", seed]


# --- what a record holds -----------------------------------------------------------------------------


def count(value):
    return type(value) is int and value >= 0


def positive(value):
    return count(value) and value > 0


def pages(value):
    """Resident bytes: the kernel counts pages."""
    return positive(value) and value % 4096 == 0


def name(value):
    return isinstance(value, str) and re.fullmatch(r"[a-z0-9_]+(@[a-z0-9_]+)?", value)


def text(value):
    return isinstance(value, str) and value != ""


def checksum(value):
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{16}", value)


def boolean(value):
    return isinstance(value, bool)


def times(value):
    """Nanoseconds of one operation, one number a round."""
    return isinstance(value, list) and all(isinstance(ns, (int, float)) and math.isfinite(ns) and ns > 0 for ns in value)


def list_of(check):
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def map_of(check):
    return lambda value: isinstance(value, dict) and all(name(key) and check(item) for key, item in value.items())


def members(fields, optional=()):
    """An object of these members and no others; those that are `optional` may be absent."""

    def check(value):
        assert isinstance(value, dict)
        assert set(fields) - set(optional) <= set(value) <= set(fields), f"members: {sorted(value)}"
        for key, item in value.items():
            assert fields[key](item), f"{key}: {item!r}"
        return True

    return check


def one_of(*values):
    return lambda value: value in values


METRICS = {
    metric: count
    for metric in (
        "child_calls", "child_peak_bytes", "beyond_live_bytes", "after_free_bytes", "after_destroy_bytes", "fragmentation_permille",
        "high_water_bytes", "capacity_bytes", "overhead_bytes", "source_calls", "refused_count",
    )
}  # fmt: skip
CELL = {"workload": name, "params": text, "threads": positive}
SAMPLE = {"ns_per_op": times, "checksum": checksum}
SHAPES = {
    "list row": members(
        {
            "name": name, "group": name, "summary": text, "header": text, "missing": text, "version": text,
            "greatest_align_log2": count, "direct": boolean, "traits": list_of(name), "stack": list_of(name),
        },
        ("header", "missing", "version"),
    ),
    "list workload": members({
        "name": name, "summary": text, "operation": text, "counted": boolean,
        "cells": list_of(members({
            "params": text, "threads": positive, "tier": one_of("smoke", "quick", "standard", "full"), "compositions": boolean,
            "decorators": boolean, "live_bytes": positive, "live_blocks": positive, "epoch_ns": positive, "warm_ns": count,
            "rows": list_of(name), "greatest_align_log2": count,
        })),
    }),
    "verified": members({"kind": name, **CELL, "row": name, "checksum": checksum}),
    "samples": members({
        "kind": name, "suite": one_of("throughput"), **CELL, "process": count, "seed": count,
        "epoch_operations": map_of(positive), "rows": map_of(members(SAMPLE)),
    }),
    "memory": members({
        "kind": name, **CELL, "process": count, "seed": count, "row": name, "start_rss": pages, "peak_rss": pages,
        "live_peak": count, "rss_after_free": pages, "rss_after_100ms": pages, "rss_after_1s": pages, "minor_faults": count,
        "major_faults": count, "series": list_of(list_of(count)),
    }),
    "exact": members(
        {"kind": name, "row": name, **CELL, "operations": positive, "checksum": checksum, "metrics": members(METRICS, METRICS)},
    ),
    "region": members({"kind": name, "row": name, **CELL, "operations": positive, "checksum": checksum, "profile": text}),
    "cell": members({"kind": name, "row": name, **CELL, "group": name, "operation": text}),
    "pair": members({
        "kind": name, "number": count, "row": name, "group": name, **CELL, "counted": boolean, "base": boolean, "head": boolean,
        "live_bytes": positive,
    }),
    "pairs": members({
        "kind": name, "number": count, "row": name, **CELL, "elapsed_ns": positive, "order": text,
        "rows": map_of(members({"file": text, "operations": positive, **SAMPLE})),
    }),
}  # fmt: skip


def check_record(record, kind, workload):
    """The record has its shape, and is about the workload's cell."""
    assert record["kind"] == kind
    assert SHAPES[kind](record)
    cell, _ = smoke(workload)
    assert (record["workload"], record["params"], record["threads"]) == (workload, cell["params"], 1)


# --- the meters: each runs a workload, checks what it prints, and returns the checksums that can be compared ---------


def run_list(workload):
    cell, rows = smoke(workload)
    assert SHAPES["list workload"](WORKLOADS[workload])
    for row in rows:
        assert SHAPES["list row"](ROWS[row])
        assert "missing" not in ROWS[row]
    assert workload in bench("list").stdout
    assert cell["rows"] and cell["warm_ns"] <= cell["epoch_ns"]
    return {}


def rows_by_google(workload):
    """A few of the rows that the other meters have: each row on each workload is workloads_test's."""
    _, rows = smoke(workload)
    return rows[:1] if SANITIZED else rows[::3]


@functools.lru_cache(maxsize=None)
def google_benchmarks():
    """The smoke cells of all workloads tested in one process, by name: it reads every trace before it begins."""
    names = [
        f"{workload}/{smoke(workload)[0]['params']}/threads:1/{row}/" for workload in workloads_of("run") for row in rows_by_google(workload)
    ]
    cells = "|".join(re.escape(name) for name in names)
    cells = cells.replace("\\-", "-")  # which POSIX has no escape for
    done = bench("run", "--rounds", 1, f"--benchmark_filter=^({cells})", "--benchmark_format=json")
    return {run["name"]: run for run in json.loads(done.stdout)["benchmarks"]}


def run_run(workload):
    cell, _ = smoke(workload)
    prefix = f"{workload}/{cell['params']}/threads:1/"
    runs = {key.removeprefix(prefix).split("/")[0]: run for key, run in google_benchmarks().items() if key.startswith(prefix)}
    assert sorted(runs) == sorted(rows_by_google(workload))
    for run in runs.values():
        assert not run.get("error_occurred") and run["iterations"] == 1 and run["time_unit"] == "ns"
        assert run["real_time"] > 0
    return {}


def run_sample(workload):
    cell, rows = smoke(workload)
    labels = [*rows, *directs(workload), "empty"]
    (record,) = records("sample", *arguments_of(workload), "--rows", ",".join(labels), "--rounds", ROUNDS, "--epoch-ns", 1000, "--process", 7)
    plain = {label: record["rows"].pop(label) for label in list(record["rows"]) if ":" in label}
    assert all(members(SAMPLE)(sample) for sample in plain.values())
    record["epoch_operations"] = {key: value for key, value in record["epoch_operations"].items() if ":" not in key}
    check_record(record, "samples", workload)
    assert (record["process"], record["seed"]) == (7, SEED)
    samples = {**record["rows"], **plain}
    assert sorted(samples) == sorted(labels)
    assert all(len(sample["ns_per_op"]) == ROUNDS for sample in samples.values())
    return {label: sample["checksum"] for label, sample in samples.items() if label != "empty"}


def memory_record(workload, row):
    (record,) = records("memory", *arguments_of(workload), "--row", row)
    return record


def run_memory(workload):
    cell, rows = smoke(workload)
    rows = [*rows, "empty"]
    with ThreadPoolExecutor(len(rows)) as pool:  # each idles for a second
        found = list(pool.map(functools.partial(memory_record, workload), rows))
    for row, record in zip(rows, found):
        check_record(record, "memory", workload)
        assert record["row"] == row and record["seed"] == SEED
        live, resident = zip(*record["series"])
        assert max(live) <= record["live_peak"] <= cell["live_bytes"]
        assert max(resident) <= record["peak_rss"]
    return {}


def can_be_verified(row):
    traits = set(ROWS[row]["traits"])
    return {"free_any", "real_free"} <= traits and "floor" not in traits


def run_verify(workload):
    _, rows = smoke(workload)
    found = {}
    for row in filter(can_be_verified, rows):
        (record,) = records("verify", *arguments_of(workload), "--row", row)
        check_record(record, "verified", workload)
        assert record["row"] == row
        found[row] = record["checksum"]
    return found


def lists_none(meter, workload, rows):
    """Nothing of a workload whose counts differ from run to run."""
    arguments = exact_arguments(workload, OPERATIONS)
    assert not records(meter, "--list", *arguments)
    assert not records(meter, *arguments, "--rows", ",".join(rows))
    return {}


def run_exact(workload):
    cell, rows = smoke(workload)
    if not WORKLOADS[workload]["counted"]:
        return lists_none("exact", workload, rows)
    found = records("exact", *exact_arguments(workload, OPERATIONS), "--rows", ",".join(rows))
    found = {record["row"]: record for record in found if record["params"] == cell["params"]}
    assert list(found) == [row for row in ROWS if row in rows]
    for record in found.values():
        check_record(record, "exact", workload)
        metrics = record["metrics"]
        assert record["operations"] >= OPERATIONS
        assert metrics["refused_count"] == 0
        if "child_calls" in metrics:
            assert metrics["child_calls"] > 0 and metrics["after_destroy_bytes"] == 0
            assert max(metrics["beyond_live_bytes"], metrics["after_free_bytes"]) <= metrics["child_peak_bytes"]
    return {row: record["checksum"] for row, record in found.items()}


def run_instructions(workload):
    cell, rows = smoke(workload)
    if not WORKLOADS[workload]["counted"]:
        assert not records("instructions", "--list", *exact_arguments(workload, 100))
        return {}
    few = [next(row for row in rows if ROWS[row]["group"] == group) for group in {ROWS[row]["group"]: 0 for row in rows}][:3]
    arguments = [*exact_arguments(workload, 100), "--rows", ",".join(few)]
    for record in records("instructions", "--list", *arguments):
        if record["params"] == cell["params"]:
            check_record(record, "cell", workload)
    if not shutil.which("valgrind") or SANITIZED:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        command = [*CALLGRIND, f"--callgrind-out-file={folder}/profile"]
        found = records("instructions", *arguments, command=command, env={"PATH": "/usr/bin:/bin", "GLIBC_TUNABLES": TUNABLES})
        counted = read_profiles(Path(folder))
    assert len(counted) == len(found) and all(instructions > 100 for instructions in counted.values())
    found = {record["row"]: record for record in found if record["params"] == cell["params"]}
    assert sorted(found) == sorted(few)
    for record in found.values():
        check_record(record, "region", workload)
        assert record["operations"] >= 100 and record["profile"] in counted
    assert len({record["checksum"] for record in found.values()}) == 1
    return {}


PAIR_LABELS = ("base", "head", "again")


@functools.lru_cache(maxsize=None)
def pairs_of_all():
    """Every workload in one process, which reads every trace that it numbers: the cells by number, the records, and the files."""
    with tempfile.TemporaryDirectory() as folder:
        files = {label: str(shutil.copy(PLUGIN, f"{folder}/{label}.so")) for label in PAIR_LABELS}
        tiers = [smoke(workload)[0]["tier"] for workload in WORKLOADS]
        highest = max(tiers, key=["smoke", "quick", "standard", "full"].index)
        arguments = [*(f"--plugin={label}={path}" for label, path in files.items()), "--tier", highest]
        cells = records("pairs", "--list", *arguments)
        assert [cell["number"] for cell in cells] == list(range(len(cells)))
        chosen = [cell for cell in cells if cell["workload"] in workloads_of("pairs") and is_smoke(cell, 1 if SANITIZED else 3)]
        only = ",".join(str(cell["number"]) for cell in chosen)
        control = ",".join(str(cell["number"]) for cell in chosen[::2])
        found = records("pairs", *arguments, "--only", only, "--control", control, "--seed", SEED, "--microseconds", 1)
    assert [record["number"] for record in found] == [cell["number"] for cell in chosen]
    return {cell["number"]: cell for cell in chosen}, found, {cell["number"] for cell in chosen[::2]}, files


def is_smoke(record, step=1):
    """Whether it is about the cell that is run here, and one of its rows, or of every so many of them."""
    cell, rows = smoke(record["workload"])
    return (record["params"], record["threads"]) == (cell["params"], 1) and record["row"] in rows[::step]


def run_pairs(workload):
    cells, found, controlled, files = pairs_of_all()
    found = [record for record in found if record["workload"] == workload]
    assert len(found) >= 2
    for record in found:
        check_record(cells[record["number"]], "pair", workload)
        check_record(record, "pairs", workload)
        sides = PAIR_LABELS if record["number"] in controlled else PAIR_LABELS[:2]
        assert {side: sample["file"] for side, sample in record["rows"].items()} == {side: files[side] for side in sides}
        rounds = {len(sample["ns_per_op"]) for sample in record["rows"].values()}
        assert len(rounds) == 1
        assert sorted(record["order"]) == sorted("abc"[: len(sides)] * 2 * rounds.pop())
        assert len({(sample["operations"], sample["checksum"]) for sample in record["rows"].values()}) == 1
    if not WORKLOADS[workload]["counted"]:
        return {}
    # A cell's number is added to the seed, so its checksum is that of another meter with this seed.
    first = found[0]
    same = records("exact", *exact_arguments(workload, OPERATIONS, SEED + first["number"]), "--rows", first["row"])
    assert first["rows"]["head"]["checksum"] in [record["checksum"] for record in same if is_smoke(record)]
    return {}


@functools.lru_cache(maxsize=None)
def overheads():
    return records("overheads", "--rounds", ROUNDS, "--process", 3)


def run_overheads(_):
    """It takes no workload: once is enough."""
    found = overheads()
    assert [record["name"] for record in found] == ["ambient", "ambient_sizeless", "using", "defer", "handle"]
    for record in found:
        assert record["kind"] == "overhead" and record["process"] == 3 and record["what"] and record["operation"]
        for side in ("plain_ns", "with_ns"):
            assert len(record[side]) == ROUNDS and all(value > 0 for value in record[side])
    assert {record["name"] for record in found if record["bound_ns"]} == {"ambient", "ambient_sizeless", "handle"}
    return {}


METERS = {
    "list": run_list,
    "run": run_run,
    "sample": run_sample,
    "memory": run_memory,
    "verify": run_verify,
    "exact": run_exact,
    "instructions": run_instructions,
    "pairs": run_pairs,
    "overheads": run_overheads,
}


@functools.lru_cache(maxsize=None)
def measured(meter, workload):
    return METERS[meter](workload)


def test_every_meter_is_described_here():
    assert listed_meters() == list(METERS)


def test_the_rows_have_every_group_and_trait_that_a_workload_takes():
    for workload in WORKLOADS:
        cell, rows = smoke(workload)
        for key in ("group", "traits"):
            assert {str(ROWS[row][key]) for row in rows} <= {str(ROWS[row][key]) for row in cell["rows"]}
        assert len(rows) >= (2 if SANITIZED else 4)
    assert any(directs(workload) for workload in WORKLOADS)


# What sanitizers find in a meter they find on a fifth of the workloads, and each of these under a fifth of the meters;
# the other builds run all.
PAIRS = [(meter, workload) for i, meter in enumerate(METERS) for j, workload in enumerate(WORKLOADS) if not SANITIZED or (i + j) % 5 == 0]


def workloads_of(meter):
    """The workloads that a meter is tested on."""
    return [workload for name, workload in PAIRS if name == meter]


@pytest.mark.parametrize("meter, workload", PAIRS)
def test_a_meter_on_a_workload(meter, workload):
    measured(meter, workload)


@pytest.mark.skipif(SANITIZED, reason="not every meter runs every workload")
@pytest.mark.parametrize("workload", WORKLOADS)
def test_allocators_and_meters_agree_on_the_checksum(workload):
    found = {(meter, row): value for meter in METERS for row, value in measured(meter, workload).items()}
    counting = {"exact"} if WORKLOADS[workload]["counted"] else set()
    assert {meter for meter, _ in found} == {"sample", "verify"} | counting
    assert len(set(found.values())) == 1, found
    assert set(found.values()) != {"0" * 16}


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_row_that_does_not_apply_is_refused(workload):
    cell, _ = smoke(workload)
    row = next(row for row in ROWS if row not in cell["rows"] and "missing" not in ROWS[row])
    for meter, option in (("sample", "--rows"), ("memory", "--row")):
        done = bench(meter, *arguments_of(workload), option, row, status=2)
        assert f"{row} does not apply to {workload}" in done.stderr and not done.stdout
    assert not [record for record in records("exact", *exact_arguments(workload, 1), "--rows", row) if record["params"] == cell["params"]]


PLUGIN_BASE = f"--plugin=base={PLUGIN}"
USAGE_ERRORS = [
    ([], "usage"),
    (["no_such_meter"], "no_such_meter"),
    *(([meter, "--no-such-option"], "no-such-option") for meter in METERS),
    *(([meter, "word"], "word") for meter in METERS),
    (["sample"], "--workload is missing"),
    (["verify", "--workload", "pair"], "--row is missing"),
    (["verify", "--workload", "pair", "--row", "floor_null"], "choose another row"),
    (["sample", "--preload", "x"], "write it as name=/path/lib.so"),
    (["sample", "--preload", "libc=/no/such/library.so"], "there is an allocator 'libc' already"),
    (["list", "--trace", "/no/such/trace.hyt"], "/no/such/trace.hyt"),
    (["sample", "--workload", "no_such_workload"], "no_such_workload"),
    (["sample", "--workload", "pair", "--rows", "no_such_row"], "no_such_row"),
    (["sample", "--workload", "pair", "--rows", ""], "no allocator"),
    (["sample", "--workload", "pair", "--params", "size=1"], "size=1"),
    (["sample", "--workload", "pair", "--rounds", "0"], "--rounds"),
    (["sample", "--workload", "pair", "--epoch-ns", "1"], "--epoch-ns"),
    (["sample", "--workload", "pair", "--threads", "0"], "--threads"),
    (["sample", "--workload", "pair", "--threads", "65"], "--threads"),
    (["sample", "--workload", "pair", "--seed", "-1"], "--seed"),
    (["sample", "--workload", "pair", "--process", "x"], "--process"),
    (["sample", "--workload", "pair", "--rows", "libc", "--where", "/no/such/folder/file"], "--where"),
    (["sample", "--workload", "pair", "--rows", "libc", "--rounds", "1", "--out", "/no/such/folder/file"], "--out"),
    (["sample", "--workload", "trace", "--params", "file=no_such_trace"], "no_such_trace"),
    (["sample", "--workload"], "--workload needs a value"),
    (["memory", "--workload", "pair"], "--row is missing"),
    (["memory", "--workload", "pair", "--row", "no_such_row"], "no_such_row"),
    (["memory", "--workload", "pair", "--row", "libc", "--process", "x"], "--process"),
    (["run", "--rounds", "0"], "--rounds"),
    (["run", "--benchmark_no_such_flag"], "benchmark_no_such_flag"),
    (["list", "--plugin", "a=/no/such/file"], "/no/such/file"),
    (["pairs"], "two plugins"),
    (["pairs", PLUGIN_BASE], "two plugins"),
    (["pairs", PLUGIN_BASE, CRASH, "--microseconds", "0"], "--microseconds"),
    (["pairs", PLUGIN_BASE, CRASH, "--tier", "slow"], "slow"),
    (["pairs", PLUGIN_BASE, CRASH, "--seed", "x"], "--seed"),
]


@pytest.mark.parametrize("arguments, complaint", USAGE_ERRORS, ids=lambda value: "_".join(value) if isinstance(value, list) else None)
def test_what_makes_no_sense_is_a_usage_error(arguments, complaint):
    done = bench(*arguments, status=2)
    assert complaint in done.stderr and not done.stdout


@pytest.mark.parametrize("meter", METERS)
def test_every_meter_has_help(meter):
    assert bench(meter, "--help").stdout.startswith(f"usage: heapyard-bench {meter} [options]\n")


def test_a_result_that_cannot_be_written_is_an_error():
    sample = ["sample", "--workload", "pair", "--rows", "libc", "--rounds", 1, "--epoch-ns", 1000]
    for arguments in (sample, ["memory", "--workload", "pair", "--row", "libc"]):
        assert "could not be written" in bench(*arguments, "--out", "/dev/full", status=1).stderr


def test_an_allocator_that_refuses_has_an_error_and_no_times(tmp_path):
    (record,) = records("sample", CRASH, "--workload", "pair", "--rows", "refuse@crash,libc", "--rounds", 1, "--epoch-ns", 1000)
    assert members({"error": text, "refused": positive})(record["rows"]["refuse@crash"])
    assert members(SAMPLE)(record["rows"]["libc"])
    assert "refused" in bench("memory", CRASH, "--workload", "pair", "--row", "refuse@crash", status=1).stderr
    for record in records("exact", CRASH, "--workloads", "pair", "--rows", "refuse@crash"):
        assert record["metrics"]["refused_count"] > 0
    shutil.copy(CRASH.split("=")[-1], tmp_path / "copy.so")
    arguments = ["pairs", CRASH, f"--plugin=copy={tmp_path / 'copy.so'}"]
    number = next(record["number"] for record in records(*arguments, "--list") if record["row"] == "refuse")
    (record,) = map(json.loads, bench(*arguments, "--only", number, "--microseconds", 1, status=1).stdout.splitlines())
    assert record["kind"] == "failed" and text(record["why"])


# --- names -----------------------------------------------------------------------------------------------------------


def odd_copy(path, folder):
    """A copy whose name has what JSON must escape, and a byte that is no UTF-8; its path, as bytes and as it is to be read."""
    copy = os.fsencode(folder) + "/\"back\\slash\n\t\x01 ä€".encode() + b"\xff"
    shutil.copy(path, copy)
    return copy, copy.decode(errors="replace")


def test_a_path_may_hold_any_byte(tmp_path):
    smallest = min((ROOT / "corpus" / "traces").glob("*.hyt"), key=lambda path: path.stat().st_size)
    path, expected = odd_copy(smallest, tmp_path)
    arguments = ["--workload", "trace", "--params", b"file=" + path]
    (sample,) = records("sample", *arguments, "--rows", "libc", "--rounds", 1, "--epoch-ns", 1000)
    (memory,) = records("memory", *arguments, "--row", "libc")
    assert sample["params"] == memory["params"] == f"file={expected}"


def test_a_plugin_s_path_may_hold_any_byte(tmp_path):
    path, expected = odd_copy(PLUGIN, tmp_path)
    found = records("pairs", PLUGIN_BASE, b"--plugin=head=" + path, "--only", 0, "--microseconds", 1)
    assert [record["rows"]["head"]["file"] for record in found] == [expected]
