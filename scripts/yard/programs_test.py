"""scripts/programs: every sample counts once, wrong answers and crashes cost their own cells, runs go on where they stopped."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from yard import programs, programs_run
from yard.programs import Program

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="not in this build: cc")


def run(*arguments):
    return subprocess.run([ROOT / "scripts" / "programs", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture(name="library")
def fixture_library(tmp_path):
    """Builds a library from a line of C."""

    def build(name, code):
        (tmp_path / f"{name}.c").write_text(code)
        path = tmp_path / f"lib{name}.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", path, tmp_path / f"{name}.c"], check=True)
        return path

    return build


def measure(program, libraries, tmp_path, rounds=2):
    said = []
    samples = programs_run.Samples(tmp_path / "samples.jsonl")
    programs_run.measure([program], libraries, rounds, samples, said.append)
    return programs_run.cells([program], libraries, samples), said


ECHO = Program("echo", "prints", ("sh",), ("sh", "-c", "echo ${COUNTED-plain}"))


def test_each_library_has_its_rounds_and_a_second_run_measures_nothing(library, tmp_path):
    libraries = {"libc": None, "same": library("same", "int same;")}
    found, said = measure(ECHO, libraries, tmp_path)
    assert len(said) == 4
    assert all(cell.is_right and cell.rounds == 2 and cell.seconds > 0 and 0 < cell.peak_bytes < 8 << 20 for cell in found.values())
    assert measure(ECHO, libraries, tmp_path)[1] == []


def test_another_build_of_a_library_is_measured_anew(library, tmp_path):
    measure(ECHO, {"libc": None, "same": library("same", "int same;")}, tmp_path)
    assert len(measure(ECHO, {"libc": None, "same": library("same", "int same, other;")}, tmp_path)[1]) == 2


def test_another_answer_is_wrong(library, tmp_path):
    other = library("other", '#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { setenv("COUNTED", "else", 1); }')
    found, _ = measure(ECHO, {"libc": None, "other": other}, tmp_path)
    assert found["echo", "libc"].is_right
    assert found["echo", "other"].wrong == "printed something else than over libc"


def test_a_crash_costs_its_own_cell_and_is_not_tried_again(library, tmp_path):
    broken = library("broken", "#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { abort(); }")
    found, said = measure(ECHO, {"libc": None, "broken": broken}, tmp_path, rounds=3)
    assert found["echo", "libc"].is_right and found["echo", "libc"].rounds == 3
    assert found["echo", "broken"].wrong.startswith("exit -6")
    assert len(said) == 4
    lines = list(programs_run.table(found, [ECHO], {"libc": None, "broken": broken}, "seconds", "time", "s"))
    assert lines[1].split()[-1] == "wrong" and lines[2].split()[-1] == "–"


SERVER = (
    "import http.server as h\n"
    "h.HTTPServer(('127.0.0.1', {port}), h.SimpleHTTPRequestHandler).serve_forever()"
)


def test_a_server_is_loaded_by_its_client_and_ended(tmp_path):
    server = (sys.executable, "-c", f"try:\n exec({SERVER!r})\nexcept KeyboardInterrupt: pass")
    client = (sys.executable, "-c", "import urllib.request as u; print(len(u.urlopen('http://127.0.0.1:{port}/').read()) > 0)")
    program = Program("server", "serves", (), server, client=client)
    found, _ = measure(program, {"libc": None}, tmp_path, rounds=1)
    assert found["server", "libc"].is_right and found["server", "libc"].peak_bytes > 4 << 20


def test_a_server_that_does_not_start_says_why(tmp_path):
    program = Program("server", "serves", (), ("sh", "-c", "echo no room >&2; exit 3"), client=("true",))
    found, _ = measure(program, {"libc": None}, tmp_path, rounds=1)
    assert found["server", "libc"].wrong == "the server ended by itself: no room"


def test_a_program_that_is_not_here_says_so():
    assert Program("none", "", ("no-such-command",), ()).absent() == "not here: no-such-command"


def test_every_program_has_a_name_of_its_own_and_a_line():
    assert len(set(programs.NAMES)) == len(programs.NAMES)
    listed = run("--list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == programs.NAMES


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--programs", "emacs"], "there is no program emacs; there are: python, sqlite3"),
        (["--libraries", "hoard", "--programs", "perl"], "there is no library hoard; there are: heapyard"),
        (["--preload", "libx.so"], "--preload libx.so: must be NAME=PATH"),
        (["--preload", "x=/no/libx.so"], "--preload x=/no/libx.so: no such file: /no/libx.so"),
        (["--heapyard", "/no/x.so", "--programs", "gcc"], "--heapyard /no/x.so: no such file"),
        (["--rounds", "0"], "--rounds 0: must be at least 1"),
    ],
)
def test_bad_input_is_one_line(arguments, complaint):
    done = run(*arguments)
    assert done.returncode == 2 and done.stderr.startswith(f"programs: {complaint}") and done.stderr.count("\n") == 1


def test_the_tables_and_the_file(library, tmp_path):
    if not shutil.which("perl"):
        pytest.skip("not here: perl")
    same = library("same", "int same;")
    done = run("--programs", "perl", "--libraries", "same", "--preload", f"same={same}", "--rounds", 1, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "geometric mean" in done.stdout and done.stderr.count("\n") == 2
    lines = (tmp_path / "out" / "programs.csv").read_text().splitlines()
    assert lines[0] == ",".join(programs_run.FIELDS) and len(lines) == 3
    assert all(json.loads(line)["program"] == "perl" for line in (tmp_path / "out" / "samples.jsonl").read_text().splitlines())
