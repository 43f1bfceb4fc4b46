"""Readers of files that an earlier run wrote, over damaged ones: a clear error in a line, or what is left; never a
traceback."""

import copy
import json
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import common, fuzzing, gate_accepted, mutants_run, overnight, results, targets

ROUNDS = 150
STRANGE = [None, True, -1, 0, 1e400, float("nan"), 1 << 70, "", "x", "\x00", [], [None], {}, {"x": 1}]


def damage_bytes(data, choose):
    """A file that was cut, or in which bytes were changed, doubled or lost."""
    data = bytearray(data)
    at = choose.randrange(len(data))
    length = min(choose.choice([1, 1, 4, 100]), len(data) - at)
    what = choose.randrange(4)
    if what == 0:
        return bytes(data[:at])
    if what == 1:
        data[at : at + length] = bytes(choose.randrange(256) for _ in range(length))
    elif what == 2:
        del data[at : at + length]
    else:
        data[at:at] = data[at : at + length]
    return bytes(data)


def damage_value(value, choose):
    """A JSON value, somewhere in which a value is another one or gone."""
    whole = copy.deepcopy(value)
    place = whole
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return choose.choice(STRANGE) if place is whole else whole
        key = choose.choice(keys)
        if isinstance(place[key], (dict, list)) and place[key] and choose.randrange(4):
            place = place[key]
        elif choose.randrange(4) == 0:
            del place[key]
            return whole
        else:
            place[key] = choose.choice(STRANGE)
            return whole


def damage_lines(text, choose):
    """One line of many, as JSON."""
    lines = text.splitlines()
    at = choose.randrange(len(lines))
    lines[at] = json.dumps(damage_value(json.loads(lines[at]), choose))
    return "\n".join(lines) + "\n"


def expect_clear(read, path):
    """What a reader may do: give something, or say in a line what is wrong."""
    try:
        read()
    except common.Failure as failure:
        assert str(failure) and "\n" not in str(failure).strip() and failure.code in (1, 2, 5), failure
    except Exception as error:
        kept = path.with_suffix(".kept")
        kept.write_bytes(path.read_bytes())
        raise AssertionError(f"{kept}: {type(error).__name__}: {error}") from error


WHERE = {"workload": "pair", "params": "size=64", "threads": 1}
MEMORY = {"peak_rss": 9000, "start_rss": 1000, "live_peak": 5000, "minor_faults": 3}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run of a bench: two rows, one cell, some of each kind of line."""
    folder = tmp_path_factory.mktemp("run")
    rows = [{"name": name, "group": "strategy", "summary": "", "traits": ["real-free"], "missing": None} for name in ("libc", "arena")]
    workload = {"name": "pair", "summary": "", "operation": "", "cells": [{"params": "size=64", "threads": 1, "rows": ["libc", "arena"]}]}
    (folder / "run.json").write_text(json.dumps({"finished": True, "tier": "quick", "rows": rows, "workloads": [workload]}))
    lines = [{"kind": "harness"}]
    lines.append({"kind": "overhead", "name": "ambient", "what": "x", "operation": "y", "bound_ns": 1.5, "process": 0, "plain_ns": [2.0, 2.1], "with_ns": [2.2, 2.3]})
    for number in range(6):
        measured = {"libc": {"ns_per_op": [10.0, 11.0], "checksum": "a"}, "arena": {"ns_per_op": [5.0, None], "checksum": "a"}}
        operations = {"libc": 100, "arena": 100}
        lines.append({"kind": "samples", **WHERE, "process": number, "seed": 1, "epoch_operations": operations, "rows": measured})
        lines.append({"kind": "memory", **WHERE, "row": "arena", **MEMORY})
    lines.append({"kind": "failed", **WHERE, "row": "libc", "suite": "memory", "why": "crashed", "command": "x", "process": 0})
    (folder / "samples.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.mark.parametrize("name", ["run.json", "samples.ndjson"])
@pytest.mark.parametrize("manner", ["bytes", "values"])
def test_results_of_a_bench(run, tmp_path, name, manner):
    for other in ("run.json", "samples.ndjson"):
        (tmp_path / other).write_bytes((run / other).read_bytes())
    original, path = (run / name).read_bytes(), tmp_path / name
    choose = random.Random(1)
    for _ in range(ROUNDS):
        if manner == "bytes":
            path.write_bytes(damage_bytes(original, choose))
        elif name == "run.json":
            path.write_text(json.dumps(damage_value(json.loads(original), choose)))
        else:
            path.write_text(damage_lines(original.decode(), choose))
        expect_clear(lambda: results.derive(tmp_path), path)


@pytest.mark.parametrize("manner", ["bytes", "values"])
def test_the_state_of_a_hunt(tmp_path, monkeypatch, manner):
    monkeypatch.setattr(fuzzing, "OUT", tmp_path)
    overnight.folder().mkdir()
    cell = overnight.new_tally() | {"findings": [["fuzz/out/findings/x", "finding: x"]]}
    original = overnight.fresh_state(8) | {"used_seconds": 12.5, "cells": {"conform arena": cell}}
    choose = random.Random(2)
    for _ in range(ROUNDS):
        whole = json.dumps(original).encode()
        damaged = damage_bytes(whole, choose) if manner == "bytes" else json.dumps(damage_value(original, choose)).encode()
        overnight.state_path().write_bytes(damaged)
        expect_clear(lambda: overnight.count_findings(overnight.load_state(8)), overnight.state_path())


def test_measurements_of_mutants(tmp_path):
    path, choose = tmp_path / "results.jsonl", random.Random(3)
    outcome = mutants_run.Outcome("pool_x", "0" * 12, "fuzz", 1, 60, True, "model", "conform pool", "finding: x", 1.5, 700)
    mutants_run.append_result(outcome, path)
    original = path.read_bytes() * 3
    for _ in range(ROUNDS):
        path.write_bytes(damage_bytes(original, choose))
        expect_clear(lambda: mutants_run.known(mutants_run.read_results(path), []), path)
        path.write_text(damage_lines(original.decode(), choose))
        expect_clear(lambda: [mutants_run.is_done(o, 60) for o in mutants_run.read_results(path)], path)


def test_counts_of_a_fuzzer(tmp_path):
    path, choose = tmp_path / "counts", random.Random(4)
    original = bytes(range(256)) * 4400
    for _ in range(ROUNDS):
        path.write_bytes(damage_bytes(original[: choose.randrange(1, len(original))], choose))
        for read in (fuzzing.read_counts, fuzzing.read_input, fuzzing.read_past):
            expect_clear(lambda read=read: read(path), path)


@pytest.mark.parametrize(("read", "original"), [(targets.read, targets.FILE), (gate_accepted.load, gate_accepted.PATH)])
def test_tables_that_people_write(tmp_path, read, original):
    path, choose = tmp_path / "table.toml", random.Random(5)
    for _ in range(ROUNDS):
        path.write_bytes(damage_bytes(original.read_bytes(), choose))
        expect_clear(lambda: read(path), path)
