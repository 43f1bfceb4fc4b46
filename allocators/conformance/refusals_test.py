"""The conformance suite where memory, threads or a plugin's rows are refused: it says so and ends."""

import errno
import os

import plugins_test as plugins
import pytest
import trace_test as trace

SUITE = trace.BUILD / "allocators" / "conformance_test"
REFUSING = trace.BUILD / "allocators" / "libheapyard-refusing-libc.so"
ROOM = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=8192"}


def suite(*words, **environment):
    return trace.call(SUITE, *words, env={**os.environ, **ROOM, **environment})


def test_threads_that_can_not_be_started_are_told():
    done = suite("raw_libc", LD_PRELOAD=str(REFUSING))
    assert done.returncode == 0, done.stderr
    done = suite("libc", LD_PRELOAD=str(REFUSING), HY_TEST_SYSTEM=f"pthread_create {errno.EAGAIN} 3 3")
    assert done.returncode != 0 and "libc: threads: with 4 threads: a thread can't be started" in done.stdout + done.stderr


def test_no_row_of_a_name_is_told():
    done = suite("nobody")
    assert done.returncode == 1 and 'no row begins with "nobody"; did you mean ' in done.stderr


@pytest.mark.parametrize("words, says", [(["--plugin=x=/nowhere.so"], "/nowhere.so"), (["--plugin=x"], "label=path")])
def test_what_is_no_plugin_is_told(words, says):
    done = suite(*words)
    assert done.returncode == 2 and says in done.stderr


def test_each_refused_allocation_of_a_plugin_is_told(tmp_path):
    other = plugins.compile_plugin(tmp_path)
    said = set()
    for number in range(40):
        done = suite(f"--plugin=other={other}", "nobody", LD_PRELOAD=str(REFUSING), HY_TEST_REFUSE=str(number))
        # 127: the loader itself gives up where it has no memory.
        assert done.returncode in (1, 2, 127), (number, done)
        if done.returncode == 2 and "out of memory" in done.stderr:
            said.add(number)
    assert len(said) >= 3
