"""What was changed is told from git, and the cells that it concerns from the mutants and from names."""

import subprocess

import pytest

from yard import changes, common, fuzzing

CELLS = [
    fuzzing.Cell(prop, row, None)
    for prop, row in (
        ("conform", "arena"), ("conform", "pool"), ("misuse", "pool"), ("conform", "arena_over_pool"), ("conform", "smp"),
        ("conform", "smp_heap"), ("conform", "libc"), ("conform", "page"), ("posix", "-"), ("trace_file", "-"), ("handles", "-"),
    )
]  # fmt: skip


ENTRY = """[[mutant]]
id = 'a'
file = 'allocators/core/lock.c'
find = 'x'
replace = 'y'
class = 'threads'
models = 'mechanical'
rows = ['smp', 'posix']
oracle = 'race'
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "fuzz" / "mutants").mkdir(parents=True)
    (tmp_path / "fuzz" / "mutants" / "x.toml").write_text(ENTRY)
    (tmp_path / "allocators").mkdir()
    git(tmp_path, "init", "-q")
    commit(tmp_path, "allocators/pool.c", "allocators/pool_test.c", "README.md")
    return tmp_path


def git(root, *words):
    subprocess.run(["git", "-C", root, "-c", "user.name=n", "-c", "user.email=e", *words], check=True, capture_output=True)


def change(root, *names):
    for name in names:
        with (root / name).open("a") as out:
            out.write("more\n")


def commit(root, *names):
    change(root, *names)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")


def test_what_is_not_committed_comes_first_then_the_last_commit(root):
    assert changes.files(root) == ([], "by the last commit")  # there is none before it
    commit(root, "allocators/pool.c", "README.md", "allocators/pool_test.c")
    assert changes.files(root) == (["allocators/pool.c"], "by the last commit")
    change(root, "README.md")
    assert changes.files(root)[0] == ["allocators/pool.c"]
    change(root, "allocators/new.h")
    assert changes.files(root) == (["allocators/new.h"], "since the last commit")


def test_no_checkout_says_nothing(root, tmp_path):
    assert changes.files(root / "allocators") == ([], "")
    assert changes.files(common.Path("/")) == ([], "")


@pytest.mark.parametrize(
    "changed, found",
    [
        ("allocators/strategies/pool.c", {"conform pool", "misuse pool", "conform arena_over_pool"}),
        ("allocators/strategies/pool_row.c", {"conform pool", "misuse pool", "conform arena_over_pool"}),
        ("allocators/strategies/smp_pages.c", {"conform smp", "conform smp_heap", "posix"}),
        ("allocators/scope/handle.c", {"handles"}),
        ("allocators/history/trace_file.c", {"trace_file"}),
        ("allocators/core/unknown.c", set()),
    ],
)
def test_a_file_concerns_the_rows_of_its_name(root, changed, found):
    assert set(changes.concerned(CELLS, [changed], root)) == found


def test_the_table_of_mutants_knows_better_than_a_name(root):
    assert set(changes.concerned(CELLS, ["allocators/core/lock.c"], root)) == {"conform smp", "posix"}


def test_a_file_that_is_called_as_no_row_concerns_those_that_include_it(root):
    (root / "allocators" / "pool.c").write_text('#include "allocators/core/os.h"\n')
    (root / "allocators" / "page.c").write_text("#include <heapyard/os.h>\n")
    (root / "allocators" / "arena.c").write_text("#include <heapyard/macos.h>\n")
    assert set(changes.concerned(CELLS, ["allocators/core/os.h"], root)) == {
        "conform pool", "misuse pool", "conform arena_over_pool", "conform page",
    }  # fmt: skip


def test_what_concerns_most_leaves_no_choice(root):
    assert changes.concerned(CELLS, ["allocators/strategies/pool.c", "allocators/strategies/smp.c", "allocators/strategies/arena.c"], root) == []
