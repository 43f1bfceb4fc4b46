"""Exit codes, errors, paths and files, shared by all scripts of the yard."""

import argparse
import contextlib
import difflib
import enum
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "reports" / "out"


class Exit(enum.IntEnum):
    """The exit statuses of all scripts; where several apply, see worst()."""

    GOOD = 0
    HARNESS = 1  # a crashed or hung cell, or the harness itself failed
    USAGE = 2
    CONFIRMED = 3  # a regression, a crash found, a mutant that survived
    INCONCLUSIVE = 4
    NOTHING_MEASURED = 5


def worst(codes):
    """The one status to return where several apply: 2, then 3, 1, 5, 4, 0."""
    order = [Exit.USAGE, Exit.CONFIRMED, Exit.HARNESS, Exit.NOTHING_MEASURED, Exit.INCONCLUSIVE, Exit.GOOD]
    present = set(codes)
    return next((code for code in order if code in present), Exit.GOOD)


class Failure(Exception):
    """An error with its exit status; main_guard prints it as one line on standard error."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def usage_error(message):
    """A usage error (exit 2) to raise; the message should name the object and the remedy."""
    return Failure(Exit.USAGE, message)


EXIT_WORDS = {
    Exit.GOOD: "good",
    Exit.HARNESS: "the harness failed",
    Exit.USAGE: "usage",
    Exit.CONFIRMED: "a confirmed failure",
    Exit.INCONCLUSIVE: "inconclusive",
    Exit.NOTHING_MEASURED: "nothing was measured",
}
EVERY_SCRIPT = (Exit.GOOD, Exit.HARNESS, Exit.USAGE)
HELP_WIDTH = 110
HELP_COLUMN = 28


def exit_paragraph(own):
    """What ends every script's help. own: the statuses that this script gives beyond those that all give, and
    those that it has more to say about, with its words or None for the common ones."""
    codes = sorted({*EVERY_SCRIPT, *own})
    told = "exit codes: " + ", ".join(f"{code.value}\N{NO-BREAK SPACE}{own.get(code) or EXIT_WORDS[code]}" for code in codes)
    order = "" if set(codes) == set(EVERY_SCRIPT) else "; where several apply, the first of 2, 3, 1, 5, 4"
    return textwrap.fill(told + order + ".", HELP_WIDTH).replace("\N{NO-BREAK SPACE}", " ")


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """The same width and the same column for what options do in every script and on every terminal."""

    def __init__(self, prog):
        super().__init__(prog, max_help_position=HELP_COLUMN, width=HELP_WIDTH)
        self._action_max_length = HELP_COLUMN  # else the column depends on the script's longest option


class Parser(argparse.ArgumentParser):
    """The command line in the style that all scripts share: how it is called, one sentence about what it is for,
    details, options, exit codes. A usage error is one line that names what is wrong and what is meant instead.

    text: the script's docstring, whose first paragraph is the sentence; exits: see exit_paragraph."""

    def __init__(self, text, exits=None, **settings):
        super().__init__(
            prog=f"scripts/{Path(sys.argv[0]).name}", description=text.strip(), epilog=exit_paragraph(exits or {}),
            formatter_class=HelpFormatter, add_help=False, **settings,
        )  # fmt: skip
        self.add_argument("-h", "--help", action="help", help="print this help and exit")

    def error(self, message):
        unknown = message.removeprefix("unrecognized arguments: ").split("=")[0].split(" ")[0]
        near = unknown not in self._option_string_actions and difflib.get_close_matches(unknown, self._option_string_actions, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise usage_error(f"{message}{meant} (see --help)")


def reason(status, seconds=None):
    """Why a process failed, as text. status: None where it did not end within so many seconds."""
    if status is None:
        return f"hung: no result after {seconds:.0f} s"
    if status < 0:
        try:
            return f"signal {-status} ({signal.Signals(-status).name})"
        except ValueError:
            return f"signal {-status}"
    return f"exit status {status}"


def plugin(text):
    """Parses a --plugin argument: LABEL=PATH, or PATH alone, whose name is then the label. The path is made
    absolute, because the program that loads it may run in another folder. For argparse's `type`."""
    label, equals, path = text.rpartition("=")
    path = Path(path)
    if not equals:
        label = re.sub(r"[^a-z0-9_]", "_", path.name.split(".")[0].removeprefix("lib").lower())
    if not path.is_file():
        raise usage_error(f"--plugin {text}: no such file: {path}")
    return f"{label}={path.resolve()}"


def main_guard(main):
    """Runs main() -> status, turns Failure into its message and status, Ctrl-C into 130."""
    try:
        sys.exit(int(main() or 0))
    except Failure as failure:
        print(f"{Path(sys.argv[0]).name}: {failure}", file=sys.stderr)
        sys.exit(int(failure.code))
    except KeyboardInterrupt:
        print(f"{Path(sys.argv[0]).name}: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


@contextlib.contextmanager
def atomic_write(path, mode="w"):
    """Opens a temporary file that is renamed to `path` when the block succeeds; otherwise nothing changes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = tempfile.NamedTemporaryFile(mode, dir=path.parent, prefix=path.name + ".", delete=False)
    try:
        with handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(handle.name, 0o644)
        os.replace(handle.name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(handle.name)
        raise


def build(preset, *targets, quiet=True):
    """Configures and builds a preset (or only some of its targets) and returns its folder. The build's output
    is printed only where it fails."""
    folder = ROOT / "build" / preset
    steps = []
    if not (folder / "build.ninja").exists():
        steps.append(["cmake", "--preset", preset])
    steps.append(["cmake", "--build", str(folder), *(["--target", *targets] if targets else [])])
    for step in steps:
        done = subprocess.run(step, cwd=ROOT, capture_output=quiet, text=True)
        if done.returncode != 0:
            if quiet:
                sys.stderr.write(done.stdout[-8000:] + done.stderr[-8000:])
            raise Failure(Exit.HARNESS, f"the build failed: {' '.join(step)}")
    return folder
