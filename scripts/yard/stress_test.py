"""stress_test.py: real threads of a hunt: what is found is told and kept, and what can't start is no "nothing found"."""

import argparse
import subprocess

import pytest

from yard import common, fuzzing, stress

PROGRAM = """#!/bin/sh
[ "$1" = --list ] && { echo "good racy"; exit 0; }
[ "$1" = --row=good ] && { echo "rows 1, operations 400"; exit 0; }
echo "WARNING: ThreadSanitizer: data race" >&2
echo "SUMMARY: ThreadSanitizer: data race allocators/x.c:7 in f" >&2
exit 66
"""


@pytest.fixture(name="program")
def fixture_program(tmp_path, monkeypatch):
    path = tmp_path / "heapyard-threads"
    path.write_text(PROGRAM)
    path.chmod(0o755)
    monkeypatch.setattr(stress, "program", lambda: path)
    monkeypatch.setattr(fuzzing, "OUT", tmp_path / "out")
    return path


def given(**changed):
    return argparse.Namespace(**({"properties": None, "plugin": None, "preload": [], "fuzzer": None} | changed))


def test_a_race_is_told_and_its_report_kept(program, capsys):
    assert stress.run(None, 1) == common.Exit.CONFIRMED
    said = capsys.readouterr().out
    assert "FOUND by threads racy: ThreadSanitizer: data race allocators/x.c:7 in f" in said
    assert "threads, 2 rows" in said and "400 operations" in said and "1 findings" in said
    (report,) = (fuzzing.OUT / "findings").rglob("report.txt")
    assert "--row=racy" in report.read_text() and "WARNING: ThreadSanitizer" in report.read_text()


def test_the_filter_of_rows_leaves_the_others_out(program, capsys):
    assert stress.run("good", 1) == common.Exit.GOOD
    assert "nothing found" in capsys.readouterr().out
    assert stress.run("arena", 1) == common.Exit.GOOD
    assert capsys.readouterr().out == ""


def test_a_program_that_cannot_start_is_an_error(program):
    program.write_text("#!/bin/sh\nexit 127\n")
    with pytest.raises(common.Failure, match="can't start") as caught:
        stress.run(None, 1)
    assert caught.value.code == common.Exit.NOTHING_MEASURED


def test_threads_are_hunted_unless_other_properties_are_named():
    assert stress.split(given()) == (None, True)
    assert stress.split(given(properties="conform")) == ("conform", False)
    assert stress.split(given(properties="conform,threads")) == ("conform", True)
    assert stress.split(given(properties="threads")) == ("", True)
    assert stress.split(given(plugin="a=b")) == (None, False)
    with pytest.raises(common.Failure, match="compiled with it"):
        stress.split(given(properties="threads", plugin="a=b"))


def test_a_filter_that_leaves_no_row_is_an_error_where_nothing_else_is_hunted(program):
    with pytest.raises(common.Failure, match="no row for threads is one of arean") as caught:
        stress.run("arean", 1, alone=True)
    assert caught.value.code == common.Exit.NOTHING_MEASURED


def test_what_is_for_fuzzers_takes_no_threads():
    for option in ("--speed", "--overnight"):
        done = subprocess.run([common.ROOT / "scripts" / "fuzz", option, "--properties", "threads"], capture_output=True, text=True)
        assert done.returncode == common.Exit.USAGE and "no property of the fuzzers" in done.stderr


def test_rows_of_what_was_changed_come_first_and_have_half_of_the_time(monkeypatch):
    monkeypatch.setattr(stress.changes, "files", lambda: (["allocators/strategies/smp_stats.c"], "since the last commit"))
    rows = ["arena_shared", "smp", "smp_heap", "thread_safe", "counting_shared"]
    first = stress._changed(rows)
    assert sorted(first) == ["smp", "smp_heap"]
    seconds = stress.shares(rows, 12, first)
    assert list(seconds)[:2] == first and seconds["smp"] == 3 and seconds["arena_shared"] == 2
    assert stress.shares(["smp"], 4, ["smp"]) == {"smp": 4}
    assert stress.shares(rows, 10, []) == dict.fromkeys(rows, 2)
