"""source_lines_test.py: stack traces of real programs: whatever form they are built in, they name what can be named.

testdata/where.c is built as programs of every form, against the library with and without libdw.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SAMPLE = HERE / "testdata" / "where.c"
LIBRARY = HERE / "testdata" / "where_library.c"
FLAGS = ["-std=gnu17", "-O2", "-fno-omit-frame-pointer", "-fno-builtin", f"-I{HERE.parent / 'include'}"]
HAS_LIBDW = subprocess.run(["pkg-config", "--exists", "libdw"], check=False).returncode == 0
LIBDW = ["-Wl,--no-as-needed", "-ldw"]
needs_libdw = pytest.mark.skipif(not HAS_LIBDW, reason="not in this build: install libdw-dev")
FORMS = {
    "pie": ["cc", "-g", "-fPIE", "-pie"],
    "no_pie": ["cc", "-g", "-fno-pie", "-no-pie"],
    "dwarf_4": ["cc", "-gdwarf-4"],
    "compressed": ["cc", "-g", "-gz"],
    "sections": ["cc", "-g", "-ffunction-sections", "-Wl,--gc-sections"],
    "clang": ["clang-14", "-g"],
    "clang_dwarf_4": ["clang-14", "-gdwarf-4"],
}
PRESENT = [name for name, (compiler, *_) in FORMS.items() if shutil.which(compiler)]


def line_of(mark, path=SAMPLE):
    """Where the comment `line: mark` stands, as `trace` shows it."""
    numbers = [number for number, text in enumerate(path.read_text().splitlines(), 1) if f"/* line: {mark} */" in text]
    assert len(numbers) == 1
    return f"{path.relative_to(ROOT)}:{numbers[0]}"


@pytest.fixture(name="archive", scope="module")
def fixture_archive(tmp_path_factory):
    build = tmp_path_factory.mktemp("build")
    command = ["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DHY_YARD=OFF", "-DBUILD_TESTING=OFF"]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", build, "--target", "heapyard"], check=True, capture_output=True)
    return next(build.rglob("libheapyard.a"))


def build_program(archive, folder, form, *more):
    """The program, with its shared library beside it unless it is a static one."""
    program = folder / "where"
    compiler, *flags = form
    library = [LIBRARY]
    if "-static" not in flags:
        shared = folder / "libwhere.so"
        subprocess.run([compiler, *FLAGS, "-g", "-fPIC", "-shared", LIBRARY, "-o", shared], check=True)
        library = [shared, f"-Wl,-rpath,{folder}"]
    subprocess.run([compiler, *FLAGS, *flags, SAMPLE, *library, archive, "-pthread", *more, "-o", program], check=True, cwd=ROOT)
    return program


def trace(program, what="functions"):
    """The lines of its traces, without numbers and addresses, the quick and the full one. Compilers differ in
    whether they name files from the root of the checkout, where they run."""
    run = subprocess.run([program, what], check=True, capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    lines = run.stdout.replace(f" at {ROOT}/", " at ").splitlines()
    assert all(re.match(r"    #\d+ 0x[0-9a-f]+", line) for line in lines)
    starts = [index for index, line in enumerate(lines) if line.startswith("    #0 ")] + [len(lines)]
    cleared = [re.sub(r"^    #\d+ 0x[0-9a-f]+ ?", "", line) for line in lines]
    return [cleared[low:high] for low, high in zip(starts, starts[1:])]


@needs_libdw
@pytest.mark.parametrize("name", PRESENT)
def test_every_form_names_file_line_and_what_was_inlined(archive, tmp_path, name):
    program = build_program(archive, tmp_path, FORMS[name], *LIBDW)
    traces = trace(program)
    assert len(traces) == 2
    for mark, lines in zip(["quick", "full"], traces):
        while lines[0].startswith("in print_where "):
            lines.pop(0)
        assert lines[0] == f"in inlined_function at {line_of(mark)} (inlined)"
        assert lines[1].startswith(f"in static_function at {line_of('call')} ({program}+0x")
        assert lines[2].startswith(f"in main at {SAMPLE.relative_to(ROOT)}:")


@needs_libdw
def test_a_shared_library_has_its_own_lines(archive, tmp_path):
    program = build_program(archive, tmp_path, FORMS["pie"], *LIBDW)
    for lines in trace(program, "library"):
        found = [line for line in lines if line.startswith("in hidden_in_library ")]
        assert len(found) == 1
        assert found[0].startswith(f"in hidden_in_library at {line_of('library', LIBRARY)} ({tmp_path / 'libwhere.so'}+0x")


@needs_libdw
def test_offsets_are_those_of_addr2line(archive, tmp_path):
    for name in ("pie", "no_pie"):
        program = build_program(archive, tmp_path, FORMS[name], *LIBDW)
        offset = re.search(r"in static_function at .*\(.*\+(0x[0-9a-f]+)\)", "\n".join(trace(program)[0])).group(1)
        told = subprocess.run(["addr2line", "-f", "-i", "-e", program, offset], check=True, capture_output=True, text=True)
        assert line_of("call") in told.stdout


@pytest.mark.parametrize("form", [["cc", "-g"], ["cc", "-g", "-static"], ["cc", "-s", "-rdynamic"]], ids=["dynamic", "static", "exported"])
def test_without_libdw_exported_functions_are_named(archive, tmp_path, form):
    program = build_program(archive, tmp_path, form)
    name = r"in main\+0x[0-9a-f]+ " if "-rdynamic" in form else ""
    for lines in trace(program):
        assert " at " not in "\n".join(lines)
        assert any(re.match(rf"{name}\({program}\+0x[0-9a-f]+\)$", line) for line in lines)


@needs_libdw
def test_without_debugging_information_there_are_functions(archive, tmp_path):
    program = build_program(archive, tmp_path, ["cc"], *LIBDW)
    assert any(line.startswith("in static_function+0x") for line in trace(program)[0])


def test_a_stripped_program_still_has_its_addresses(archive, tmp_path):
    program = build_program(archive, tmp_path, ["cc", "-s"])
    assert any(re.match(rf"\({program}\+0x[0-9a-f]+\)$", line) for line in trace(program)[0])


@needs_libdw
def test_a_malloc_that_reports_does_not_recur(archive, tmp_path):
    program = build_program(archive, tmp_path, FORMS["pie"], *LIBDW)
    lines = [line for frames in trace(program, "malloc") for line in frames]
    inner = [line for line in lines if line.startswith("in malloc")]
    assert inner, "libdw did not call the program's malloc"
    assert all(line.startswith("in malloc+0x") for line in inner)
    assert any(line_of("call") in line for line in lines)


@needs_libdw
def test_a_thread_held_inside_libdw_holds_nobody_up(archive, tmp_path):
    program = build_program(archive, tmp_path, FORMS["pie"], *LIBDW)
    traces = trace(program, "threads")
    assert len(traces) == 4
    assert all(any(line_of("call") in line for line in lines) for lines in traces)


@needs_libdw
def test_nothing_is_fetched_over_the_network(archive, tmp_path):
    """A debuginfod server is named, and a stripped program prints: the name would have to be looked up."""
    program = build_program(archive, tmp_path, ["cc", "-s", "-Wl,--build-id"], *LIBDW)
    environment = {"DEBUGINFOD_URLS": "http://127.0.0.1:9/", "DEBUGINFOD_CACHE_PATH": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    subprocess.run([program], check=True, capture_output=True, timeout=60, env=environment)
    assert not (tmp_path / "cache").exists()
