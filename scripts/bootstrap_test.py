"""bootstrap on machines that lack this or that, played by a PATH of stubs: nothing is installed here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent / "bootstrap"
TOOLS = ["sh", "cat", "cmp", "cp", "cut", "dirname", "env", "id", "mktemp", "rm", "sed", "tail", "timeout"]


class Machine:
    """A folder of programs that is all that bootstrap can find, and a list of packages that are installed."""

    def __init__(self, folder):
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.installed = folder / "installed"
        self.installed.write_text("")
        self.calls = folder / "calls"
        self.calls.write_text("")
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))

    def program(self, name, body="exit 0"):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def debian(self, refuses="nothing"):
        """dpkg-query answers from the list; apt-get adds to it, and fails where it should install `refuses`."""
        self.program("dpkg-query", f"while read -r name; do echo \"installed $name 99\"; done <{self.installed}; exit 1")
        self.program("dpkg", "exit 0")
        self.program(
            "apt-get",
            f"echo \"$@\" >>{self.calls}\n"
            f"case \" $* \" in *' update '* | *' update') exit 0 ;; *' {refuses} '* | *' {refuses}') echo E: no {refuses}; exit 100 ;; esac\n"
            f"for name; do echo \"$name\"; done >>{self.installed}",
        )

    def run(self, *arguments):
        environment = {"PATH": str(self.bin), "CI": "true"}
        return subprocess.run(
            [SCRIPT, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )


@pytest.fixture(name="machine")
def fixture_machine(tmp_path):
    return Machine(tmp_path)


root_only = pytest.mark.skipif(os.getuid() != 0, reason="as another user bootstrap would ask sudo, which is no stub here")


@root_only
def test_installs_what_is_missing_once(machine):
    machine.debian()
    first = machine.run("fuzz")
    assert first.returncode == 0, first.stderr
    assert "clang-14, required: libFuzzer" in first.stdout
    assert "install --no-install-recommends" in machine.calls.read_text()
    calls = machine.calls.read_text()
    second = machine.run("fuzz")
    assert second.returncode == 0 and 'everything for "fuzz" is here' in second.stdout
    assert machine.calls.read_text() == calls


def test_check_only_tells(machine):
    machine.debian()
    told = machine.run("--check", "fuzz")
    assert told.returncode == 1
    assert "clang-14, required" in told.stdout and '"fuzz" needs:' in told.stderr
    assert machine.calls.read_text() == ""


@root_only
def test_an_optional_package_that_cannot_be_had_is_named_and_does_not_fail(machine):
    machine.debian(refuses="afl++")
    run = machine.run("fuzz-overnight")
    assert run.returncode == 0, run.stderr
    assert "not in this build: afl++" in run.stdout
    assert "clang-14" in machine.installed.read_text()


@root_only
def test_a_required_package_that_cannot_be_had_fails_and_is_named(machine):
    machine.debian(refuses="clang-14")
    run = machine.run("fuzz")
    assert run.returncode == 1
    assert "could not install:" in run.stderr and "clang-14" in run.stderr
    assert sum("update" in call for call in machine.calls.read_text().split("\n")) == 1


def test_another_system_goes_on_where_the_commands_are_there(machine):
    for name in ("c++", "cmake", "ninja", "pkg-config", "git"):
        machine.program(name)
    run = machine.run("trace-stats")
    assert run.returncode == 0, run.stdout + run.stderr


def test_another_system_is_told_what_is_missing(machine):
    for name in ("cmake", "ninja", "pkg-config", "git"):
        machine.program(name)
    run = machine.run("trace-stats")
    assert run.returncode == 1
    assert "build-essential, required: C and C++ compilers" in run.stdout


@pytest.mark.parametrize(("arguments", "words"), [(["cats"], "unknown verb cats"), (["--cats"], "--cats"), ([], "which verb?")])
def test_usage_is_status_2(machine, arguments, words):
    run = machine.run(*arguments)
    assert run.returncode == 2 and words in run.stderr


def test_list_says_what_each_is_for(machine):
    listed = machine.run("--list", "test")
    assert listed.returncode == 0
    assert "libcmocka-dev" in listed.stdout and "the frame of the C tests" in listed.stdout
    assert "afl++" not in listed.stdout
