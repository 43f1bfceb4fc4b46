"""scope_test.py: what the macros of scope.h cost, shown on machine code, and how they do in other hands.

testdata/scope_cost.c is compiled at -O2 by every compiler at hand; its functions come in pairs, one with the
macros and one as written by hand. testdata/scope_exceptions.cc uses the macros in C++, and clang-tidy, where
it is installed, looks at both with the checks of the project.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SAMPLE = HERE / "testdata" / "scope_cost.c"
EXCEPTIONS = HERE / "testdata" / "scope_exceptions.cc"
INCLUDE = HERE.parent / "include"
COMPILERS = [name for name in ("cc", "clang-14", "clang-19") if shutil.which(name)]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
PAIRS = sorted(set(re.findall(r"^int by_macro_(\w+)\(", SAMPLE.read_text(), re.MULTILINE)))
HEAD = re.compile(r"^[0-9a-f]+ <([\w.]+)>:$")
PADDING = re.compile(r"\t(data16 |cs |xchg\s+%ax,%ax|nop)")


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def functions(compiler, folder, level=0):
    """The instructions of each function, what aligns the next one left out; what was split off counts, too."""
    compiled = folder / "sample.o"
    run(compiler, "-std=c17", "-O2", *WARNINGS, f"-DHY_CHECK={level}", f"-I{INCLUDE}", "-c", SAMPLE, "-o", compiled)
    found, current = {}, None
    for line in run("objdump", "--disassemble", "--reloc", "--no-show-raw-insn", compiled).splitlines():
        head = HEAD.match(line)
        if head:
            current = found.setdefault(head.group(1).split(".")[0], [])
        elif current is not None and "\t" in line and not PADDING.search(line):
            current.append(line.split("\t", 1)[1])
    return found


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", PAIRS)
def test_the_macros_cost_what_code_by_hand_costs(compiler, name, tmp_path):
    found = functions(compiler, tmp_path)
    macro, hand = (len([line for line in found[f"by_{way}_{name}"] if "R_X86" not in line]) for way in ("macro", "hand"))
    assert macro <= hand


@pytest.mark.parametrize("compiler", COMPILERS)
def test_what_is_deferred_is_called_directly_and_what_can_not_happen_is_not(compiler, tmp_path):
    found = {name: "\n".join(lines) for name, lines in functions(compiler, tmp_path).items()}
    assert "undo" in found["by_macro_fails_or_not"], "the control does not call it: nothing is looked at"
    assert "undo" not in found["always_succeeds"]
    for name, text in found.items():
        assert not re.search(r"^(notrack )?(call|jmp)\S*\s+\*", text, re.MULTILINE), f"{name} calls through a pointer"


@pytest.mark.parametrize("compiler", COMPILERS)
def test_what_is_not_used_costs_nothing(compiler, tmp_path):
    sizes = {}
    for name, includes in (("without", ""), ("with", "".join(f"#include <heapyard/{it}.h>\n" for it in ("scope", "string", "handle")))):
        source, compiled = tmp_path / f"{name}.c", tmp_path / f"{name}.o"
        source.write_text(includes + "int answer(void);\nint answer(void) { return 42; }\n")
        run(compiler, "-std=c17", "-O2", *WARNINGS, "-DHY_CHECK=0", f"-I{INCLUDE}", "-c", source, "-o", compiled)
        sizes[name] = run("size", compiled).splitlines()[1].split()[:3]
        assert "hy_" not in run("nm", compiled)
    assert sizes["with"] == sizes["without"]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("scope, compiles", [("HY_ERROR_SCOPE();", True), ("", False)])
def test_an_errdefer_needs_a_scope_that_can_end_in_error(compiler, scope, compiles, tmp_path):
    source = tmp_path / "errdefer.c"
    body = f"{scope} HY_ERRDEFER(undo, what); return HY_SUCCESS(0);"
    source.write_text(f"#include <heapyard/scope.h>\nvoid undo(void *what);\nint begin(void *what);\nint begin(void *what) {{ {body} }}\n")
    command = [compiler, "-std=c17", *WARNINGS, f"-I{INCLUDE}", "-c", source, "-o", tmp_path / "errdefer.o"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == compiles, done.stderr


def test_exceptions_are_ways_out(tmp_path, build):
    program = tmp_path / "program"
    run("c++", "-std=c++17", "-Wall", "-Wextra", "-Wshadow", "-Werror", f"-I{INCLUDE}", EXCEPTIONS, build, "-pthread", "-ldl", "-o", program)
    assert run(program) == "thrown: 21e, ambient again: yes\nnot thrown: 21, ambient again: yes\nmoved: hello\n"


@pytest.fixture(name="build")
def library():
    return Path(os.environ.get("HEAPYARD_BUILD", ROOT / "build" / "debug")) / "allocators" / "libheapyard.a"


@pytest.mark.skipif(not shutil.which("clang-tidy-14"), reason="clang-tidy-14 is not installed")
@pytest.mark.parametrize("source", [SAMPLE, *(HERE.parent / "examples" / f"{name}.c" for name in ("ambient", "deferred", "managed_struct", "handles"))], ids=lambda path: path.name)
def test_clang_tidy_has_nothing_to_say_at_their_use(source):
    run("clang-tidy-14", "--quiet", f"--config-file={ROOT / '.clang-tidy'}", "--header-filter=heapyard/(scope|string|handle|headered|memory)", source, "--", "-std=c17", "-DHY_CHECK=2", f"-I{INCLUDE}")
