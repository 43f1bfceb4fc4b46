"""A finding's reproducer is a C program that gcc alone builds from the project's sources, and that fails while the
bug is there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REPLAY = Path(os.environ.get("HEAPYARD_BUILD", ROOT / "build" / "debug")) / "fuzz" / "heapyard-replay"
OVERLAP = "alloc 0 10\nalloc 1 1\nresize 0 17\n"


def command_in(program):
    """The call of gcc in the program's first comment, as one line."""
    comment = program.read_text().split("*/", 1)[0]
    lines = comment[comment.index("gcc ") :].splitlines()
    return " ".join(re.sub(r"^ \*\s*", "", line).rstrip(" \\") for line in lines).strip()


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_the_canarys_reproducer_is_built_by_gcc_alone_and_fails(tmp_path):
    seed, program = tmp_path / "seed.txt", tmp_path / "reproducer.c"
    seed.write_text(OVERLAP)
    minimised = subprocess.run([REPLAY, "minimise", "--property=canary", f"--c={program}", seed], capture_output=True, text=True, check=False)
    assert minimised.returncode == 3, minimised.stderr
    command = command_in(program).replace("THIS.c", str(program)) + f" -o {tmp_path}/reproducer"
    subprocess.run(command, shell=True, check=True, cwd=ROOT)
    run = subprocess.run([tmp_path / "reproducer"], capture_output=True, text=True, check=False)
    assert run.returncode != 0 and "step " in run.stderr
