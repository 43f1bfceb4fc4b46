"""handle_test.py: without any check in the build, a stale handle is told all the same."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("HEAPYARD_BUILD", HERE.parent.parent / "build" / "debug"))

PROGRAM = r"""
#include <heapyard/handle.h>
#include <heapyard/libc.h>
#include <stdio.h>

int main(void) {
    hy_handles things;
    hy_handles_init(&things, hy_libc(), hy_libc(), sizeof(int), hy_align_of(int));
    hy_handle first, second;
    int *object = hy_handles_create(&things, &first);
    printf("%d", hy_handles_get(&things, first) == object);
    printf("%d", hy_handles_destroy(&things, first));
    printf("%d", hy_handles_get(&things, first) == NULL);
    printf("%d", !hy_handles_destroy(&things, first));
    object = hy_handles_create(&things, &second);
    printf("%d", first.index == second.index && hy_handles_get(&things, first) == NULL);
    printf("%d", hy_handles_get(&things, second) == object);
    printf("%d", hy_handles_get(&things, (hy_handle){12345, 1}) == NULL);
    hy_handles_deinit(&things);
    return 0;
}
"""


def test_a_stale_handle_is_told_in_release(tmp_path):
    source, program = tmp_path / "stale.c", tmp_path / "stale"
    source.write_text(PROGRAM)
    flags = ["-std=c17", "-O2", "-DNDEBUG", "-DHY_CHECK=0", "-Wall", "-Wextra", "-Werror", f"-I{HERE.parent / 'include'}"]
    sources = [source, HERE / "handle.c", BUILD / "allocators" / "libheapyard.a"]
    subprocess.run(["cc", *flags, *sources, "-pthread", "-ldl", "-o", program], check=True)
    assert subprocess.run([program], check=True, capture_output=True, text=True).stdout == "1111111"
