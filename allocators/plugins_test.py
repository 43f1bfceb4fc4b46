"""Plugins side by side in one process, and everything that is no plugin."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("HEAPYARD_BUILD", ROOT / "build" / "release"))
BENCH = BUILD / "bench" / "heapyard-bench"
PLUGIN = BUILD / "allocators" / "libheapyard-plugin.so"

OTHER_PLUGIN = """
#include <heapyard/plugin.h>

#ifndef NAME
#define NAME "stranger"
#endif
#ifndef CHILD
#define CHILD 0
#endif
#ifndef TRAIT
#define TRAIT HY_TRAIT_REAL_FREE
#endif
#ifndef MAKE
#define MAKE make
#endif
#ifndef DESTROY
#define DESTROY destroy
#endif
#ifndef MISSING
#define MISSING 0
#endif
#ifndef GROUP
#define GROUP HY_GROUP_STRATEGY
#endif
#ifndef SUMMARY
#define SUMMARY "refuses to begin"
#endif
#ifndef ROW
#define ROW &row
#endif
#ifndef ROWS
#define ROWS rows
#endif
#ifndef ROW_SIZE
#define ROW_SIZE sizeof(hy_row)
#endif
#ifndef PLUGIN
#define PLUGIN &plugin
#endif

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config, (void)out;
    return 0;
}
static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}
static const hy_row row = {
    .name = NAME, .group = GROUP, .summary = SUMMARY, .missing = MISSING, .default_child = CHILD, .traits = HY_TRAIT_FREE_ANY | TRAIT,
    .greatest_align = {12}, .make = MAKE, .destroy = DESTROY};
static const hy_row *const rows[] = {ROW, &row};
static const hy_plugin plugin = {.abi = HY_PLUGIN_ABI + LATER, .name = "other", .row_count = COUNT, .rows = ROWS, .row_size = ROW_SIZE};
const hy_plugin *heapyard_plugin(void) {
    return PLUGIN;
}
"""


def bench(*arguments):
    words = [str(argument) for argument in (BENCH, *arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def records(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def copies(tmp_path):
    for label in ("base", "head"):
        shutil.copy(PLUGIN, tmp_path / f"{label}.so")
    return [f"--plugin={label}={tmp_path / label}.so" for label in ("base", "head")]


def compile_plugin(flater, *macros, later=0, count=1):
    source, library = flater / "other.c", flater / "other.so"
    source.write_text(OTHER_PLUGIN)
    includes = [f"-I{ROOT / 'allocators' / flater}" for flater in ("include", "plugin/include")]
    flags = [f"-DLATER={later}", f"-DCOUNT={count}", *includes, "-std=gnu17", "-fPIC", "-shared"]
    flags += [f"-D{macro}" for macro in macros]
    subprocess.run(["cc", *flags, source, "-o", library], check=True)
    return library


def test_two_copies_stand_side_by_side(copies):
    cells = records(bench("pairs", "--list", *copies))
    assert cells and all(cell["base"] and cell["head"] for cell in cells)
    assert [cell["number"] for cell in cells] == list(range(len(cells)))


def test_each_side_runs_its_own_file(copies, tmp_path):
    cells = records(bench("pairs", "--list", *copies))
    number = next(cell["number"] for cell in cells if cell["row"] == "counting")
    (record,) = records(bench("pairs", *copies, "--only", number, "--microseconds", 100))
    assert record["number"] == number
    for label in ("base", "head"):
        row = record["rows"][label]
        assert row["file"] == str(tmp_path / f"{label}.so")
        assert row["ns_per_op"] and min(row["ns_per_op"]) > 0
    assert record["rows"]["base"]["operations"] == record["rows"]["head"]["operations"]
    assert record["rows"]["base"]["checksum"] == record["rows"]["head"]["checksum"]
    rounds = [record["order"][at : at + 4] for at in range(0, len(record["order"]), 4)]
    assert len(rounds) == len(record["rows"]["base"]["ns_per_op"])
    assert set(rounds) <= {"abba", "baab"}


def test_rows_of_a_strangers_plugin_are_called_by_its_label(copies, tmp_path):
    other = compile_plugin(tmp_path)
    listed = records(bench("exact", "--list", f"--plugin=other={other}"))
    assert {cell["row"] for cell in listed} == {"stranger@other"}


def test_a_row_that_refuses_to_begin_is_told(tmp_path):
    done = bench("exact", f"--plugin=other={compile_plugin(tmp_path)}")
    assert done.returncode == 1
    assert all(json.loads(line)["kind"] == "failed" for line in done.stdout.splitlines())


def test_one_file_twice_is_refused(copies):
    path = copies[0].split("=")[2]
    done = bench("pairs", "--list", copies[0], f"--plugin=head={path}")
    assert done.returncode == 2
    assert "copy the file" in done.stderr


def test_a_link_to_a_loaded_file_is_refused(copies, tmp_path):
    (tmp_path / "link.so").symlink_to(copies[0].split("=")[2])
    done = bench("pairs", "--list", copies[0], f"--plugin=head={tmp_path / 'link.so'}")
    assert done.returncode == 2
    assert "loaded already as 'base'" in done.stderr


@pytest.mark.parametrize(
    "argument, complaint",
    [
        ("no-equals", "label=path"),
        ("label=", "label=path"),
        ("=path", "[a-z0-9_]"),
        ("Label=path", "[a-z0-9_]"),
        ("a@b=path", "[a-z0-9_]"),
        ("x=/no/such/file.so", "/no/such/file.so"),
        (f"x={__file__}", "plugins_test.py"),
        ("x=libm.so.6", "exports no heapyard_plugin"),
    ],
)
def test_what_is_no_plugin_is_a_usage_error(argument, complaint):
    done = bench("exact", "--plugin", argument)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_label_in_use_is_a_usage_error(copies):
    done = bench("pairs", copies[0], copies[1].replace("head=", "base="))
    assert done.returncode == 2
    assert "in use already" in done.stderr


def test_another_abi_is_told_apart(tmp_path):
    done = bench("exact", f"--plugin=new={compile_plugin(tmp_path, later=40)}")
    assert done.returncode == 2
    assert "ABI 42, this build speaks 1 to 2" in done.stderr
    done = bench("exact", f"--plugin=old={compile_plugin(tmp_path, later=-2)}")
    assert done.returncode == 2
    assert "ABI 0, this build speaks 1 to 2" in done.stderr


def test_the_first_abi_is_spoken(tmp_path):
    listed = records(bench("exact", "--list", f"--plugin=old={compile_plugin(tmp_path, 'ROW_SIZE=0', later=-1)}"))
    assert {cell["row"] for cell in listed} == {"stranger@old"}


def test_a_plugin_without_rows_is_refused(tmp_path):
    done = bench("exact", f"--plugin=none={compile_plugin(tmp_path, count=0)}")
    assert done.returncode == 2
    assert "no rows" in done.stderr


@pytest.mark.parametrize(
    "macro, count, complaint",
    [
        ("NAME=\"Not a name\"", 1, "must be of [a-z0-9_]"),
        ("NAME=0", 1, "its row 1 has no name"),
        ("NAME=\"twice\"", 2, "two rows called 'twice'"),
        ("CHILD=\"lbic\"", 1, "no row 'lbic' to be its default child"),
        ("NAME=\"\"", 1, "its row 1 has no name"),
        ("ROW=0", 1, "its row 1 has no name"),
        ("ROWS=0", 1, "its row 1 has no name"),
        ("GROUP=HY_GROUP_COUNT", 1, "its group is none of hy_group"),
        ("SUMMARY=0", 1, "it has no summary"),
        ("MAKE=0", 1, "no make"),
        ("DESTROY=0", 1, "no destroy"),
        ("PLUGIN=0", 1, "heapyard_plugin() returned NULL"),
        ("ROW_SIZE=0", 1, "its row_size is 0: must be its sizeof(hy_row)"),
        ("ROW_SIZE=SIZE_MAX", 1, "must be its sizeof(hy_row)"),
        ("TRAIT=HY_TRAIT_BULK_RESET", 1, "promise a reset"),
        ("TRAIT=HY_TRAIT_FIXED_CAPACITY", 1, "no default_capacity"),
        ("TRAIT=HY_TRAIT_FIXED_BLOCK", 1, "no default_block_size"),
    ],
)
def test_rows_that_say_nonsense_are_refused(tmp_path, macro, count, complaint):
    done = bench("exact", f"--plugin=other={compile_plugin(tmp_path, macro, count=count)}")
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_row_needs_no_functions(tmp_path):
    other = compile_plugin(tmp_path, "MISSING=\"another machine\"", "MAKE=0", "DESTROY=0")
    done = bench("exact", "--list", f"--plugin=other={other}")
    assert done.returncode == 0, done.stderr


def test_there_is_an_end_of_plugins(tmp_path):
    other = compile_plugin(tmp_path)
    words = []
    for number in range(17):
        words.append(f"--plugin=p{number}={shutil.copy(other, tmp_path / f'p{number}.so')}")
    assert bench("exact", "--list", *words[:16]).returncode == 0
    done = bench("exact", "--list", *words)
    assert done.returncode == 2 and "more than 16 plugins: load fewer" in done.stderr


def test_pairs_want_two_plugins(copies):
    done = bench("pairs", copies[0])
    assert done.returncode == 2
    assert "two plugins" in done.stderr
