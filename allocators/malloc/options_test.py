"""HEAPYARD_MALLOC, the environment variable: what it does, what it says of what makes no sense, who is not asked."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("HEAPYARD_BUILD", Path(__file__).resolve().parent.parent.parent / "build" / "debug"))
SHARED = BUILD / "allocators" / "libheapyard-malloc.so"
OPTIONS = ["help", "stats", "stats_file", "check", "decay", "keep", "huge"]
FIGURES = [
    "live_bytes", "live_blocks", "large_bytes", "large_blocks", "cached_bytes", "unused_bytes", "retained_bytes", "peak_bytes",
    "returned_bytes", "metadata_bytes", "reserved_bytes", "threads",
]  # fmt: skip


def run(options, *command, **more):
    environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": str(SHARED)}
    if options is not None:
        environment["HEAPYARD_MALLOC"] = options
    return subprocess.run(command or ["/bin/true"], env=environment, capture_output=True, text=True, check=True, **more)


@pytest.mark.parametrize("options", [None, "", ",", "check", "check,,check"])
def test_nothing_is_said_unasked(options):
    done = run(options)
    assert done.stdout == "" and done.stderr == ""


def test_help_tells_each_option_and_the_program_goes_on():
    done = run("help", "/bin/echo", "went on")
    assert done.stdout == "went on\n"
    assert re.findall(r"^  (\w+)", done.stderr, re.MULTILINE) == OPTIONS


@pytest.mark.parametrize(
    "options, line",
    [
        ("foo", "there is no option 'foo', which is left out; HEAPYARD_MALLOC=help lists them"),
        ("foo=1", "there is no option 'foo', which is left out; HEAPYARD_MALLOC=help lists them"),
        ("STATS", "there is no option 'STATS', which is left out; HEAPYARD_MALLOC=help lists them"),
        ("stats=xml", "stats is 'xml', must be text or json; the default is kept"),
        ("stats_file=", "stats_file is '', must be a path; the default is kept"),
        ("decay=soon", "decay is 'soon', must be a number of milliseconds; the default is kept"),
        ("decay=1K", "decay is '1K', must be a number of milliseconds; the default is kept"),
        ("keep=-1", "keep is '-1', must be a number of bytes; the default is kept"),
        ("keep=1T", "keep is '1T', must be a number of bytes; the default is kept"),
        ("keep=99999999999G", "keep is '99999999999G', must be a number of bytes; the default is kept"),
        ("huge", "huge is '', must be a number of bytes or never; the default is kept"),
        ("check=2", "check is '2', must be no value; the default is kept"),
        ("x" * 5000, "has more than 4351 bytes, and is left out"),
    ],
)
def test_what_makes_no_sense_is_one_line(options, line):
    done = run(options, "/bin/echo", "went on")
    assert done.stdout == "went on\n"
    assert re.sub(r"^heapyard: HEAPYARD_MALLOC:? ", "", done.stderr) == line + "\n"


def test_the_readme_tells_each_option_and_figure():
    text = (Path(__file__).resolve().parent / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [*OPTIONS, *FIGURES]


def test_what_makes_sense_beside_it_is_done():
    lines = run("stats=xml,stats=json").stderr.split("\n", 1)
    assert "must be text or json" in lines[0] and json.loads(lines[1])["live_bytes"] >= 0


FREES = "x = [bytearray(100000) for _ in range(500)]; x = None"


def test_free_memory_is_kept_where_it_should_be():
    returned = {
        keep: json.loads(run(f"stats=json,decay=0,{keep}", "/usr/bin/python3", "-S", "-c", FREES).stderr)["returned_bytes"]
        for keep in ("keep=64K", "keep=1G,huge=never")
    }
    assert returned["keep=64K"] > 30_000_000 and returned["keep=1G,huge=never"] < 10_000_000


@pytest.mark.parametrize("options", ["stats", "stats=text"])
def test_statistics_for_a_person(options):
    lines = run(options, "/bin/echo").stderr.splitlines()
    assert re.fullmatch(r"smp: \d+ blocks live, \d+ of them large; \d+ threads' caches", lines[0])
    assert "live" in lines[1] and any(line.split()[:2] == ["class", "live"] for line in lines)


def test_statistics_in_json():
    read = json.loads(run("stats=json", "/bin/echo").stderr)
    assert list(read) == [*FIGURES, "classes"]
    assert read["peak_bytes"] >= read["live_bytes"] > 0


def test_statistics_of_a_program_that_closes_standard_error():
    assert "blocks live" in run("stats", "sort", "/etc/passwd").stderr


def test_statistics_in_a_file_for_each_process(tmp_path):
    done = run(f"stats=json,stats_file={tmp_path}/heap.%p", "/bin/sh", "-c", "/bin/echo one; /bin/echo two; exit 0")
    assert done.stderr == ""
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2 or len(files) == 3  # the shell's echo may be its own
    for file in files:
        assert json.loads(file.read_text())["live_bytes"] >= 0 and int(file.name.split(".")[1]) > 1


def test_a_file_is_appended_to(tmp_path):
    for _ in range(2):
        run(f"stats_file={tmp_path}/heap")
    assert (tmp_path / "heap").read_text().count("blocks live") == 2


def test_a_file_that_can_not_be_opened(tmp_path):
    lines = run(f"stats_file={tmp_path}/none/heap").stderr.splitlines()
    path = re.escape(str(tmp_path))
    assert re.fullmatch(rf"heapyard: .*: stats_file {path}/none/heap can't be opened \(.+\): the statistics are on standard error", lines[0])
    assert "blocks live" in lines[1]


def test_a_file_that_can_not_be_written():
    lines = run("stats,stats_file=/dev/full").stderr.splitlines()
    assert lines[0] == (
        "heapyard: HEAPYARD_MALLOC: stats_file /dev/full can't be written: the statistics from there on are on standard error"
    )
    assert "blocks live" in lines[1]


def test_programs_that_change_their_user_are_not_asked(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can make such a program")
    program = tmp_path / "program"
    shutil.copy(BUILD / "allocators" / "malloc_semantics_static", program)
    environment = {"HEAPYARD_MALLOC": "help", "HY_TEST_MALLOC": "heapyard"}
    before = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
    assert "stats_file" in before.stderr
    shutil.chown(program, 65534, 65534)
    program.chmod(0o4755)
    for folder in [tmp_path, *tmp_path.parents[:-1]]:
        if folder.owner() == "root" and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    after = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
    if "stats_file" in after.stderr and not is_honoured(program):
        pytest.skip("the system does not honour the set-user-ID bit here")
    assert "stats_file" not in after.stderr


def is_honoured(program):
    """Whether the file system lets programs change their user."""
    return not os.statvfs(program).f_flag & os.ST_NOSUID
