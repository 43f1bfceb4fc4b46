"""Recorded programs that are measured by their files' paths, beside those of the corpus."""

import re
from pathlib import Path

from yard import common, preloads


def parse(text):
    """Parses a --trace argument, the path of a file; for argparse's `type`."""
    path = Path(text).absolute()
    if not path.is_file():
        raise common.usage_error(f"--trace {text}: no such file; make trace CMD='program arguments' OUT={text} records one")
    if re.search(r"[\s;,]", str(path)):
        raise common.usage_error(f"--trace {text}: no blanks, commas or semicolons in its path: link to the file")
    return str(path)


def check_names(paths):
    """A usage error where two files would have the same name in tables."""
    found = {}
    for path in dict.fromkeys(paths):
        other = found.setdefault(name(path), path)
        if other != path:
            raise common.usage_error(f"--trace {path}: {other} is called '{name(path)}', too; rename one")


def name(path):
    """What a trace is called in tables."""
    return Path(path).name.removesuffix(".hyt")


def params(path):
    """The parameters of its cells."""
    return f"file={path}"


def path_of(params):
    """The path in the parameters of a cell; None where they name no file by its path."""
    found = params.removeprefix("file=")
    return found if found != params and "/" in found else None


def describe(path):
    """What stands in a run's context about the file."""
    return {"path": path, "sha256": preloads.sha256(path)}
