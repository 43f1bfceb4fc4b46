"""smp_release_test.py: smp as it is shipped: built at -O2 without checks.

The library's part is compiled once, and programs of ../testdata over it: what the inline paths cost, in
instructions that Valgrind counted, and that they have neither calls nor locked instructions; what is told of
misuse when blocks come back to the slabs; statistics as JSON; and a shared object that is unloaded.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ALLOCATORS = HERE.parent
DATA = ALLOCATORS / "testdata"
FLAGS = ["-std=c17", "-O2", "-g", "-fPIC", "-D_GNU_SOURCE", "-DHY_CHECK=0", f"-I{ALLOCATORS / 'include'}", f"-I{ALLOCATORS.parent}"]
CORE = ["error", "line_sink", "lock", "misuse", "os_linux", "page_size", "poison", "thread_slot"]
COMPILERS = [name for name in ("gcc", "clang-14", "clang-19") if shutil.which(name)]
CALLS_OF_EACH = 100


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(name="objects", scope="module")
def fixture_objects(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    sources = [ALLOCATORS / "core" / f"{noun}.c" for noun in CORE]
    sources += [path for path in HERE.glob("smp*.c") if not re.search(r"_(test|row|audit)\.c$", path.name)]
    compiler = (["ccache"] if shutil.which("ccache") else []) + ["cc"]
    for source in sources:
        run(*compiler, *FLAGS, "-c", source, "-o", folder / f"{source.stem}.o")
    return sorted(folder.glob("*.o"))


def program(objects, folder, source, *more):
    built = folder / Path(source).stem
    run("cc", *FLAGS, *more, DATA / source, *objects, "-pthread", "-ldl", "-o", built)
    return built


def test_the_tables_are_what_their_script_prints():
    printed = run(sys.executable, HERE / "smp_lookup.py")
    assert printed == (HERE / "smp_lookup.c").read_text(), "run smp_lookup.py >smp_lookup.c"


# ---- what the inline paths are made of ----

HEAD = re.compile(r"^[0-9a-f]+ <(\w+)>:$")
PATHS = {"alloc_any", "free_any", "alloc_48", "free_48", "heap_alloc_48", "heap_free_48"}


def listing(compiler, folder):
    """The instructions of each function of smp_paths.c."""
    compiled = folder / "paths.o"
    run(compiler, *[flag for flag in FLAGS if flag != "-g"], "-c", DATA / "smp_paths.c", "-o", compiled)
    found, current = {}, None
    for line in run("objdump", "--disassemble", "--no-show-raw-insn", compiled).splitlines():
        head = HEAD.match(line)
        if head:
            current = found.setdefault(head.group(1), [])
        elif current is not None and "\t" in line:
            current.append(line.split("\t", 1)[1].strip())
    return found


@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_path_calls_or_locks(compiler, tmp_path):
    """What jumps to the slow path does so at its end, as a tail call."""
    found = listing(compiler, tmp_path)
    assert PATHS <= set(found)
    for name in PATHS:
        code = "\n".join(found[name])
        assert re.search(r"\bjmp\b", code) and len(found[name]) >= 5, f"{name} is not what was looked for:\n{code}"
        assert not re.search(r"\b(call|lock|mfence|div)|\bxchg\b.*\(", code), f"{name}:\n{code}"


BOUNDS = {"alloc_any": 22, "free_any": 20, "alloc_48": 10, "free_48": 10, "heap_alloc_48": 12, "heap_free_48": 12}


@pytest.mark.skipif(not shutil.which("valgrind"), reason="not in this build: valgrind")
@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_a_hit_costs_few_instructions(name, objects, tmp_path):
    """The return is counted too."""
    built = program(objects, tmp_path, "smp_paths.c", "-DWITH_MAIN")
    profile = tmp_path / "profile"
    run("valgrind", "--quiet", "--tool=callgrind", f"--toggle-collect={name}", f"--callgrind-out-file={profile}", built)
    text = profile.read_text()
    assert "hy_smp_alloc_slow" not in text and "hy_smp_free_slow" not in text, "not all of it were hits"
    total = int(re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE).group(1))
    assert total % CALLS_OF_EACH == 0 and total >= 5 * CALLS_OF_EACH
    assert total // CALLS_OF_EACH <= BOUNDS[name]


# ---- misuse ----

TOLD = {
    "free_twice": "hy_smp_free: a block was freed twice",
    "free_with_wrong_size": "hy_smp_free: a block was freed that is of another heap, size or alignment",
    "free_foreign": "hy_smp_free: a block was freed that is of another heap, size or alignment",
    "free_inside": "hy_smp_free: a pointer into a block was freed",
    "free_large_twice": "hy_smp_free: a large block was freed twice, or is of another heap or size",
    "free_large_foreign": "hy_smp_free: a large block was freed twice, or is of another heap or size",
    "free_unsized_foreign": "hy_smp_free: a pointer was freed that is no block of the heap",
}


@pytest.fixture(name="release", scope="module")
def fixture_release(objects, tmp_path_factory):
    return program(objects, tmp_path_factory.mktemp("release"), "smp_release.c")


@pytest.mark.parametrize("name", sorted(TOLD))
def test_misuse_ends_the_program_with_one_line(release, name):
    done = subprocess.run([release, name], capture_output=True, text=True, check=False)
    assert done.returncode == -6, f"{done.returncode}: {done.stderr}"
    assert done.stderr == f"heapyard: {TOLD[name]}\n"


# ---- statistics ----


def test_statistics_are_json(release):
    stats = json.loads(run(release, "print_json"))
    assert stats["live_blocks"] == sum(one["live_blocks"] for one in stats["classes"]) + stats["large_blocks"]
    live = sum(one["live_blocks"] * one["size"] for one in stats["classes"])
    assert stats["live_bytes"] == live + stats["large_bytes"]
    assert stats["large_blocks"] > 0 and stats["threads"] == 1
    assert all(isinstance(value, int) for name, value in stats.items() if name != "classes")
    sizes = [one["size"] for one in stats["classes"]]
    assert sizes == sorted(set(sizes)) and len(sizes) > 10


def test_statistics_of_nothing_are_json(release):
    stats = json.loads(run(release, "print_empty_json"))
    assert stats.pop("classes") == []
    assert set(stats.values()) == {0}


# ---- unloading ----


def test_a_library_that_used_its_own_copy_can_be_unloaded(objects, tmp_path):
    library = tmp_path / "library.so"
    run("cc", *FLAGS, "-fvisibility=hidden", "-shared", DATA / "smp_library.c", *objects, "-pthread", "-Wl,-Bsymbolic", "-o", library)
    run("cc", *FLAGS, DATA / "smp_unload.c", "-pthread", "-ldl", "-o", tmp_path / "unload")
    run(tmp_path / "unload", library)
