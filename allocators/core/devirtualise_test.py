"""devirtualise_test.py: a known allocator costs no indirect call: shown on machine code.

testdata/devirtualise.c is compiled at -O2, at every check level, by every compiler at hand, and the
indirect calls and jumps of each of its functions are counted: none where the allocator is known, some in
the control, without which this test could not fail.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SAMPLE = HERE / "testdata" / "devirtualise.c"
INCLUDE = HERE.parent / "include"
COMPILERS = [name for name in ("cc", "clang-14", "clang-19") if shutil.which(name)]
WANTED = sorted(set(re.findall(r"^void (\w+known_\w+|known_\w+)\(", SAMPLE.read_text(), re.MULTILINE)))

INDIRECT = re.compile(r"\t(notrack )?(call|jmp)\S*\s+\*|\t(blr|br)\s")
HEAD = re.compile(r"^[0-9a-f]+ <([\w.]+)>:$")


def indirect_calls(compiler, level, folder):
    """How many indirect calls and jumps each function has; parts that the compiler split off count too."""
    compiled = folder / "sample.o"
    flags = ["-std=c17", "-O2", "-Wall", "-Wextra", "-Werror", f"-DHY_CHECK={level}", f"-I{INCLUDE}"]
    subprocess.run([compiler, *flags, "-c", SAMPLE, "-o", compiled], check=True)
    listing = subprocess.run(
        ["objdump", "--disassemble", "--no-show-raw-insn", compiled], check=True, capture_output=True, text=True
    ).stdout
    counts, current = {}, None
    for line in listing.splitlines():
        head = HEAD.match(line)
        if head:
            current = head.group(1).split(".")[0]
            counts.setdefault(current, 0)
        elif current and INDIRECT.search(line):
            counts[current] += 1
    return counts


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_only_the_unknown_allocator_is_called_through_its_table(compiler, level, tmp_path):
    counts = indirect_calls(compiler, level, tmp_path)
    assert "known_arena" in WANTED and "unknown_pair" in WANTED
    for name in WANTED:
        assert name in counts, f"{name} is not in the object file"
        if name == "unknown_pair":
            assert counts[name] > 0, "the control has no indirect call: nothing is counted"
        else:
            assert counts[name] == 0, f"{name} has {counts[name]} indirect calls"
