"""Files with the name of a peer's library: not a library, one without the symbols, and one that misaligns."""

import os
import subprocess

import commands_test as commands
import pytest
import trace_test as trace

SONAMES = {"jemalloc": "libjemalloc.so.2", "mimalloc": "libmimalloc.so.2", "tcmalloc_gperf": "libtcmalloc_minimal.so.4"}

# All symbols that any of the three peers needs. Every other aligned request is misaligned by eight bytes.
STRANGE = """
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
void *__libc_malloc(size_t);
static unsigned requests;
static void *fresh(size_t align, size_t size) {
    uintptr_t at = (uintptr_t)__libc_malloc(size + 4 * align + 64);
    if (!at) return 0;
    at = (at + 32 + 2 * align) / (2 * align) * (2 * align);
    ((size_t *)at)[-2] = size;
    if (align > 16 && requests++ % 2 == 0) {
        ((size_t *)(at + 8))[-2] = size;
        return (void *)(at + 8);
    }
    return (void *)at;
}
void *malloc(size_t size) { return fresh(16, size); }
void free(void *block) { (void)block; }
size_t malloc_usable_size(void *block) { return ((size_t *)block)[-2]; }
void *realloc(void *old, size_t size) {
    unsigned char *to = malloc(size), *from = old;
    size_t keep = malloc_usable_size(old) < size ? malloc_usable_size(old) : size;
    for (size_t i = 0; to && i < keep; i++) to[i] = from[i];
    return to;
}
int posix_memalign(void **out, size_t align, size_t size) { return (*out = fresh(align, size)) ? 0 : ENOMEM; }
void *mallocx(size_t size, int flags) { return flags ? fresh((size_t)1 << flags, size) : malloc(size); }
void *rallocx(void *old, size_t size, int flags) { (void)flags; return realloc(old, size); }
size_t xallocx(void *block, size_t size, size_t extra, int flags) { (void)size, (void)extra, (void)flags; return malloc_usable_size(block); }
size_t nallocx(size_t size, int flags) { (void)flags; return size; }
void sdallocx(void *block, size_t size, int flags) { (void)block, (void)size, (void)flags; }
int mallctl(const char *n, void *o, size_t *s, void *v, size_t c) { (void)n, (void)o, (void)s, (void)v, (void)c; return ENOENT; }
void *mi_malloc_aligned(size_t size, size_t align) { return fresh(align, size); }
void *mi_expand(void *block, size_t size) { return size <= malloc_usable_size(block) ? block : 0; }
void mi_free_size(void *block, size_t size) { (void)block, (void)size; }
void mi_free_size_aligned(void *block, size_t size, size_t align) { (void)block, (void)size, (void)align; }
int mi_version(void) { return 999; }
void *tc_new_aligned_nothrow(size_t size, size_t align, const void *tag) { (void)tag, (void)align; return fresh(16, size); }
void tc_free_sized(void *block, size_t size) { (void)block, (void)size; }
void tc_delete_sized_aligned(void *block, size_t size, size_t align) { (void)block, (void)size, (void)align; }
const char *tc_version(int *major, int *minor, const char **patch) { *major = 9; *minor = 9; *patch = 0; return "9.9"; }
"""


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strange")
    (folder / "strange.c").write_text(STRANGE)
    for soname in SONAMES.values():
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-fno-builtin", "-o", folder / soname, folder / "strange.c"], check=True)
    return folder


def replay(path, peer, folder):
    return trace.call(trace.TRACE, "replay", path, "--allocator", peer, env={**os.environ, "LD_LIBRARY_PATH": str(folder)})


@pytest.mark.parametrize("peer", SONAMES)
def test_a_file_that_is_not_a_library_is_rejected(tmp_path, peer):
    (tmp_path / SONAMES[peer]).write_text("not a library")
    trace.one_line(replay(trace.CORPUS / "git-grep.hyt", peer, tmp_path), f"replay: {peer} can't be made here", code=1)


@pytest.mark.parametrize("peer", SONAMES)
def test_a_library_without_the_symbols_is_rejected(tmp_path, peer):
    (tmp_path / "empty.c").write_text("int of_another_version;")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / SONAMES[peer], tmp_path / "empty.c"], check=True)
    trace.one_line(replay(trace.CORPUS / "git-grep.hyt", peer, tmp_path), f"replay: {peer} can't be made here", code=1)


@pytest.mark.parametrize("peer", ["jemalloc", "mimalloc", "mimalloc_sized", "tcmalloc_gperf"])
def test_a_misaligned_block_is_requested_again(tmp_path, strange, peer):
    lines = [f"1: memalign 0x{number}000 4096 {size}" for number, size in enumerate((64, 4096, 100, 8192), 1)]
    path = commands.imported(tmp_path, *lines, "1: realloc 0x9000 0x1000 9000", "1: free 0x2000")
    done = replay(path, peer, strange)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{path} on {peer}, exact, 1 thread")
