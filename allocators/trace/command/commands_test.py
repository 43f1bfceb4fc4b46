"""The commands of heapyard-trace: wrong arguments and files, lack of memory and disk space, and their output."""

import errno
import os
import resource
import shutil
import signal
import struct
import zlib
from pathlib import Path

import pytest
import trace_test as trace

TRACE = trace.TRACE
SAMPLE = trace.CORPUS / "git-grep.hyt"
REFUSING = trace.BUILD / "allocators" / "libheapyard-refusing-libc.so"


def run(*arguments, **more):
    return trace.call(TRACE, *arguments, **more)


def imported(folder, *lines):
    """A trace of exactly these calls, imported from text."""
    path = folder / "made.hyt"
    done = run("import", "-", "--out", path, input="".join(f"{line}\n" for line in lines))
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize("arguments, message", [
    (["record", "--out"], "--out needs a file's name"),
    (["record", "--fast", "ls"], "--fast: no such option"),
    (["record", "--outer=x", "ls"], "--outer=x: no such option"),
    (["record", "--out", "x" * 5000, "--", "ls"], "the path is too long"),
    (["record", "--out=/" + "x" * 4080, "--", "ls"], "the path is too long"),
    (["finish"], "which folder of spools"), (["finish", "a", "b"], "which folder of spools"),
    (["finish", "--out"], "--out needs a file's name"),
    (["finish", "--out", "/" + "x" * 5000, "a"], "the path is too long"),
    (["finish", "x" * 5000], "the path is too long"),
    (["finish", "/nonexistent"], "/nonexistent: can't be read: No such file"),
    (["stats", "a", "b"], "b: one trace at a time"), (["info", "--fast"], "--fast: no such option"),
    (["info"], "which trace"),
    (["replay"], "which trace"), (["replay", "a", "b"], "b: one trace at a time"),
    (["replay", "a", "--fast"], "--fast: no such option"), (["replay", "a", "--allocator"], "--allocator needs a value"),
    (["replay", "a", "--repeat", "0"], "1 to 1000000"), (["replay", "a", "--repeat=x"], "1 to 1000000"),
    (["replay", "a", "--repeat", "1000001"], "1 to 1000000"),
    (["replay", "/nonexistent", "--allocator", "libc"], "/nonexistent: can't be read"),
    (["import"], "a log (or -) and --out FILE are needed"), (["import", "a"], "are needed"),
    (["import", "--out", "a"], "are needed"), (["import", "a", "b"], "b: one log at a time"),
    (["import", "--out"], "--out needs a file's name"), (["import", "-x"], "-x: no such option"),
    (["import", "/nonexistent", "--out", "x"], "/nonexistent: can't be read: No such file"),
    (["import", "/dev/null", "--out", "x"], "holds no operation"),
], ids=lambda value: " ".join(word[:20] for word in value) if isinstance(value, list) else "")
def test_wrong_arguments_are_reported_in_one_line(tmp_path, arguments, message):
    trace.one_line(run(*arguments, cwd=tmp_path), message)
    assert list(tmp_path.iterdir()) == []


def test_usage_is_printed_on_request():
    none, asked, short = run(), run("--help"), run("-h")
    assert (none.returncode, none.stdout) == (2, "")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert none.stderr == asked.stdout == short.stdout
    for command in ("record", "finish", "stats", "info", "import", "replay"):
        assert f"\n  {command} " in asked.stdout
        assert run(command, "-h").stdout.startswith(f"usage: heapyard-trace {command} ")


def test_statistics_as_text(tmp_path):
    path = imported(tmp_path, "1: malloc 0x1000 1", "1: malloc 0x2000 3", "2: calloc 0x3000 1 5000", "2: free 0x1000",
                    "1: realloc 0x4000 0x3000 6000", "1: malloc 0x0 77", "1: free 0x9000", "2: thread_done 0x0")
    done = run("stats", path)
    assert done.returncode == 0 and done.stderr == ""
    lines = {line[:12].strip(): line[12:].strip() for line in done.stdout.splitlines()}
    assert lines["allocations"] == "3 (33.3 % zeroed, 0.0 % aligned above malloc's)"
    assert lines["reallocs"] == "1 (16.7 % of operations)"
    assert lines["frees"] == "1 (100.0 % by another thread, 0.0 % before the next allocation)"
    assert lines["refused"] == "1" and lines["at the end"] == "6003 bytes in 2 blocks"
    assert lines["peak"] == "6003 bytes after operation 5; 3 blocks"
    assert lines["threads"] == "2, of which 1 ended before the program"
    assert lines["left out"] == "1 calls on blocks from before the recording"
    assert "\nlifetime in allocations    blocks freed\n" in done.stdout
    assert "        1            1  33.3 %  " + "#" * 40 in done.stdout
    assert "    2-3  " in done.stdout and "    4K-  " in done.stdout
    assert run("info", path).stdout == done.stdout[: done.stdout.index("allocations ")]


def test_statistics_of_a_trace_without_calls(tmp_path):
    path = imported(tmp_path, "1: thread_done 0x0")
    done = run("stats", path)
    assert done.returncode == 0 and "allocations  0 (0.0 % zeroed" in done.stdout
    assert "0.00 per operation" in done.stdout and "blocks freed" not in done.stdout
    assert trace.stats(path)["bytes_per_operation"] == 0
    trace.one_line(trace.replay(path, "libc"), "holds no operation to replay", code=5)


def test_the_greatest_sizes_are_counted(tmp_path):
    path = imported(tmp_path, f"1: malloc 0x1000 {2**64 - 1}", "1: malloc 0x2000 0")
    found = trace.stats(path)
    assert found["sizes"] == [[0, 1], [2**64 - 1, 1]]
    assert "8E-" in run("stats", path).stdout
    trace.one_line(trace.replay(path, "libc"), "operation 0 can't be replayed")


def test_names_are_json_whatever_they_hold(tmp_path):
    log = tmp_path / 'a "quoted" \\ \x7f\x01name'
    log.write_text("1: malloc 0x1000 1\n")
    done = run("import", log, f"--out={tmp_path / 'a.hyt'}")
    assert done.returncode == 0, done.stderr
    assert trace.stats(tmp_path / "a.hyt")["program"] == str(log).replace("\x7f\x01", "  ")
    odd = tmp_path / "a\nb\x7f.hyt"
    shutil.copy(tmp_path / "a.hyt", odd)
    done = trace.replay(odd, "libc")
    assert done.returncode == 0 and r"a\u000ab\u007f.hyt" in done.stdout


def test_date_records_the_time_of_the_recording(tmp_path):
    done = run("record", "--date", "--out", "a.hyt", "--", "/bin/ls", cwd=tmp_path)
    assert done.returncode == 0 and "a.hyt: " in done.stderr
    date = trace.stats(tmp_path / "a.hyt")["date"]
    assert len(date) == 20 and date[10] == "T" and date.endswith("Z")
    assert f"date         {date}\n" in run("info", tmp_path / "a.hyt").stdout


def test_a_replay_as_text():
    done = run("replay", SAMPLE, "--allocator", "libc", "--repeat", "2")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == f"{SAMPLE} on libc, exact, 1 thread"
    done = run("replay", SAMPLE, "--allocator=libc", "--mode=parallel")
    assert done.returncode == 0 and ", parallel, " in done.stdout and " threads\n" in done.stdout
    done = run("replay", SAMPLE, "--own-cost", "--repeat", "2")
    assert done.returncode == 0 and done.stdout.startswith("own cost  ")


def test_requests_that_an_allocator_can_not_serve_are_reported(tmp_path):
    aligned = imported(tmp_path, "1: memalign 0x1000 65536 8")
    trace.one_line(trace.replay(aligned, "pool"), "asks for alignment 65536, pool gives at most 16")
    large = imported(tmp_path, *(f"1: malloc 0x{i:x}000 60000" for i in range(1, 2000)))
    trace.one_line(trace.replay(large, "fixed_buffer"), "fixed_buffer holds less than the trace needs")
    huge = imported(tmp_path, f"1: malloc 0x1000 {2**39}", f"1: realloc 0x1000 0x1000 {2**39 + 2**38}", "1: free 0x1000")
    done = trace.replay(huge, "limited")
    trace.one_line(done, "limited", code=2 if "holds less" in done.stderr else 3)
    # A limit on address space makes the requests fail on every machine, whatever its overcommit policy.
    done = run("replay", huge, "--allocator", "libc", preexec_fn=limit_memory)
    trace.one_line(done, "libc refused 2 of the requests", code=3)
    done = run("replay", huge, "--allocator", "libc", "--mode", "parallel", preexec_fn=limit_memory)
    trace.one_line(done, "libc refused 2 of the requests", code=3)


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33))


@pytest.mark.parametrize("mode", ["exact", "parallel"])
def test_changed_contents_are_a_finding(tmp_path, mode):
    # Both requests get the same block. Equal sizes have equal tags, so a timed run detects it only because one
    # block then changes to another size.
    path = imported(tmp_path, "1: malloc 0x1000 1777", "1: malloc 0x2000 1777", "1: realloc 0x2000 0x2000 1700", "1: free 0x1000")
    sharing = {**os.environ, "LD_PRELOAD": str(REFUSING), "HY_TEST_SHARE": "1777"}
    done = run("replay", path, "--allocator", "libc", "--mode", mode, "--repeat", "2", env=sharing)
    trace.one_line(done, "libc: contents changed in ", code=3)


@pytest.mark.parametrize("arguments", [
    ["stats", "made.hyt"], ["info", "--json", "made.hyt"],
    ["replay", "made.hyt", "--allocator", "libc"], ["replay", "made.hyt", "--allocator", "arena"], ["replay", "made.hyt", "--own-cost"],
    ["replay", "made.hyt", "--allocator", "libc", "--mode", "parallel"],
    ["import", "log.txt", "--out", "out.hyt"], ["finish", "--keep-spools", "--out", "out.hyt", "spools"],
], ids=" ".join)
def test_every_refused_allocation_is_reported(tmp_path, arguments):
    imported(tmp_path, *trace.SAMPLE.splitlines())
    (tmp_path / "log.txt").write_text(trace.SAMPLE + "".join(f"{tid}: malloc 0x{tid}000 8\n" for tid in range(20, 60)))
    trace.call(TRACE, "record", "--keep-spools", "--out", tmp_path / "a.hyt", "--", "/bin/ls")
    next(tmp_path.glob("a.hyt.spools.*")).rename(tmp_path / "spools")
    (tmp_path / "a.hyt").unlink()
    codes = set()
    # With the tunable set the program does not re-execute itself, which would count requests twice.
    room = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=8192"}
    for number in range(60):
        refusing = {**os.environ, **room, "LD_PRELOAD": str(REFUSING), "HY_TEST_REFUSE": str(number)}
        done = run(*arguments, cwd=tmp_path, env=refusing)
        # 3: the refused request was one of the replayed allocator.
        assert done.returncode in (0, 1, 2, 3), (number, done)
        assert (done.stderr != "") == (done.returncode != 0) or arguments[0] == "finish", (number, done)
        assert not list(tmp_path.glob("*.tmp"))
        codes.add(done.returncode)
    assert {0, 1} <= codes


def test_a_peer_without_thread_local_storage_is_missing():
    refusing = {**os.environ, "LD_PRELOAD": str(REFUSING), "HY_TEST_REFUSE": "0"}
    refusing.pop("GLIBC_TUNABLES", None)
    done = run("replay", SAMPLE, "--allocator", "jemalloc", env=refusing)
    trace.one_line(done, "jemalloc is not in this build: ")


def test_a_missing_recorder_is_reported(tmp_path):
    alone = shutil.copy(TRACE, tmp_path / "alone")
    trace.one_line(trace.call(alone, "record", "--out", tmp_path / "a.hyt", "/bin/ls"), "libheapyard-record.so is not in this build")


def test_a_trace_replaces_the_one_before(tmp_path):
    (tmp_path / "a.hyt").write_text("old")
    done = run("record", "--quiet", "a.hyt", cwd=tmp_path)
    trace.one_line(done, "record: a.hyt: ")
    assert run("record", "--quiet", "--out", "a.hyt", "/bin/ls", cwd=tmp_path).returncode == 0
    assert trace.stats(tmp_path / "a.hyt")["finished"]


def remove_working_folder(folder):
    def leave():
        os.chdir(folder)
        os.rmdir(folder)
    return leave


def test_a_removed_working_folder_is_reported(tmp_path):
    (tmp_path / "gone").mkdir()
    done = run("record", "--out", "a.hyt", "/bin/ls", preexec_fn=remove_working_folder(tmp_path / "gone"))
    trace.one_line(done, "there is no working folder")


def limit_files(count):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def test_a_lack_of_descriptors_is_reported(tmp_path):
    done = run("record", "--out", tmp_path / "a.hyt", "--", "/bin/ls", preexec_fn=limit_files(4))
    trace.one_line(done, "record: Too many open files")
    assert list(tmp_path.iterdir()) == []


def test_a_trace_that_can_not_be_written_is_reported(tmp_path):
    done = run("import", "-", "--out", "/dev/full/a.hyt", input="1: malloc 0x1000 1\n")
    trace.one_line(done, "/dev/full/a.hyt: can't be written: Not a directory", code=1)
    done = run("import", "-", "--out", "/" + "x" * 4093, input="1: malloc 0x1000 1\n")
    trace.one_line(done, "the path is too long", code=1)
    done = run("import", "-", "--out", tmp_path, input="1: malloc 0x1000 1\n")
    trace.one_line(done, "can't be written: Is a directory", code=1)
    assert list(tmp_path.iterdir()) == []


def limit_file_size():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


@pytest.fixture
def spools(tmp_path):
    """A folder with one spool, such as a killed recording leaves."""
    done = run("record", "--keep-spools", "--out", tmp_path / "a.hyt", "--", "/bin/ls")
    assert done.returncode == 0, done.stderr
    (tmp_path / "a.hyt").unlink()
    return next(tmp_path.glob("a.hyt.spools.*"))


def test_spools_are_kept_where_traces_can_not_be_written(tmp_path, spools):
    done = run("finish", "--out", tmp_path / "b.hyt", spools, preexec_fn=limit_file_size)
    assert done.returncode == 1 and "File too large" in done.stderr and "the spools stay in" in done.stderr
    done = run("finish", "--out", tmp_path / "no" / "b.hyt", spools)
    assert done.returncode == 1 and "No such file" in done.stderr and "the spools stay in" in done.stderr
    assert len(list(spools.glob("*.spool"))) == 1 and not list(tmp_path.glob("b.hyt*"))


def test_damaged_spools_are_reported_and_other_files_left_alone(tmp_path, spools):
    whole = next(spools.glob("*.spool"))
    (spools / "7.0.spool").write_bytes(b"short")
    (spools / "8.0.spool").write_bytes(bytes(100000))
    (spools / "9.0.spool").symlink_to("nowhere")
    (spools / "10.0.spoon").write_text("not ours")
    (spools / "read.me").write_text("not ours")
    done = run("finish", "--quiet", "--out", tmp_path / "b.hyt", spools)
    assert done.returncode == 1
    assert "7.0.spool: not a spool of the recorder (too short)" in done.stderr
    assert "8.0.spool: not a spool of the recorder\n" in done.stderr
    assert "9.0.spool: No such file or directory" in done.stderr
    assert "spoon" not in done.stderr and (spools / "read.me").exists() and not whole.exists()


def test_spools_with_equal_start_times_are_ordered_by_number(tmp_path, spools):
    whole = next(spools.glob("*.spool"))
    for name in ("5.1", "5.0", "3.0"):
        shutil.copy(whole, spools / f"{name}.spool")
    whole.unlink()
    done = run("finish", "--keep-spools", "--out", tmp_path / "b.hyt", spools)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob("b.hyt*")) == ["b.hyt", "b.hyt.5", "b.hyt.5.1"]


def test_a_folder_without_spools_is_status_5(tmp_path):
    (tmp_path / "empty").mkdir()
    trace.one_line(run("finish", "--out", tmp_path / "b.hyt", tmp_path / "empty"), "holds no spool with an operation", code=5)


def spool(folder, records, command=b"", end=1, threads=None):
    """Writes a spool; records are (stamp, log2 of the alignment, kind, thread, address, size)."""
    header = struct.pack("<QQIIIIQ512s2048s", 0x314C4F4F50535948, 1, 2**30, 0, end, 28, 0, b"/bin/made", command)
    chunk = struct.pack("<I60x", 0x4B4E4843)
    for stamp, log2, kind, thread, address, size in records:
        chunk += struct.pack("<QQQ", stamp << 10 | log2 << 4 | kind, thread << 48 | address, size)
    folder.mkdir()
    (folder / f"{2**30}.0.spool").write_bytes(header.ljust(65536, b"\0") + chunk.ljust(65536, b"\0"))
    return folder


ALLOC, CALLOC, FREE, BEGIN, END, REFUSED, THREAD_END = range(1, 8)


def test_every_kind_of_record_is_read(tmp_path):
    records = [(1, 0, ALLOC, 0, 0x1000, 10), (2, 0, THREAD_END, 1, 0, 0), (3, 6, CALLOC, 1, 0x2000, 20), (4, 0, BEGIN, 0, 0x1000, 0),
               (5, 0, END, 0, 0x3000, 30), (6, 0, REFUSED, 0, 0, 40), (7, 0, THREAD_END, 1, 0, 0), (8, 0, FREE, 0, 0x2000, 0),
               (9, 0, FREE, 0, 0, 0), (10, 0, 9, 0, 0x4000, 1)]
    folder = spool(tmp_path / "s", records, b"made\0\0with an empty word\0")
    done = run("finish", "--out", tmp_path / "a.hyt", folder)
    assert done.returncode == 0, done.stderr
    found = trace.stats(tmp_path / "a.hyt")
    assert found["command"] == "made '' with an empty word"
    assert (found["operations"], found["allocations"], found["reallocs"], found["frees"]) == (5, 2, 1, 1)
    # Thread 1 has two ends, because a destructor allocated after the first: only the last one counts.
    assert (found["zeroed"], found["aligned"], found["refused"], found["thread_ends"]) == (1, 1, 1, 1)


def test_a_spool_with_more_gaps_than_threads_is_damaged(tmp_path):
    folder = spool(tmp_path / "s", [(1, 0, ALLOC, 0, 0x1000, 10), (2, 0, ALLOC, 0, 0x2000, 10), (9, 0, FREE, 0, 0x1000, 0)], b"x" * 2048)
    done = run("finish", "--out", tmp_path / "a.hyt", folder)
    assert done.returncode == 0 and "not finished: the spool is damaged: 6 records are missing" in done.stderr
    assert trace.stats(tmp_path / "a.hyt", "--partial")["operations"] == 2
    done = run("info", "--partial", tmp_path / "a.hyt")
    assert "are missing (not finished)\n" in done.stdout


@pytest.mark.parametrize("path", [Path("/proc/self/mem"), Path("/dev/null"), Path("/dev/zero"), Path("/")], ids=str)
def test_special_files_are_not_traces(path):
    trace.one_line(run("stats", path), str(path))


def test_an_empty_file_and_every_truncation_are_reported(tmp_path):
    whole = imported(tmp_path, "1: malloc 0x1000 1", "1: free 0x1000").read_bytes()
    cut = tmp_path / "cut.hyt"
    for length in range(0, len(whole), 3):
        cut.write_bytes(whole[:length])
        trace.one_line(run("info", cut), "cut.hyt")


def failing(name, why, first=1, last=1 << 30):
    return {**os.environ, "LD_PRELOAD": str(REFUSING), "HY_TEST_SYSTEM": f"{name} {why} {first} {last}"}


@pytest.mark.parametrize("name, why, message", [
    ("write", errno.ENOSPC, "No space left"), ("write", errno.EDQUOT, "quota exceeded"), ("fsync", errno.EIO, "Input/output error"),
    ("ftruncate", errno.EIO, "Input/output error"), ("close", errno.EDQUOT, "quota exceeded"), ("rename", errno.EACCES, "Permission denied"),
])
def test_a_failed_write_leaves_no_trace_file(tmp_path, name, why, message):
    log = tmp_path / "log.txt"
    log.write_text("1: malloc 0x1000 1\n")
    trace.one_line(run("import", log, "--out", tmp_path / "a.hyt", env=failing(name, why)), "a.hyt: can't be written", message, code=1)
    assert list(tmp_path.iterdir()) == [log]


def test_interrupted_system_calls_are_repeated(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("1: malloc 0x1000 1\n")
    assert run("import", log, "--out", tmp_path / "a.hyt", env=failing("write", errno.EINTR, 1, 3)).returncode == 0
    assert run("info", tmp_path / "a.hyt", env=failing("read", errno.EINTR, 1, 3)).returncode == 0


@pytest.mark.parametrize("name, why, code, message", [
    ("read", errno.EIO, 1, "Input/output error"), ("read", 0, 1, "it shrank meanwhile"), ("fstat", errno.EIO, 2, "can't be read"),
])
def test_a_trace_that_can_not_be_read_is_reported(name, why, code, message):
    trace.one_line(run("info", SAMPLE, env=failing(name, why)), "git-grep.hyt: ", message, code=code)


def test_a_lack_of_processes_or_threads_is_reported(tmp_path):
    trace.one_line(run("record", "--out", tmp_path / "a.hyt", "/bin/ls", env=failing("fork", errno.EAGAIN)), "record: Resource temporarily unavailable")
    assert list(tmp_path.iterdir()) == []
    done = run("replay", SAMPLE, "--allocator", "libc", "--mode", "parallel", env=failing("pthread_create", errno.EAGAIN, 2))
    trace.one_line(done, "threads can't be started", code=1)


def test_a_spool_that_can_not_be_examined_is_reported(tmp_path, spools):
    done = run("finish", "--out", tmp_path / "b.hyt", spools, env=failing("fstat", errno.EIO))
    assert done.returncode == 1 and "Input/output error" in done.stderr and "the spools stay" in done.stderr


def test_on_a_full_disk_the_trace_overwrites_its_spool_unless_spools_are_kept(tmp_path, spools):
    kept = next(spools.glob("*.spool"))
    full = failing("write", errno.ENOSPC, 1, 1)
    done = run("finish", "--keep-spools", "--out", tmp_path / "b.hyt", spools, env=full)
    assert done.returncode == 1 and "No space left" in done.stderr and kept.exists()
    done = run("finish", "--out", tmp_path / "b.hyt", spools, env=full)
    assert done.returncode == 0 and not spools.exists()
    assert trace.stats(tmp_path / "b.hyt")["finished"]


def made_file(text, *chunks):
    head = b"\x89HYT\r\n\x1a\n" + struct.pack("<II", 1, len(text)) + text
    return head + struct.pack("<I", zlib.crc32(head)) + b"".join(chunks)


def made_chunk(magic=0x4B435948, ops=1, lengths=(1, 0, 0, 0), packed=b""):
    head = struct.pack(f"<II{len(lengths)}II", magic, ops, *lengths, len(packed))
    return head + struct.pack("<I", zlib.crc32(packed, zlib.crc32(head))) + packed


@pytest.mark.parametrize("data, message", [
    (made_file(b"operations=99999999999999999999999\nfinished=1\n"), f"cut after operation 0 of {2**64 - 1}"),
    (made_file(b"operations=1\n", made_chunk(magic=1)), "damaged after operation 0 of 1"),
    (made_file(b"operations=1\n", made_chunk(ops=0)), "damaged after operation 0"),
    (made_file(b"operations=1\n", made_chunk(ops=2**20 + 1)), "damaged after operation 0"),
    (made_file(b"operations=1\n", made_chunk(lengths=(2**31, 0, 0, 0))), "damaged after operation 0"),
    (made_file(b"operations=1\n", made_chunk()), "damaged (can't be unpacked)"),
    (made_file(b"operations=0\nfinished=1\n", b"x"), "more follows than its first lines promise"),
    (made_file(b"operations=0\nend=nothing\n"), "ends after operation 0, because its recording did not finish (nothing)"),
])
def test_values_under_a_matching_checksum_are_verified_too(tmp_path, data, message):
    (tmp_path / "a.hyt").write_bytes(data)
    trace.one_line(run("info", tmp_path / "a.hyt"), message)


def test_unknown_metadata_is_ignored(tmp_path):
    (tmp_path / "a.hyt").write_bytes(made_file(b"no equals sign\ncolour=blue\noperations=0\nfinished=1\nprogram=me"))
    found = trace.stats(tmp_path / "a.hyt")
    assert (found["program"], found["operations"]) == ("me", 0)


def test_more_operations_than_the_metadata_says_are_damage(tmp_path):
    whole = imported(tmp_path, "1: malloc 0x1000 1", "1: free 0x1000").read_bytes()
    (length,) = struct.unpack_from("<I", whole, 12)
    text = whole[16 : 16 + length].replace(b"operations=2", b"operations=1")
    (tmp_path / "a.hyt").write_bytes(made_file(text, whole[16 + length + 4 :]))
    trace.one_line(run("info", tmp_path / "a.hyt"), "more follows than its first lines promise")


@pytest.mark.parametrize("tunables", ["", "glibc.malloc.perturb=0", "glibc.malloc.perturb=0:" * 200])
def test_other_tunables_are_kept(tunables):
    done = run("replay", SAMPLE, "--allocator", "libc", env={**os.environ, "GLIBC_TUNABLES": tunables})
    assert done.returncode == 0, done.stderr
