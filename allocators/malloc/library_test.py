"""The library as programs get it: what it shows, what it needs, and how short its fast paths are."""

import os
import re
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("HEAPYARD_BUILD", Path(__file__).resolve().parent.parent.parent / "build" / "debug"))
SHARED, STATIC = BUILD / "allocators" / "libheapyard-malloc.so", BUILD / "allocators" / "libheapyard-malloc.a"

C_FAMILY = set(
    "malloc free calloc realloc reallocarray aligned_alloc posix_memalign memalign valloc pvalloc "
    "free_sized free_aligned_sized cfree malloc_usable_size malloc_trim malloc_info malloc_stats mallinfo mallinfo2 mallopt heapyard_malloc_version "
    "__libc_malloc __libc_calloc __libc_realloc __libc_free __libc_memalign __libc_valloc __libc_pvalloc __posix_memalign".split()
)
ALIGNED, NOTHROW = "St11align_val_t", "RKSt9nothrow_t"
OPERATORS = {f"_Z{kind}m{tail}" for kind in ("nw", "na") for tail in ("", NOTHROW, ALIGNED, ALIGNED + NOTHROW)}
OPERATORS |= {f"_Z{kind}Pv{tail}" for kind in ("dl", "da") for tail in ("", NOTHROW, "m", ALIGNED, ALIGNED + NOTHROW, "m" + ALIGNED)}


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def test_it_shows_the_family_and_nothing_else():
    lines = run("nm", "--dynamic", "--defined-only", SHARED).splitlines()
    assert {line.split()[2] for line in lines} == C_FAMILY | OPERATORS


def test_the_static_form_shows_the_same():
    """Beside what its two objects share, which has a prefix, and what the compiler adds for exceptions."""
    lines = [line.split() for line in run("nm", "--extern-only", "--defined-only", STATIC).splitlines()]
    shown = {words[2] for words in lines if len(words) == 3}
    own = {name for name in shown if name.startswith("hy_malloc_") or name == "DW.ref.__gxx_personality_v0"}
    assert shown - own == C_FAMILY | OPERATORS


def test_it_needs_the_c_library_alone():
    needed = re.findall(r"NEEDED.*\[(.+)\]", run("readelf", "--dynamic", SHARED))
    assert [name for name in needed if not re.match(r"(libc\.so|ld-linux)", name)] == []


def test_what_it_needs_of_the_cplusplus_runtime_is_weak():
    undefined = run("nm", "--dynamic", "--undefined-only", SHARED).splitlines()
    runtime = [line.split() for line in undefined if re.search(r"_ZSt|__cxa_|__gxx|_Unwind", line)]
    assert runtime and {words[0] for words in runtime} == {"w"}


def test_its_data_of_threads_is_where_no_call_is_needed():
    """The initial-exec model: __tls_get_addr may allocate."""
    assert "__tls_get_addr" not in run("nm", "--dynamic", SHARED)
    assert "NODELETE" in run("readelf", "--dynamic", SHARED)


def fast_path(name):
    """The instructions from a function's begin to its first return."""
    symbols = {words[2]: words[0] for words in map(str.split, run("nm", SHARED).splitlines()) if len(words) == 3}
    start = int(symbols[name], 16)
    listing = run("objdump", "--disassemble", "--no-show-raw-insn", f"--start-address={start}", f"--stop-address={start + 512}", SHARED)
    instructions = re.findall(r"^ +[0-9a-f]+:\t(.+?) *$", listing, re.MULTILINE)
    return instructions[: next(at for at, text in enumerate(instructions) if text.startswith("ret")) + 1]


@pytest.mark.parametrize("name, most", [("malloc", 18), ("free", 22), ("free_sized", 20), ("_Znwm", 18), ("_ZdlPv", 22), ("_ZdlPvm", 22)])
def test_fast_paths_are_short_and_call_nothing(name, most):
    path = fast_path(name)
    assert len(path) <= most, "\n".join(path)
    assert not [text for text in path if re.match(r"call|push|lock|sub .*%rsp", text)], "\n".join(path)
