"""The recorder when its system calls fail: the program is not affected, and the trace says where it ends."""

import errno
import os
import resource
import signal
import subprocess

import pytest
import trace_test as trace

STRICT = trace.BUILD / "allocators" / "heapyard-strict-system"
RECORDER = trace.BUILD / "allocators" / "libheapyard-record.so"
EVERY = 1 << 30


def strict(what, folder, *refusals, **more):
    """Runs strict_system with the recorder preloaded; refusals: (function, errno, first call, last call)."""
    variable = " ".join(f"{name} {why} {first} {last}" for name, why, first, last in refusals)
    chosen = {"LD_PRELOAD": str(RECORDER), "HY_TEST_SYSTEM": variable}
    if folder is not None:
        chosen["HEAPYARD_RECORD"] = str(folder)
    return trace.call(STRICT, what, env={**os.environ, **chosen}, **more)


def finish(folder, out):
    done = trace.call(trace.TRACE, "finish", "--out", out, folder)
    assert done.returncode == 0, done.stderr
    return trace.stats(out, "--partial")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "spools"
    path.mkdir()
    return path


@pytest.mark.parametrize("refusals", [
    [],
    # A file system without fallocate: zeros are written instead.
    [("fallocate", errno.EOPNOTSUPP, 1, EVERY)], [("fallocate", errno.ENOSYS, 1, EVERY)],
    # No higher descriptor, unknown limits, a descriptor that was closed and must be reopened.
    [("fcntl", errno.EINVAL, 1, 1)], [("getrlimit", errno.EINVAL, 1, EVERY)], [("fstat", errno.EBADF, 2, 2)],
    # The first extent is refused and a smaller one is served; the program's name and arguments are unknown.
    [("fallocate", errno.ENOSPC, 1, 1)], [("readlink", errno.ENOENT, 1, 1)], [("open", errno.ENOENT, 2, 2)],
], ids=lambda refusals: " ".join(name for name, *_ in refusals) or "none")
def test_a_failure_with_a_fallback_loses_nothing(tmp_path, folder, refusals):
    done = strict("calls", folder, *refusals)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    found = finish(folder, tmp_path / "a.hyt")
    assert found["finished"] and found["end"] == "exit"
    # 250,000 of the loop, the one before realloc, and the buffer of standard output; the refused ones are those
    # of calloc and memalign.
    assert (found["allocations"], found["frees"], found["reallocs"]) == (250002, 250001, 1)
    assert found["refused"] == 2


@pytest.mark.parametrize("refusals, message", [
    ([("fallocate", errno.ENOSPC, 2, EVERY)], "no space left"),
    ([("fallocate", errno.EOPNOTSUPP, 1, EVERY), ("pwrite", errno.ENOSPC, 300, EVERY)], "no space left"),
    ([("fallocate", errno.EIO, 2, EVERY)], f"error {errno.EIO}"),
    ([("mmap", errno.ENOMEM, 4, EVERY)], f"error {errno.ENOMEM}"),
    ([("mmap", errno.ENOMEM, 5, EVERY)], f"error {errno.ENOMEM}"),
    ([("fstat", errno.EBADF, 3, EVERY)], f"error {errno.EBADF}"),
    ([("fstat", errno.EBADF, 3, EVERY), ("open", errno.EMFILE, 3, 3)], f"error {errno.EMFILE}"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_failure_while_recording_ends_the_recording_there(tmp_path, folder, refusals, message):
    done = strict("calls", folder, *refusals)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr.count("\n") == 1 and done.stderr.endswith(f" records: {message}\n"), done.stderr
    found = finish(folder, tmp_path / "a.hyt")
    assert not found["finished"] and found["end"].startswith("the recorder stopped")
    assert 1000 < found["operations"] < 500000


@pytest.mark.parametrize("refusals", [
    [("fallocate", errno.ENOSPC, 1, EVERY)], [("open", errno.EACCES, 1, 1)], [("fstat", errno.EIO, 1, 1)],
    [("mmap", errno.ENOMEM, 2, EVERY)], [("fstat", errno.EBADF, 2, EVERY)],
], ids=lambda refusals: refusals[0][0])
def test_a_failure_at_the_start_is_reported_at_exit(folder, refusals):
    done = strict("calls", folder, *refusals)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr.count("\n") == 1 and "stopped after 0 records: can't write to the folder of spools" in done.stderr


def test_a_failed_start_leaves_no_descriptor_open(folder):
    done = strict("files", folder, ("fstat", errno.EIO, 1, 1))
    assert done.stdout == "3\n" and "stopped after 0 records" in done.stderr


@pytest.mark.parametrize("name", ["mmap", "madvise"])
def test_without_a_state_page_nothing_is_recorded_or_printed(folder, name):
    done = strict("calls", folder, (name, errno.EINVAL, 1, EVERY))
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", [None, "", "relative", "/" + "x" * 4200])
def test_without_an_absolute_folder_nothing_is_recorded(tmp_path, name):
    done = strict("calls", name, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [4094, 4090, 4086, 4082, 3000])
def test_a_folder_path_that_leaves_no_room_for_a_name_is_refused(tmp_path, length):
    done = strict("calls", "/" + "x" * (length - 1), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "can't write to the folder of spools" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_calls_before_the_real_functions_are_known_are_served(folder):
    done = strict("early", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\nearly calls were right\n", "")


def test_an_exit_without_handlers_finishes_the_trace(tmp_path, folder):
    done = strict("exit", folder)
    assert (done.returncode, done.stdout) == (7, "done\n")
    assert finish(folder, tmp_path / "a.hyt")["finished"]


def test_a_signal_to_the_recording_reaches_the_program(tmp_path):
    program = ("import signal, sys\n"
               "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
               "print('up', flush=True)\n"
               "signal.pause()\n")
    words = [trace.TRACE, "record", "--quiet", "--out", tmp_path / "a.hyt", "--", "/usr/bin/python3", "-c", program]
    with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "up\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 9
    assert trace.stats(tmp_path / "a.hyt")["finished"]


def test_other_preloaded_libraries_are_kept(tmp_path):
    before = trace.BUILD / "allocators" / "libheapyard-refusing-libc.so"
    done = trace.record(tmp_path / "a.hyt", "/bin/sh", "-c", "echo $LD_PRELOAD", env={**os.environ, "LD_PRELOAD": str(before)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{RECORDER}:{before}"


def test_an_empty_preload_variable_adds_no_separator(tmp_path):
    done = trace.record(tmp_path / "a.hyt", "/bin/sh", "-c", "echo $LD_PRELOAD", env={**os.environ, "LD_PRELOAD": ""})
    assert done.returncode == 0 and done.stdout.strip() == str(RECORDER)


def test_a_program_without_allocations_may_start_one_with_allocations(tmp_path):
    done = trace.record(tmp_path / "a.hyt", STRICT, "start")
    assert done.returncode == 0, done.stderr
    (only,) = tmp_path.iterdir()
    assert only.name.startswith("a.hyt.") and trace.stats(only)["program"].endswith("/ls")


def test_a_thread_that_allocates_in_a_late_destructor_is_recorded(tmp_path, folder):
    done = strict("thread", folder)
    assert (done.returncode, done.stderr) == (0, "")
    found = finish(folder, tmp_path / "a.hyt")
    # One end of the thread, the later one; the _exit of the vfork child is not the process's end.
    assert found["finished"] and (found["threads"], found["thread_ends"]) == (2, 1)
    assert {4999, 5000, 5001} <= {size for size, _ in found["top_sizes"]}


def test_a_closed_standard_error_is_not_written_to(folder):
    done = strict("calls", folder, ("fallocate", errno.EIO, 2, EVERY), preexec_fn=lambda: os.close(2))
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_few_descriptors_are_enough(tmp_path, folder):
    done = strict("calls", folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert finish(folder, tmp_path / "a.hyt")["finished"]


def test_a_folder_with_every_name_taken_is_refused(folder):
    def take_all():
        for number in range(10000):
            os.close(os.open(folder / f"{os.getpid()}.{number}.spool", os.O_CREAT))
    done = strict("calls", folder, preexec_fn=take_all)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "can't write to the folder of spools" in done.stderr
