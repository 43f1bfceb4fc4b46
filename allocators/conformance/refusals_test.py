"""The conformance suite without memory, threads or a loadable plugin: it reports that and exits."""

import errno
import os

import plugins_test as plugins
import pytest
import trace_test as trace

SUITE = trace.BUILD / "allocators" / "conformance_test"
REFUSING = trace.BUILD / "allocators" / "libheapyard-refusing-libc.so"
TUNABLES = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=8192"}


def suite(*arguments, **environment):
    return trace.call(SUITE, *arguments, env={**os.environ, **TUNABLES, **environment})


def test_a_thread_that_can_not_be_started_is_reported():
    done = suite("raw_libc", LD_PRELOAD=str(REFUSING))
    assert done.returncode == 0, done.stderr
    done = suite("libc", LD_PRELOAD=str(REFUSING), HY_TEST_SYSTEM=f"pthread_create {errno.EAGAIN} 3 3")
    assert done.returncode != 0 and "libc: threads: with 4 threads: a thread can't be started" in done.stdout + done.stderr


def test_an_unknown_row_is_reported():
    done = suite("nobody")
    assert done.returncode == 1 and 'no row begins with "nobody"; did you mean ' in done.stderr


@pytest.mark.parametrize("arguments, message", [(["--plugin=x=/nowhere.so"], "/nowhere.so"), (["--plugin=x"], "label=path")])
def test_a_bad_plugin_is_reported(arguments, message):
    done = suite(*arguments)
    assert done.returncode == 2 and message in done.stderr


def test_every_refused_allocation_of_a_plugin_is_reported(tmp_path):
    other = plugins.compile_plugin(tmp_path)
    reported = set()
    for number in range(40):
        done = suite(f"--plugin=other={other}", "nobody", LD_PRELOAD=str(REFUSING), HY_TEST_REFUSE=str(number))
        # 127: the dynamic loader itself fails without memory.
        assert done.returncode in (1, 2, 127), (number, done)
        if done.returncode == 2 and "out of memory" in done.stderr:
            reported.add(number)
    assert len(reported) >= 3
