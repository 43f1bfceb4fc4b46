"""Any malloc library is fuzzed as it is preloaded: sound ones pass, each way to fail is found, and the reproducer is
built by gcc alone and fails on the library."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("HEAPYARD_BUILD", ROOT / "build" / "debug"))
REPLAY = BUILD / "fuzz" / "heapyard-replay"
CALLS = "m0 k. c1 x.8. m2 x+ m3 k. m4 k. f0 F1 f2\n"


def library(kind):
    return BUILD / "bench" / f"libmalloc_{kind}.so"


def replay(command, *words, kind="sound"):
    preload = f"--preload={kind}={library(kind)}"
    return subprocess.run([REPLAY, command, preload, *words], capture_output=True, text=True, check=False, timeout=120)


def on_library(command, kind, *words):
    return replay(command, "--property=posix_library", f"--row={kind}", *words, kind=kind)


@pytest.fixture
def calls(tmp_path):
    path = tmp_path / "input.calls"
    path.write_text(CALLS)
    return path


def test_its_rows_are_listed_and_no_others():
    lines = [line.split("\t") for line in replay("list").stdout.splitlines()]
    assert [line[1] for line in lines if line[0] == "row"] == ["sound", "sound_sized"]
    assert ["cell", "posix_library", "sound"] in lines and ["cell", "conform", "sound_sized"] in lines
    assert ["cell", "posix_library", "sound_sized"] not in lines


@pytest.mark.parametrize("kind", ["sound", "bare"])
def test_a_sound_library_passes_with_what_it_has(kind, calls):
    done = on_library("run", kind, calls)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
@pytest.mark.parametrize(("kind", "said"), [("misalign", "wrong: malloc gave"), ("overlap", "wrong: the block"), ("crash", None)])
def test_what_fails_is_found_and_reproduced_by_gcc_alone(kind, said, calls, tmp_path):
    program, built = tmp_path / "reproducer.c", tmp_path / "reproducer"
    found = on_library("minimise", kind, f"--c={program}", f"--seed={tmp_path}/seed.txt", calls)
    assert found.returncode == 3, found.stderr
    if not said:
        assert "signal" in found.stderr or "SEGV" in found.stderr
        return
    subprocess.run(["gcc", "-w", "-o", built, program], check=True)
    run = subprocess.run([built], capture_output=True, text=True, check=False, env=os.environ | {"LD_PRELOAD": str(library(kind))})
    assert run.returncode == 1 and run.stdout.startswith(said)
    assert subprocess.run([built], capture_output=True, check=False).returncode == 0  # on the C library's malloc


def test_what_is_known_is_not_told_again(calls, tmp_path):
    known = tmp_path / "known.txt"
    known.write_text("finding: answer: malloc refused 1 bytes (error 0) (row x, operation 1 malloc)\n")
    assert on_library("run", "sound", f"--known={known}", calls).returncode == 0
    missing = on_library("run", "sound", "--known=/no/such/file", calls)
    assert missing.returncode == 2 and "/no/such/file" in missing.stderr


@pytest.mark.parametrize(
    ("preload", "message"), [("x", "write it as name=/path/lib.so"), ("x=/no/such.so", "can't be loaded"), ("x=/a b.so", "no path with blanks")]
)
def test_a_library_that_is_none_is_said_in_a_line(preload, message, calls):
    done = subprocess.run([REPLAY, "run", f"--preload={preload}", calls], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "heapyard" in line]
    assert done.returncode == 2 and len(said) == 1 and message in said[0]
