"""The Makefile's verbs pass their variables on as flags, every script has the same style of usage, and .ci/run
keeps the status of what it runs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
VERBS = [
    "bench", "test", "coverage", "fuzz", "fuzz-overnight", "reproduce", "trace", "trace-stats", "report", "targets",
    "gate", "programs", "mutants", "docs", "install", "tidy", "help", "clean",
]  # fmt: skip
NOT_BUILT_YET = ["gate-proof"]
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and os.access(path, os.X_OK))

# The tests run below make test; what that make hands down must not change the makes that are tested.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def make(*arguments):
    return subprocess.run(["make", *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_make_alone_is_help_and_names_every_verb_that_works():
    shown = make()
    assert shown.returncode == 0
    named = re.findall(r"^make ([a-z-]+)", shown.stdout, re.MULTILINE)
    assert sorted([*named, "help"]) == sorted(VERBS)
    assert "not built yet" not in shown.stdout


FLAGS = [
    (["bench"], "scripts/bench"),
    (["bench", "QUICK=1", "ALLOCATORS=arena,libc", "WORKLOADS=pair", "THREADS=1,2", "FRESH=1"],
     "scripts/bench --quick --allocators 'arena,libc' --workloads 'pair' --threads '1,2' --fresh"),
    (["bench", "QUICK=0", "FULL=1"], "scripts/bench --full"),
    (["fuzz", "FUZZ_SECONDS=5", "ALLOCATORS=arena"], "scripts/fuzz --seconds '5' --allocators 'arena'"),
    (["bench", "PLUGIN=mine=x.so"], "scripts/bench --plugin 'mine=x.so'"),
    (["fuzz", "PLUGIN=mine=x.so"], "scripts/fuzz --plugin 'mine=x.so'"),
    (["fuzz-overnight", "HOURS=8"], "scripts/fuzz --overnight --hours '8'"),
    (["reproduce", "INPUT=a b"], "scripts/fuzz --reproduce 'a b'"),
    (["trace", "CMD=echo 'it is'", "OUT=it's"], "scripts/trace record --out 'it'\\''s' -- echo 'it is'"),
    (["trace-stats", "TRACE=x.hyt"], "scripts/trace stats 'x.hyt'"),
    (["gate", "BASE=main~1", "QUICK=1"], "scripts/gate --base 'main~1' --quick"),
    (["programs", "PROGRAMS=perl,lua", "ROUNDS=3"], "scripts/programs --programs 'perl,lua' --rounds '3'"),
    (["report"], "scripts/report"),
    (["targets"], "scripts/targets"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "command"), FLAGS, ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_variables_become_flags(arguments, command):
    shown = make("-n", *arguments)
    assert shown.returncode == 0, shown.stderr
    assert command in [" ".join(line.split()) for line in shown.stdout.split("\n")]


@pytest.mark.parametrize("verb", ["reproduce", "trace", "trace-stats"])
def test_a_verb_without_its_variable_says_which(verb):
    run = make(verb)
    assert run.returncode == 2 and f"{verb} needs " in run.stderr


@pytest.mark.parametrize("verb", NOT_BUILT_YET)
def test_what_is_not_built_yet_says_so(verb):
    run = make(verb)
    assert run.returncode == 2 and f"make {verb}: not built yet" in run.stderr


def script(name, *arguments):
    return subprocess.run([ROOT / "scripts" / name, *arguments], cwd="/", capture_output=True, text=True, check=False)


def test_the_scripts_are_all_there():
    assert {"bench", "bootstrap", "coverage", "docs", "fuzz", "gate", "report", "test", "tidy", "trace"} <= set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_help_has_the_same_form(name):
    shown = script(name, "--help")
    assert shown.returncode == 0 and shown.stderr == ""
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= 110
    usage, purpose = [paragraph.replace("\n", " ") for paragraph in shown.stdout.split("\n\n")[:2]]
    assert usage.startswith(f"usage: scripts/{name} ")
    assert purpose[0].isupper() and purpose.endswith(".") and ". " not in purpose
    options = lines[lines.index("options:") + 1 : lines.index("", lines.index("options:"))]
    assert options[0] == "  -h, --help                print this help and exit"
    for line in options:
        assert re.match(r"  (-h, )?--[a-z-]+( [^ ]+)*$| {28}\S|  (?=.{24}  \S)-\S", line), line
    closing = shown.stdout.split("\n\n")[-1]
    assert re.match(r"exit codes: 0 [a-z].*, 1 [a-z].*, 2 usage\b", closing.replace("\n", " ")) and closing.endswith(".\n")
    assert script(name, "-h").stdout == shown.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_option_that_is_not_there_is_named_in_one_line(name):
    shown = script(name, "--no-such-option")
    assert shown.returncode == 2 and shown.stdout == ""
    assert re.fullmatch(rf"{name}: .*--no-such-option.* \(see --help\)\n", shown.stderr)


@pytest.fixture(name="submission")
def fixture_submission(tmp_path):
    """A tree with .ci/run and stubs of all that it calls; a stub exits with the number in its own file."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "Makefile").write_text("test:\n\t@scripts/test\n")
    for name in ("bootstrap", "test", "bench", "fuzz", "gate"):
        stub = tmp_path / "scripts" / name
        stub.write_text(f'#!/bin/sh\necho {name} "$@"\nexit "$(cat "$0.status")"\n')
        stub.chmod(0o755)
        (tmp_path / "scripts" / f"{name}.status").write_text("0")
    test = tmp_path / "scripts" / "test"
    test.write_text(test.read_text().replace("exit", "echo '== closing lines'; echo '100% tests passed, 0 tests failed out of 7'\nexit"))
    return tmp_path


def submit(tree, **statuses):
    for name, status in statuses.items():
        (tree / "scripts" / f"{name}.status").write_text(str(status))
    return subprocess.run([tree / ".ci" / "run"], cwd="/", env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_a_good_submission_ends_on_the_tests_closing_lines(submission):
    run = submit(submission)
    assert run.returncode == 0, run.stderr
    assert run.stdout.rstrip().endswith("100% tests passed, 0 tests failed out of 7")
    called = run.stdout.splitlines()
    for command in ("bench --quick", "fuzz --seconds 30 --sanitized --chance 1"):
        assert command in called
    assert any(line.startswith("gate --base HEAD --quick --allocators ") for line in called)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ({"test": 1}, 2),  # make's own
        ({"bench": 1}, 1),
        ({"bench": 5}, 5),
        ({"bootstrap": 1}, 1),
        ({"fuzz": 3}, 3),
        ({"gate": 3}, 3),
        ({"gate": 5}, 5),
        ({"gate": 2}, 2),
        ({"gate": 1}, 1),
        ({"gate": 4}, 0),
        ({"fuzz": 4}, 4),
    ],
    ids=str,
)
def test_the_status_of_a_step_is_kept(submission, statuses, expected):
    run = submit(submission, **statuses)
    assert run.returncode == expected
    if expected:
        assert "100% tests passed" not in run.stdout.split("\n==== ")[-1]
