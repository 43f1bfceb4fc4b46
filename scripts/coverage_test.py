"""coverage on a tree of one file, half of which ran: the tables, the thresholds and the exit statuses."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent
SOURCE = """#include <heapyard/check.h>
int main(int count, char **words) {
    (void)words;
    HY_ASSERT(count > 0, "words");
    if (count > 1)
        return 3;
    return 0;
}
"""


@pytest.fixture(name="tree", scope="module")
def fixture_tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    shutil.copytree(SCRIPTS, root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    source = root / "allocators" / "one.c"
    (root / "allocators" / "heapyard").mkdir(parents=True)
    (root / "allocators" / "heapyard" / "check.h").write_text("#define HY_ASSERT(c, m) ((c) ? (void)0 : __builtin_abort())\n")
    source.write_text(SOURCE)
    shutil.copy(source, root / "allocators" / "one_test.c")
    build = root / "build" / "coverage"
    build.mkdir(parents=True)
    for name in ("one", "one_test"):
        subprocess.run(["cc", "--coverage", "-I../../allocators", f"../../allocators/{name}.c", "-o", name], cwd=build, check=True)
        subprocess.run([build / name], cwd=build, check=True)
    return root


def coverage(tree, *arguments):
    command = [tree / "scripts" / "coverage", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_half_of_the_branches_is_below_the_thresholds(tree):
    run = coverage(tree, "--only-report")
    assert run.returncode == 3, run.stderr
    assert "line coverage 80.00 % (4 of 5), BELOW 98 %" in run.stdout
    assert "branch coverage 50.00 % (1 of 2), BELOW 95 %" in run.stdout


def test_what_is_asked_for_is_enough(tree):
    run = coverage(tree, "--only-report", "--lines", "80", "--branches", "50")
    assert run.returncode == 0, run.stderr
    assert "reaches 80 %" in run.stdout and "reaches 50 %" in run.stdout
    assert coverage(tree, "--only-report", "--lines", "80", "--branches", "51").returncode == 3


def test_exclusions_are_told_and_tests_are_no_row(tree):
    told = coverage(tree, "--only-report").stdout
    assert "allocators/one.c" in told and "allocators/one_test.c" not in told
    assert "not counted: files .*_test\\.c  (" in told and "HY_ASSERT" in told


def test_pages_are_written_where_asked(tree, tmp_path):
    coverage(tree, "--only-report", "--html", tmp_path / "pages")
    assert "one.c" in (tmp_path / "pages" / "index.html").read_text()


def test_nothing_counted_is_no_success(tree, tmp_path):
    run = coverage(tree, "--only-report", "--build", tmp_path)
    assert run.returncode == 5 and "nothing was counted" in run.stderr


@pytest.mark.parametrize("arguments", [["--lines", "101"], ["--branches", "-1"], ["--lines", "many"], ["extra"], ["--hmtl", "x"]])
def test_wrong_arguments_are_told(tree, arguments):
    run = coverage(tree, *arguments)
    assert run.returncode == 2 and run.stderr.count("\n") == 1
