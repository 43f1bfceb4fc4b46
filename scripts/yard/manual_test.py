"""What the headers' plain comments become for Doxygen, and that nothing public can go without one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import common, manual

HEADER = """/* thing.h: a thing. */
#ifndef THING_H
#define THING_H

/* Makes one. */
HY_API int hy_make(void);
HY_API int hy_make_more(
    int more);

typedef struct hy_thing {
    int size; /* in bytes */
} hy_thing;

/* Whether it holds. */
HY_INLINE bool hy_holds(const hy_thing *thing) {
    /* It always does. */
    return thing != NULL;
}

HY_INLINE bool hy_holds_too(const hy_thing *thing) {
    return thing != NULL;
}

HY_INLINE void *hy_thing_alloc(void *self, size_t size, hy_align align) {
    return NULL;
}

static const hy_vtable hy_thing_vtable = {hy_thing_alloc};

HY_API int hy_alone(void);

#define HY_ONE 1 /* the least */
#define HY_TWO 2

#endif
"""


def before(line):
    """The line that the filter puts in front of this one."""
    lines = manual.documented(HEADER).split("\n")
    return lines[next(number for number, text in enumerate(lines) if text.startswith(line)) - 1]


def test_the_first_comment_is_the_files():
    assert manual.documented(HEADER).startswith("/** @file\n * a thing. */\n")


def test_a_comment_speaks_for_the_run_of_declarations_below_it():
    assert before("HY_API int hy_make(") == "/** Makes one. */"
    assert before("HY_API int hy_make_more(") == "/** Makes one. */"
    assert before("    int more") == "HY_API int hy_make_more("


def test_a_blank_line_ends_it_but_between_inline_functions():
    assert before("typedef struct hy_thing") == ""
    assert before("HY_INLINE bool hy_holds_too") == "/** Whether it holds. */"
    assert before("HY_API int hy_alone") == ""


def test_slots_and_vtables_keep_the_contract():
    assert "see hy_vtable" in before("HY_INLINE void *hy_thing_alloc")
    assert "see hy_vtable" in before("static const hy_vtable")


def test_comments_behind_declarations_are_theirs():
    text = manual.documented(HEADER)
    assert "int size; /**< in bytes */" in text
    assert "#define HY_ONE 1 /**< the least */" in text



@pytest.mark.skipif(not shutil.which("doxygen"), reason="not in this build: install doxygen")
def test_what_is_undocumented_is_named(tmp_path):
    (tmp_path / "thing.h").write_text(HEADER)
    command = [common.ROOT / "scripts" / "docs", "--check-manual", "--headers", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == common.Exit.CONFIRMED
    for name in ("Member hy_alone", "Member HY_TWO", "Compound hy_thing"):
        assert name in done.stdout
    assert len(done.stdout.splitlines()) == 3
