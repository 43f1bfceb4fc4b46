"""Each rule finds what is planted for it in a small tree, and nothing in the tree as it was."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import tidy  # noqa: E402

CLEAN = {
    "README.md": "# a yard\n",
    "allocators/include/heapyard/heapyard.h": "/* heapyard.h: everything. */\n#include <heapyard/arena.h>\n",
    "allocators/include/heapyard/arena.h": "/* heapyard/arena.h: an arena. */\n#include <heapyard/page.h>\n",
    "allocators/include/heapyard/page.h": "/* heapyard/page.h: pages. */\n",
    "allocators/strategies/arena.c": "/* arena.c: an arena. */\n#include <heapyard/page.h>\n",
    "allocators/strategies/arena_row.c": "/* arena_row.c: a row. */\n#include <heapyard/plugin.h>\nconst hy_row hy_arena_row = {0};\n",
    "allocators/strategies/arena_test.c": "/* arena_test.c: tests. */\n#include \"allocators/registry.h\"\n",
    "allocators/sources/page.c": "/* page.c: pages. */\n",
    "allocators/sources/page_row.c": "/* page_row.c: a row. */\nconst hy_row hy_page_row = {0};\n",
    "allocators/strategies/floor_row.c": "/* floor_row.c: nothing but a row. */\nconst hy_row hy_floor_row = {0};\n",
    "allocators/plugin/include/heapyard/plugin.h": "/* heapyard/plugin.h: rows. */\n#include <heapyard/page.h>\n",
    "allocators/core/bits.c": "/* bits.c: bits. */\n#include \"bits.h\"\n",
    "allocators/core/bits.h": "/* bits.h: bits. */\n",
    "allocators/registry.h": "/* registry.h: table 1. */\n",
    "allocators/registry.c": "/* registry.c: table 1. */\n#include \"allocators/rows.def\"\n",
    "allocators/rows.def": "/* rows.def: rows. */\nHY_ROW(floor)\nHY_ROW(page)\nHY_ROW(arena)\n",
    "bench/workloads.def": "/* workloads.def: table 2. */\nHY_WORKLOAD(pair)\n",
    "bench/meters.def": "/* meters.def: the meters. */\nHY_METER(list)\n",
    "bench/meters/list.c": "/* list.c: a list. */\n#include \"allocators/registry.h\"\nconst hy_meter hy_list_meter = {0};\n",
    "bench/workloads/pair.c": "/* pair.c: a pair. */\n#include \"allocators/registry.h\"\nconst hy_workload hy_pair_workload = {0};\n",
    "scripts/run": "#!/bin/sh\nset -eu\necho hello\n",
}


def tree_of(folder, changes=None):
    """The clean tree with some files replaced, added, or (None) removed."""
    for path, text in {**CLEAN, **(changes or {})}.items():
        if text is None:
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tidy.Tree(folder)


def c_function(lines):
    body = "".join(f"    count += {i};\n" for i in range(lines - 2))
    return "/* bits.c: bits. */\nstatic int sum(int count,\n    int other) {\n" + body.replace("    count += 0;\n", "", 1) + "}\n"


def test_the_clean_tree_has_nothing_to_mend(tmp_path):
    assert tidy.findings(tree_of(tmp_path)) == []


def test_a_public_header_is_not_the_systems_of_its_name(tmp_path):
    changes = {
        "allocators/include/heapyard/heapyard.h": "/* heapyard.h: everything. */\n#include <heapyard/arena.h>\n#include <heapyard/string.h>\n",
        "allocators/include/heapyard/string.h": "/* heapyard/string.h: strings. */\n",
        "allocators/scope/string.c": "/* string.c: strings. */\n#include <heapyard/string.h>\n",
        "allocators/include/heapyard/page.h": "/* heapyard/page.h: pages. */\n#include <string.h>\n",
    }
    assert tidy.findings(tree_of(tmp_path, changes)) == []
    changes["allocators/include/heapyard/page.h"] = "/* heapyard/page.h: pages. */\n#include \"string.h\"\n"
    assert [found.line for found in tidy.findings(tree_of(tmp_path, changes))] == [2]


PLANTED = {
    "top level": ({"notes.txt": "hello\n"}, "notes.txt", 1, "top level"),
    "large file": ({"reports/big.json": "x" * (1 << 20) + "y\n"}, "reports/big.json", 1, "1 MiB"),
    "core includes a strategy": (
        {"allocators/core/bits.c": "/* bits.c: bits. */\n#include <heapyard/arena.h>\n"},
        "allocators/core/bits.c", 2, "layer above",
    ),
    "the library includes the registry": (
        {"allocators/sources/page.c": "/* page.c: p. */\n#include \"allocators/registry.h\"\n"},
        "allocators/sources/page.c", 2, "layer above",
    ),
    "the library includes a bench, relatively": (
        {
            "allocators/sources/page.c": "/* page.c: p. */\n#include \"../../bench/workloads.h\"\n",
            "bench/workloads.h": "/* workloads.h: table 2. */\n",
        },
        "allocators/sources/page.c", 2, "layer above",
    ),
    "a public header includes a higher one": (
        {"allocators/include/heapyard/page.h": "/* page.h: pages. */\n#include <heapyard/arena.h>\n"},
        "allocators/include/heapyard/page.h", 2, "layer above",
    ),
    "an allocator includes a header of rows": (
        {
            "allocators/strategies/region_row.h": "/* region_row.h: regions. */\n",
            "allocators/strategies/region_row.c": "/* region_row.c: regions. */\n#include \"region_row.h\"\n",
            "allocators/strategies/region.h": "/* region.h: regions. */\n#include \"region_row.h\"\n",
        },
        "allocators/strategies/region.h", 2, "layer above",
    ),
    "a row includes the bench": (
        {
            "allocators/strategies/region_row.h": "/* region_row.h: regions. */\n#include \"bench/workloads.h\"\n",
            "bench/workloads.h": "/* workloads.h: table 2. */\n",
        },
        "allocators/strategies/region_row.h", 2, "layer above",
    ),
    "fuzz includes bench, in a test": (
        {
            "fuzz/model.c": "/* model.c: m. */\n",
            "fuzz/model_test.c": "/* model_test.c: m. */\n#include \"bench/workloads.h\"\n",
            "bench/workloads.h": "/* workloads.h: table 2. */\n",
        },
        "fuzz/model_test.c", 2, "layer above",
    ),
    "the library includes the row's header": (
        {"allocators/sources/page.c": "/* page.c: p. */\n#include <heapyard/plugin.h>\n"},
        "allocators/sources/page.c", 2, "layer above",
    ),
    "allocator without a row": (
        {"allocators/rows.def": "/* rows.def: rows. */\nHY_ROW(floor)\nHY_ROW(arena)\n"},
        "allocators/sources/page_row.c", 1, "page is in no row",
    ),
    "a row in the library": (
        {"allocators/sources/page.c": "/* page.c: p. */\nconst hy_row hy_page_row = {0};\n"},
        "allocators/sources/page.c", 1, "page_row.c",
    ),
    "a strategy that is none": (
        {"allocators/strategies/stray.c": "/* stray.c: nothing. */\n"}, "allocators/strategies/stray.c", 1, "no allocator here",
    ),
    "meter without a row": (
        {"bench/meters/memory.c": "/* memory.c: m. */\nconst hy_meter hy_memory_meter = {0};\n"},
        "bench/meters/memory.c", 1, "memory is in no row",
    ),
    "workload without a row": (
        {"bench/workloads/bulk.c": "/* bulk.c: b. */\nconst hy_workload hy_bulk_workload = {0};\n"},
        "bench/workloads/bulk.c", 1, "bulk is in no row",
    ),
    "oracle without a row": (
        {"fuzz/oracles.def": "/* oracles.def: o. */\n", "fuzz/oracles/waste.c": "/* waste.c: w. */\nconst hy_oracle hy_waste_oracle = {0};\n"},
        "fuzz/oracles/waste.c", 1, "waste is in no row",
    ),
    "header outside the umbrella": (
        {"allocators/include/heapyard/pool.h": "/* pool.h: a pool. */\n"}, "allocators/include/heapyard/pool.h", 1, "heapyard.h does not",
    ),
    "test without a subject": ({"scripts/yard/ghost_test.py": "import sys\n"}, "scripts/yard/ghost_test.py", 1, "called ghost"),
    "long function in C": ({"allocators/core/bits.c": c_function(71)}, "allocators/core/bits.c", 2, "sum has 71 lines"),
    "long function in Python": (
        {"scripts/yard/long.py": "def long():\n" + "    pass\n" * 70}, "scripts/yard/long.py", 1, "long has 71 lines",
    ),
    "long function in a shell script": (
        {"scripts/run": "#!/bin/sh\nset -eu\nall() {\n" + "    :\n" * 69 + "}\n"}, "scripts/run", 3, "all has 71 lines",
    ),
    "a note to oneself": ({"allocators/core/bits.h": "/* bits.h: bits. */\n/* TODO */\n"}, "allocators/core/bits.h", 2, "TODO"),
    "a failure swallowed": ({"scripts/run": "#!/bin/sh\nset -eu\nfalse || true\n"}, "scripts/run", 3, "swallowed"),
    "a path of one machine": ({"README.md": "# a yard\nsee /home/someone/yard\n"}, "README.md", 2, "one machine"),
    "blanks at the end": ({"scripts/run": "#!/bin/sh\nset -eu \necho hello\n"}, "scripts/run", 2, "blanks"),
    "carriage return": ({"README.md": "# a yard\r\n"}, "README.md", 1, "blanks"),
    "a link that leads nowhere": (
        {"README.md": "# a yard\n[here](scripts/run#part) ![not here](reports/none.png) [there](https://example.org/x)\n"},
        "README.md", 2, "reports/none.png leads nowhere",
    ),
    "a README of two screens": ({"README.md": "# a yard\n" * 101}, "README.md", 101, "101 lines, more than 100"),
    "no newline at the end": ({"README.md": "# a yard"}, "README.md", 1, "newline"),
    "no opening": ({"allocators/core/bits.c": "#include \"bits.h\"\n"}, "allocators/core/bits.c", 1, "open with its name"),
    "a script that goes on": ({"scripts/run": "#!/bin/sh\necho hello\n"}, "scripts/run", 1, "goes on"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(tmp_path, name):
    changes, path, line, words = PLANTED[name]
    found = tidy.findings(tree_of(tmp_path, changes))
    assert [(finding.path, finding.line) for finding in found] == [(path, line)]
    assert words in str(found[0]) and str(found[0]).startswith(f"{path}:{line}: ")


def test_a_function_of_the_greatest_length_passes(tmp_path):
    tree = tree_of(tmp_path, {"allocators/core/bits.c": c_function(70)})
    assert tidy.findings(tree) == []
    assert [length for _, name, _, length in tidy.functions(tree) if name == "sum"] == [70]


def test_lines_between_functions_count_for_neither(tmp_path):
    text = "/* bits.c: bits. */\nstatic const int a[] = {\n    1,\n};\nint f(void) {\n    return 1;\n}\nint b = (1);\nint g(void) {\n    return 2;\n}\n"
    tree = tree_of(tmp_path, {"allocators/core/bits.c": text})
    assert [found[1:] for found in tidy.functions(tree) if found[0].endswith("bits.c")] == [("f", 5, 3), ("g", 9, 3)]


@pytest.mark.skipif(not tidy.shutil.which("clang-format-14"), reason="clang-format-14 is not installed")
def test_form_is_checked(tmp_path):
    tree = tree_of(tmp_path, {"allocators/core/bits.c": "/* bits.c: bits. */\nint   x;\n"})
    assert [(finding.path, finding.line) for finding in tidy.form(tree)] == [("allocators/core/bits.c", 2)]


def test_the_script_says_what_to_mend_and_exits_3(tmp_path):
    tree_of(tmp_path, {"scripts/run": "#!/bin/sh\necho hello\n"})
    script = Path(__file__).resolve().parent.parent / "tidy"
    run = subprocess.run([script, "--root", tmp_path], capture_output=True, text=True, check=False)
    assert run.returncode == 3
    assert "scripts/run:1: the script goes on after a failure; set -euo pipefail" in run.stdout
    assert subprocess.run([script, "--root", tmp_path / "nowhere"], capture_output=True, check=False).returncode == 2
