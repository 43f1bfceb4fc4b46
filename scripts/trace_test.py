"""The recorder and heapyard-trace, from outside: what programs print is what it was, and traces hold what they did."""

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("HEAPYARD_BUILD", ROOT / "build" / "debug"))
TRACE = BUILD / "allocators" / "heapyard-trace"
EXERCISE = BUILD / "allocators" / "heapyard-exercise"
CORPUS = ROOT / "corpus" / "traces"


def call(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=240, **more)


def record(out, *words, **more):
    return call(TRACE, "record", "--out", out, "--", *words, **more)


def stats(path, *options):
    done = call(TRACE, "stats", "--json", path, *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def replay(path, allocator, mode="exact", *options):
    return call(TRACE, "replay", path, "--allocator", allocator, "--mode", mode, "--json", *options)


def one_line(done, *parts, code=2):
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize("words", [
    ["/bin/ls", "/"],
    ["/usr/bin/python3", "-c", "import sys; print(sorted(map(str, range(1000)))); print('err', file=sys.stderr); sys.exit(3)"],
    ["/bin/sh", "-c", "for i in 1 2 3; do echo $i | wc -c; done; exit 7"],
    ["/usr/bin/sort", "--parallel=2", "-r", "/usr/share/common-licenses/GPL-3"],
    ["/usr/bin/git", "-C", str(ROOT), "log", "--oneline", "-5"],
    [str(EXERCISE), "calls"], [str(EXERCISE), "threads"], [str(EXERCISE), "fork"], [str(EXERCISE), "vfork"],
    [str(EXERCISE), "close"], [str(EXERCISE), "signals"], [str(EXERCISE), "exec"],
], ids=lambda words: " ".join(words)[-30:])
def test_a_program_runs_as_without_the_recorder(tmp_path, words):
    plain = call(*words)
    recorded = call(TRACE, "record", "--quiet", "--out", tmp_path / "a.hyt", "--", *words)
    assert (recorded.stdout, recorded.stderr, recorded.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    assert stats(tmp_path / "a.hyt")["operations"] > 0


def test_every_function_is_recorded(tmp_path):
    assert record(tmp_path / "a.hyt", EXERCISE, "calls").returncode == 0
    found = stats(tmp_path / "a.hyt")
    # 24 of its own, and the buffer of standard output.
    assert (found["operations"], found["allocations"], found["reallocs"], found["frees"]) == (25, 12, 1, 11)
    assert (found["zeroed"], found["aligned"], found["refused"], found["foreign"]) == (1, 5, 1, 0)
    assert found["end_blocks"] == 1 and found["peak_bytes"] == 100200
    assert found["finished"] and found["end"] == "exit"


def test_threads_lose_nothing_and_replay_the_same_everywhere(tmp_path):
    assert record(tmp_path / "a.hyt", EXERCISE, "threads").returncode == 0
    found = stats(tmp_path / "a.hyt")
    # 12 threads of 20,000 rounds: each allocates, every fifth resizes; stdio and the system's own thread
    # blocks come on top, and every block of a round is freed.
    assert found["reallocs"] == 12 * 4000
    assert 240000 <= found["allocations"] <= 240100
    assert 240000 <= found["frees"] <= found["allocations"]
    assert found["threads"] == 13 and found["thread_ends"] == 12
    assert found["cross_thread_frees"] > 1000
    assert found["foreign"] == 0
    exact = [replay(tmp_path / "a.hyt", "libc"), replay(tmp_path / "a.hyt", "raw_libc")]
    parallel = [replay(tmp_path / "a.hyt", "libc", "parallel", "--repeat", "3"), replay(tmp_path / "a.hyt", "raw_libc", "parallel")]
    assert [done.returncode for done in exact + parallel] == [0] * 4
    results = [json.loads(done.stdout) for done in exact + parallel]
    for key in ("operations", "peak_bytes", "checksum"):
        assert len({result[key] for result in results}) == 1
    assert results[0]["peak_bytes"] == found["peak_bytes"]
    assert results[2]["threads"] > 1


def test_a_forked_child_has_its_own_trace(tmp_path):
    done = record(tmp_path / "a.hyt", EXERCISE, "fork")
    assert done.returncode == 5 and done.stdout == "child exited with 9\n"
    parent, child = stats(tmp_path / "a.hyt"), stats(next(tmp_path.glob("a.hyt.*")))
    assert (parent["operations"], child["operations"]) == (3, 2)
    assert child["foreign"] == 1  # what its parent had made
    assert parent["finished"] and child["finished"]
    assert len(list(tmp_path.iterdir())) == 2


def test_exec_leaves_a_trace_of_each_program(tmp_path):
    assert record(tmp_path / "a.hyt", EXERCISE, "exec").returncode == 0
    first, second = stats(tmp_path / "a.hyt"), stats(next(tmp_path.glob("a.hyt.*")))
    assert first["end"] == "exec" and first["finished"]
    assert second["operations"] == 25


def test_a_program_that_closes_every_file_is_recorded_to_the_end(tmp_path):
    done = record(tmp_path / "a.hyt", EXERCISE, "close")
    assert done.stdout == "lowest file was 3\n"
    found = stats(tmp_path / "a.hyt")
    assert found["allocations"] == 400001 and found["finished"]


def test_a_handler_that_allocates_is_recorded(tmp_path):
    assert record(tmp_path / "a.hyt", EXERCISE, "signals").returncode == 0
    found = stats(tmp_path / "a.hyt")
    assert found["finished"] and dict(map(tuple, found["top_sizes"]))[3001] >= 2000


def test_after_a_kill_what_was_done_is_there(tmp_path):
    done = record(tmp_path / "a.hyt", EXERCISE, "kill")
    assert done.returncode == 128 + signal.SIGKILL and done.stdout == "about to be killed\n"
    assert "not finished" in done.stderr
    refused = call(TRACE, "stats", tmp_path / "a.hyt")
    one_line(refused, "a.hyt", "ends after operation", "--partial")
    found = stats(tmp_path / "a.hyt", "--partial")
    # One thread did all of its 50,000 rounds before it killed them; a call under way in another loses nothing else.
    assert found["operations"] > 100000 - 64 and found["foreign"] <= 4
    assert replay(tmp_path / "a.hyt", "libc").returncode == 2
    assert replay(tmp_path / "a.hyt", "libc", "exact", "--partial").returncode == 0
    assert replay(tmp_path / "a.hyt", "libc", "parallel", "--partial").returncode == 0


def limit_file_size():
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))


def test_a_limit_of_file_size_ends_the_recording_not_the_program(tmp_path):
    done = record(tmp_path / "a.hyt", EXERCISE, "close", preexec_fn=limit_file_size)
    assert done.returncode == 0 and done.stdout == "lowest file was 3\n"
    assert done.stderr.count("heapyard-record: recording of process") == 1
    found = stats(tmp_path / "a.hyt", "--partial")
    assert 10000 < found["operations"] < 800000 and not found["finished"]
    one_line(call(TRACE, "info", tmp_path / "a.hyt"), "--partial")


def mount_small(folder):
    """A file system of 6 MiB in a mount name space of the caller's own; False where that isn't allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, private = 0x20000, 1 << 18 | 1 << 14
    return (libc.unshare(new_namespace) == 0 and libc.mount(b"none", b"/", None, private, None) == 0
            and libc.mount(b"none", str(folder).encode(), b"tmpfs", 0, b"size=6m") == 0)


FULL = """
import subprocess, sys
sys.path.insert(0, sys.argv[1])
import trace_test
from pathlib import Path
folder = Path(sys.argv[2])
if not trace_test.mount_small(folder):
    print("no mount")
    sys.exit(0)
done = trace_test.record(folder / "a.hyt", trace_test.EXERCISE, "close")
print(done.returncode, done.stdout.strip(), done.stderr.count("no space left"))
print(trace_test.stats(folder / "a.hyt", "--partial")["operations"], [path.name for path in folder.iterdir()])
"""


def test_a_full_disk_ends_the_recording_not_the_program(tmp_path):
    done = call("/usr/bin/python3", "-c", FULL, ROOT / "scripts", tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    if lines == ["no mount"]:
        # Not root: the limit of file size above stands for it.
        return
    assert lines[0] == "0 lowest file was 3 1"
    operations, names = lines[1].split(" ", 1)
    assert 10000 < int(operations) < 800000
    assert names == "['a.hyt']"  # no spools are left


def test_finish_takes_what_a_killed_recording_left(tmp_path):
    # The spools are kept, as a killed heapyard-trace would leave them.
    done = call(TRACE, "record", "--keep-spools", "--out", tmp_path / "a.hyt", "--", EXERCISE, "threads")
    assert done.returncode == 0
    folder = next(tmp_path.glob("a.hyt.spools.*"))
    done = call(TRACE, "finish", "--out", tmp_path / "b.hyt", folder)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.hyt").read_bytes() == (tmp_path / "b.hyt").read_bytes()
    assert not folder.exists()


def test_a_process_that_outlives_the_recorded_one_can_be_finished_later(tmp_path):
    # The child reads until the test closes the pipe; its parent has ended by then.
    reading, writing = os.pipe()
    done = call(TRACE, "record", "--out", tmp_path / "a.hyt", "--", "/bin/sh", "-c",
                "/usr/bin/python3 -c 'import os; os.write(1, b\"up\\n\"); os.read(0, 1); print(list(range(9)))' <&3 3<&- >out 2>&1 &"
                " until grep -q up out 2>/dev/null; do :; done", cwd=tmp_path, preexec_fn=lambda: os.dup2(reading, 3), pass_fds=(3,))
    assert done.returncode == 0 and "still runs" in done.stderr, done.stderr
    folder = next(tmp_path.glob("a.hyt.spools.*"))
    pid = int(next(folder.glob("*.spool")).name.split(".")[0])
    child = os.pidfd_open(pid)
    os.close(writing)
    os.close(reading)
    select.select([child], [], [], 60)
    done = call(TRACE, "finish", "--out", tmp_path / "b.hyt", folder)
    assert done.returncode == 0, done.stderr
    assert stats(tmp_path / "b.hyt")["end"] == "exit" and not folder.exists()


def test_spools_of_any_content_are_refused_or_read(tmp_path):
    call(TRACE, "record", "--keep-spools", "--out", tmp_path / "a.hyt", "--", EXERCISE, "calls")
    spool = next(tmp_path.glob("a.hyt.spools.*/*.spool"))
    whole = spool.read_bytes()[: 3 * 65536]
    state = 12345
    for step in range(60):
        damaged = bytearray(whole)
        for _ in range(20):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            place = (state >> 33) % (65536 + 2000 if step % 2 else len(damaged))
            damaged[place] = (state >> 20) & 255
        spool.write_bytes(damaged[: len(damaged) - step * 1000])
        done = call(TRACE, "finish", "--keep-spools", "--out", tmp_path / "b.hyt", spool.parent)
        assert done.returncode in (0, 1, 5), (step, done)


SAMPLE = """10: malloc 0x1000 100
10:calloc 0x2000 3 7
11: memalign 0x3000 64 10
11: realloc 0x4000 0x1000 200
10: realloc 0x5000 0x0 8
10: free 0x0
11: free 0x2000
10: malloc 0x0 99999999999
10: free 0x777000
11: thread_done 0x0
10: free 0x4000
"""


def test_the_text_of_memory_replay_is_imported(tmp_path):
    (tmp_path / "log.txt").write_text(SAMPLE)
    done = call(TRACE, "import", tmp_path / "log.txt", "--out", tmp_path / "a.hyt")
    assert done.returncode == 0, done.stderr
    found = stats(tmp_path / "a.hyt")
    assert (found["operations"], found["allocations"], found["reallocs"], found["frees"]) == (8, 4, 1, 2)
    assert (found["zeroed"], found["aligned"], found["refused"], found["foreign"]) == (1, 1, 1, 1)
    assert (found["threads"], found["thread_ends"], found["cross_thread_frees"]) == (2, 1, 1)
    assert (found["peak_bytes"], found["end_bytes"], found["end_blocks"]) == (239, 18, 2)
    again = call(TRACE, "import", "-", "--out", tmp_path / "b.hyt", input=SAMPLE)
    assert again.returncode == 0
    assert replay(tmp_path / "b.hyt", "libc").returncode == 0
    assert replay(tmp_path / "b.hyt", "libc", "parallel").returncode == 0


@pytest.mark.parametrize("line", [
    "10: mallocs 0x1000 1", "10 malloc 0x1000 1", "10: malloc 1000 1", "10: malloc 0x1000", "10: malloc 0x1000 x",
    "10: memalign 0x1000 24 8", "10: calloc 0x1000 99999999999 99999999999", "10: free", "x", "10: malloc 0x1000 1 2"])
def test_a_line_that_is_no_call_is_named(tmp_path, line):
    (tmp_path / "log.txt").write_text(f"10: malloc 0x9000 1\n{line}\n")
    done = call(TRACE, "import", tmp_path / "log.txt", "--out", tmp_path / "a.hyt")
    one_line(done, "log.txt:2:", line[:10])
    assert not (tmp_path / "a.hyt").exists()


def test_wrong_words_and_files_are_told_in_one_line(tmp_path):
    sample = CORPUS / "git-grep.hyt"
    (tmp_path / "text.hyt").write_text("not a trace\n")
    (tmp_path / "cut.hyt").write_bytes(sample.read_bytes()[:2000])
    newer = bytearray(sample.read_bytes())
    newer[8] = 2
    (tmp_path / "newer.hyt").write_bytes(newer)
    one_line(call(TRACE, "stats", tmp_path / "missing.hyt"), "missing.hyt", "No such file")
    one_line(call(TRACE, "stats", tmp_path / "text.hyt"), "text.hyt", "not a trace")
    one_line(call(TRACE, "info", tmp_path / "cut.hyt"), "cut after operation 0", "at byte", "--partial")
    one_line(call(TRACE, "stats", tmp_path / "newer.hyt"), "version 2", "version 1")
    one_line(replay(sample, "libcc"), "libcc", "did you mean libc")
    one_line(replay(sample, "arena", "parallel"), "arena", "not thread-safe")
    one_line(replay(sample, "floor_null"), "floor_null", "measured against")
    one_line(replay(sample, "pool"), "pool", "bytes at once")
    one_line(replay(sample, "libc", "fast"), "fast", "exact or parallel")
    one_line(call(TRACE, "replay", sample), "--allocator")
    one_line(call(TRACE, "stats", sample, "--jsn"), "--jsn")
    one_line(call(TRACE, "stats"), "which trace")
    one_line(call(TRACE, "sats", sample), "sats")
    one_line(record(tmp_path / "a.hyt", "nonexistent-program"), "nonexistent-program", "No such file")
    one_line(record("/dev/full", "/bin/true"), "/dev/full", "not a regular file")
    one_line(record(tmp_path / "no" / "a.hyt", "/bin/ls"), "can't be written")
    one_line(call(TRACE, "record", "--out", tmp_path / "a.hyt"), "which program")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.hyt", "newer.hyt", "text.hyt"]


def test_a_program_without_a_record_is_status_5(tmp_path):
    one_line(record(tmp_path / "a.hyt", "/bin/true"), "/bin/true", "no record", code=5)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.hyt")), ids=lambda path: path.stem)
def test_the_corpus_replays(path):
    found = stats(path)
    assert found["finished"] and found["bytes_per_operation"] < 4
    done = replay(path, "libc")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["peak_bytes"] == found["peak_bytes"] and result["refused"] == 0
    done = replay(path, "libc", "parallel")
    assert done.returncode == 0 and json.loads(done.stdout)["checksum"] == result["checksum"]


def test_the_script_is_a_door_to_the_program():
    sample = CORPUS / "git-grep.hyt"
    done = call(ROOT / "scripts" / "trace", "info", "--json", sample, env={**os.environ, "HEAPYARD_BUILD": str(BUILD)})
    assert done.returncode == 0 and json.loads(done.stdout)["threads"] > 1
    for command in ("record", "stats", "info", "replay", "import", "finish"):
        done = call(ROOT / "scripts" / "trace", command, "--help", env={**os.environ, "HEAPYARD_BUILD": str(BUILD)})
        assert done.returncode == 0 and done.stdout.startswith("usage:")
    done = call(ROOT / "scripts" / "trace", "sats")
    one_line(done, "sats")


def test_the_corpus_is_small_and_described():
    described = (CORPUS / "README.md").read_text()
    traces = sorted(CORPUS.glob("*.hyt"))
    assert len(traces) >= 6 and sum(path.stat().st_size for path in traces) <= 8 << 20
    for path in traces:
        assert f"`{path.stem}`" in described
