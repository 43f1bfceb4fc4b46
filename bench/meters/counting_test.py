"""The meters that count give the same numbers every time, and the numbers that they must."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from yard.gate_meters import CALLGRIND, TUNABLES, read_profiles  # noqa: E402

BUILD = Path(os.environ.get("HEAPYARD_BUILD", ROOT / "build" / "release"))
BENCH = BUILD / "bench" / "heapyard-bench"


def exact(*arguments):
    return subprocess.run([BENCH, "exact", *arguments], capture_output=True, text=True, timeout=120)


def metrics(row, workload):
    done = exact("--rows", row, "--workloads", workload)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


# A row of each way to count: a child's calls, what is held, what a source asks of the system.
FEW = ("--rows", "arena,counting,headered,page,pool,smp")


def test_two_runs_are_equal_to_the_byte():
    first, second = exact(*FEW, "--tier", "quick"), exact(*FEW, "--tier", "quick")
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout
    assert len(first.stdout.splitlines()) > 20


def test_a_pass_through_calls_its_child_twice_a_pair():
    for record in metrics("counting", "pair"):
        assert record["metrics"]["child_calls"] == 2 * record["operations"]
        assert record["metrics"]["beyond_live_bytes"] == 0
        assert record["metrics"]["after_free_bytes"] == 0


def test_what_a_header_costs_is_seen():
    for record in metrics("headered", "pair"):
        assert record["metrics"]["beyond_live_bytes"] >= 8


def test_fragmentation_is_reported_for_large_live_sets_only():
    (mixed,) = metrics("headered", "mixed")
    assert mixed["metrics"]["fragmentation_permille"] >= 1000
    assert all("fragmentation_permille" not in record["metrics"] for record in metrics("headered", "pair"))


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--rows", "no_such_row"], "no_such_row"),
        (["--workloads", "no_such_workload"], "no_such_workload"),
        (["--tier", "slow"], "slow"),
        (["--operations", "0"], "operations"),
        (["--speed"], "--speed"),
    ],
)
def test_unknown_names_are_usage_errors(arguments, complaint):
    done = exact(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert not done.stdout


def test_instructions_want_callgrind():
    done = subprocess.run([BENCH, "instructions"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "valgrind" in done.stderr


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_two_counts_of_one_build_agree_exactly(tmp_path):
    counts = []
    for padding in ("", "x" * 3000):
        folder = tmp_path / str(len(padding))
        folder.mkdir()
        command = [*CALLGRIND, f"--callgrind-out-file={folder}/profile", BENCH, "instructions", "--rows", "counting"]
        environment = {"PATH": "/usr/bin:/bin", "GLIBC_TUNABLES": TUNABLES, "PADDING": padding}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        counts.append(read_profiles(folder))
        assert len(counts[-1]) == len(done.stdout.splitlines())
    assert counts[0] == counts[1]
    assert counts[0] and all(count > 1000 for count in counts[0].values())
