"""A finding's reproducer is a C program that gcc alone builds from the project's sources, and that fails while the
bug is there."""

import ast
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


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_the_library_of_a_posix_reproducer_is_built_by_gcc_alone_and_serves(tmp_path):
    source = (ROOT / "fuzz" / "properties" / "posix.c").read_text()
    literals = re.search(r"how_it_is_made\[\] =\n(.*?);\n", source, re.DOTALL).group(1)
    comment = "".join(ast.literal_eval(line.strip()) for line in literals.splitlines())
    library = tmp_path / "small.so"
    command = comment[comment.index("gcc ") :].replace("\n *", "\n").replace("-o small.so", f"-o {library}")
    subprocess.run(command, shell=True, check=True, cwd=ROOT)
    told = subprocess.run(["ls", tmp_path], capture_output=True, text=True, check=True, env=os.environ | {"LD_PRELOAD": str(library), "HEAPYARD_MALLOC": "help"})
    assert told.stdout == "small.so\n" and "HEAPYARD_MALLOC" in told.stderr
