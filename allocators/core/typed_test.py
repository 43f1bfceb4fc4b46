"""What the compiler must refuse: bytes for an alignment, a copy from another type, a result that nobody takes."""

import subprocess
from pathlib import Path

import pytest

INCLUDE = Path(__file__).resolve().parent.parent / "include"
COMPILE = {
    "c": ["cc", "-std=c17", "-xc"],
    "c++": ["c++", "-std=c++17", "-xc++"],
}
PROGRAM = """
#include <heapyard/libc.h>
#include <heapyard/pool.h>
#include <heapyard/typed.h>
typedef struct left {{ int x; }} left;
typedef struct right {{ int x; }} right;
typedef hy_typed_pool(left) left_pool;
int main(void) {{
    const left source = {{1}};
    right other = {{2}};
    static left_pool pool;
    void *p = NULL;
    (void)source, (void)other, (void)pool;
    {statement}
    return p != NULL;
}}
"""


def compiles(language, statement):
    command = [*COMPILE[language], "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-c", "-o/dev/null", f"-I{INCLUDE}", "-"]
    ran = subprocess.run(command, input=PROGRAM.format(statement=statement), capture_output=True, text=True, check=False)
    return ran.returncode == 0


@pytest.mark.parametrize("language", COMPILE)
@pytest.mark.parametrize(
    "statement",
    [
        "p = hy_alloc(hy_libc(), 8, HY_ALIGN_16);",
        "p = hy_dupe(hy_libc(), left, &source, 1);",
        "p = hy_dupe(hy_libc(), left, NULL, 0);",
        "left *l = hy_typed_pool_create(&pool); hy_typed_pool_destroy(&pool, l);",
    ],
)
def test_what_is_right_compiles(language, statement):
    assert compiles(language, statement)


@pytest.mark.parametrize("language", COMPILE)
@pytest.mark.parametrize(
    "statement",
    [
        "p = hy_alloc(hy_libc(), 8, 16);",
        "p = hy_dupe(hy_libc(), left, &other, 1);",
        "hy_alloc(hy_libc(), 8, HY_ALIGN_16);",
        "p = hy_create(hy_libc(), left); left *l = hy_create(hy_libc(), right); p = l;",
        "hy_typed_pool_destroy(&pool, &other);",
    ],
)
def test_what_is_wrong_does_not(language, statement):
    assert not compiles(language, statement)
