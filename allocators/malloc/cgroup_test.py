"""A program in a small control group: what it frees must not stay charged to the group, or the kernel kills it."""

import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("HEAPYARD_BUILD", Path(__file__).resolve().parent.parent.parent / "build" / "debug"))
SHARED = BUILD / "allocators" / "libheapyard-malloc.so"
LIMIT = 64 << 20

# The memory controller's folder and the file that holds a group's limit, in either version of control groups.
CONTROLLERS = [(Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max")]

# {kib} KiB live at the peaks of eight rounds, in blocks of other sizes each, so that each round needs what another one
# freed; one block in fifty outlives its round.
PROGRAM = """
kept = []
for size in (600, 3000, 100, 20000, 1000, 300000, 50, 9000):
    blocks = [bytearray(size) for _ in range({kib} * 1024 // (size + 100))]
    kept.append(blocks[:: max(50, len(blocks) // 20)])
    del blocks
print("went on")
"""


@pytest.fixture
def group():
    for controller, limit in CONTROLLERS:
        folder = controller / f"heapyard-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / limit).write_text(str(LIMIT))
        except OSError:
            folder.rmdir()
            continue
        yield folder
        folder.rmdir()
        return
    pytest.skip("not here: a memory control group that may be made")


def run(group, kib):
    """Exit code and output of the program over our malloc, from its first instruction in the group."""
    command = ["/bin/sh", "-c", 'echo $$ >"$1/cgroup.procs" && export LD_PRELOAD="$2" && exec /usr/bin/python3 -c "$3"', "sh"]
    done = subprocess.run([*command, str(group), str(SHARED), PROGRAM.format(kib=kib)], capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"], "PYTHONMALLOC": "malloc"}, timeout=120)  # fmt: skip
    return done.returncode, done.stdout


def test_what_is_freed_serves_again_within_the_limit(group):
    assert run(group, 32 << 10) == (0, "went on\n")


def test_the_limit_is_one(group):
    """Else the test above could not fail."""
    assert run(group, 96 << 10)[0] < 0
