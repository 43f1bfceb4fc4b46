"""static_program_test.py: who links the static library gets the functions that he calls, and no more.

testdata/five_lines.c is built as an installed library's user would, by gcc at -O2, linked to libheapyard.a at the
default check level with --gc-sections. Its text and bss, as `size` counts them in the whole program, have bounds.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SAMPLE = HERE / "testdata" / "five_lines.c"
TEXT_BYTES_MAX, BSS_BYTES_MAX = 12 * 1024, 2 * 1024
pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="not in this build: gcc")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(name="libraries", scope="module")
def fixture_libraries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    run("cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DHY_YARD=OFF", "-DBUILD_TESTING=OFF", "-DCMAKE_C_COMPILER=gcc", *launcher)
    run("cmake", "--build", folder, "--target", "heapyard", "heapyard_shared")
    return folder / "allocators"


@pytest.fixture(name="archive")
def fixture_archive(libraries):
    return libraries / "libheapyard.a"


def build_program(archive, folder, *more):
    program = folder / "program"
    run("gcc", "-std=c17", "-O2", f"-I{HERE.parent / 'include'}", *more, SAMPLE, archive, "-Wl,--gc-sections", "-pthread", "-o", program)
    return program


def functions(program):
    return {line.split()[2] for line in run("nm", "--defined-only", program).splitlines() if line.split()[1] in "tT"}


def test_an_arena_brings_an_arena(archive, tmp_path):
    program = build_program(archive, tmp_path)
    run(program)
    text, _, bss = (int(word) for word in run("size", program).splitlines()[1].split()[:3])
    assert text <= TEXT_BYTES_MAX, f"{text} bytes of text:\n{run('nm', '--size-sort', '-S', program)}"
    assert bss <= BSS_BYTES_MAX, f"{bss} bytes of bss:\n{run('nm', '--size-sort', '-S', program)}"


def test_what_is_not_called_is_dropped(archive, tmp_path):
    names = functions(build_program(archive, tmp_path))
    assert {"hy_arena_init", "hy_arena_deinit", "hy_misuse"} <= names
    assert "hy_arena_reset" not in names
    assert not {name for name in names if re.match(r"hy_(stack|debug|source|object)_", name)}


@pytest.mark.parametrize("name", ["libheapyard.a", "libheapyard.so"])
def test_code_lies_in_no_section_of_its_own(libraries, name):
    """The linker drops functions by the sections that they lie in."""
    lines = run("readelf", "--sections", "--wide", libraries / name).splitlines()
    found = {match.group(1) for line in lines if (match := re.search(r"\] (\S+) +PROGBITS .* AX", line))}
    assert len(found) > (100 if name.endswith(".a") else 2)
    assert {section for section in found if not re.match(r"\.(text|plt|init|fini)\b", section)} == set()


def misuse(program):
    done = subprocess.run([program, "3"], capture_output=True, text=True, check=False)
    assert done.returncode < 0
    return done.stderr.splitlines()


def test_a_message_has_a_stack_where_stacks_are_linked(archive, tmp_path):
    message = "heapyard: hy_align_from_bytes: got 3 (0x3), must be a power of two"
    assert misuse(build_program(archive, tmp_path)) == [message]
    with_stack = misuse(build_program(archive, tmp_path, "-DWITH_DEBUG"))
    assert with_stack[0] == message
    assert with_stack[1].startswith("    #0 0x")
