"""The examples of the documents are real: they compile without a warning and do what they say."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("HEAPYARD_BUILD", ROOT / "build" / "debug"))
DOCUMENTS = ("README.md", "allocators/README.md")
COMPILE = ["cc", "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]

# Runs an allocator's row as the registry would, over libc, until it refuses.
DRIVER = r"""
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <stdio.h>
extern const hy_row hy_shelf_row;
int main(void) {
    hy_allocator allocator;
    hy_config config = {.child = hy_libc(), .capacity = 100};
    void *instance = hy_shelf_row.make(&hy_shelf_row, &config, &allocator);
    char *one = hy_alloc(allocator, 60, HY_ALIGN_1), *two = hy_alloc(allocator, 32, HY_ALIGN_8);
    void *three = hy_alloc(allocator, 32, HY_ALIGN_1);
    printf("%d %d %d\n", one != NULL, two != NULL && two >= one + 60, three == NULL);
    hy_shelf_row.destroy(&hy_shelf_row, instance);
    return 0;
}
"""


def example(name):
    """The block of C that follows the marker, and nothing else of the documents."""
    text = "".join((ROOT / document).read_text(encoding="utf-8") for document in DOCUMENTS)
    found = re.findall(rf"<!-- example: {name} -->\n```c\n(.*?)```", text, re.DOTALL)
    assert len(found) == 1, f"there are {len(found)} examples called {name}"
    return found[0]


def compiled(folder, **sources):
    """A program of the sources and the library of this build."""
    for name, text in sources.items():
        (folder / f"{name}.c").write_text(text)
    paths = [str(folder / f"{name}.c") for name in sources]
    program = folder / "program"
    library = BUILD / "allocators" / "libheapyard.a"
    includes = [f"-I{ROOT / 'allocators' / folder}" for folder in ("include", "plugin/include")]
    subprocess.run([*COMPILE, *includes, *paths, str(library), "-pthread", "-ldl", "-o", str(program)], check=True)
    return program


def run(folder, **sources):
    """Compiles, runs the program, returns what it prints."""
    return subprocess.run([compiled(folder, **sources)], check=True, capture_output=True, text=True).stdout


def test_the_program_greets(tmp_path):
    assert run(tmp_path, program=example("a program")) == "hello, yard\n"


def test_the_leak_fails_its_program_and_is_told(tmp_path):
    ran = subprocess.run([compiled(tmp_path, program=example("a leak"))], check=False, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "leak: a block of 100 bytes" in ran.stderr and "#0" in ran.stderr


def test_the_allocator_serves_and_refuses(tmp_path):
    assert run(tmp_path, shelf=example("an allocator"), driver=DRIVER) == "1 1 1\n"


def test_the_allocator_is_as_short_as_promised():
    code = [line for line in example("an allocator").split("\n") if line.strip()]
    assert len(code) <= 40
