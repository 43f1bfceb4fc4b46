"""Malloc libraries that are preloaded into the measured process: how they are named, and what they are.

A library serves every malloc of its process, so a process runs on one library at most, and its rows (the plain
one and, where the library can be told sizes, NAME_sized) are measured beside libc in processes of their own. A
library that can't be listed (it does not load, crashes at once, hangs) has its plain row, which has failed.
"""

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from yard import common

SIZED = "_sized"
LIST_SECONDS = 30


class Preload(NamedTuple):
    name: str
    path: str

    @property
    def argument(self):
        return f"{self.name}={self.path}"

    def has(self, row):
        """Whether this is the name of one of its rows."""
        return row in (self.name, self.name + SIZED)


def parse(text):
    """Parses a --preload argument, NAME=PATH; for argparse's `type`."""
    name, equals, path = text.partition("=")
    if not equals or not path:
        raise common.usage_error(f"--preload {text}: write it as name=/path/lib.so")
    if not re.fullmatch(r"[a-z0-9_]{1,31}", name):
        raise common.usage_error(f"--preload {text}: the name must be 1 to 31 of [a-z0-9_]")
    if not Path(path).is_file():
        raise common.usage_error(f"--preload {text}: no such file: {path}")
    if re.search(r"[\s:,]", str(Path(path).absolute())):
        raise common.usage_error(f"--preload {text}: the dynamic linker takes no path with blanks or colons: link to the file")
    return Preload(name, str(Path(path).absolute()))


def check_names(preloads, rows):
    """A usage error where a library would have the name of another row. rows: the names of the others."""
    taken = {row: "an allocator" for row in (*rows, "empty")}
    for preload in preloads:
        for name in (preload.name, preload.name + SIZED):
            if name in taken:
                what = f"there is {taken[name]} '{name}' already; choose another name"
                raise common.usage_error(f"--preload {preload.argument}: {what}")
        taken |= dict.fromkeys((preload.name, preload.name + SIZED), "a library")


def listing(bench, preload):
    """(listing, None) of the library's own rows, or (None, why) where they can't be listed."""
    command = [*bench.command("list", preload=preload), "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LIST_SECONDS)
    except subprocess.TimeoutExpired:
        return None, f"hung: could not be listed within {LIST_SECONDS} s"
    if done.returncode == 0:
        try:
            return json.loads(done.stdout), None
        except ValueError:
            return None, "printed no list"
    told = [line for line in done.stderr.strip().splitlines() if line.startswith("heapyard-bench: --preload")]
    if told:
        return None, told[-1].removeprefix(f"heapyard-bench: --preload {preload.argument}: ")
    return None, common.reason(done.returncode)


def add_rows(bench, preload, whole):
    """Adds the library's rows to the listing of everything else, `whole`: to the cells that libc runs, as far as
    they align what is asked for there."""
    own, why = listing(bench, preload)
    if own is None:
        summary = f"{preload.path}, preloaded"
        own = {"rows": [{"name": preload.name, "group": "peer", "summary": summary, "traits": [], "broken": why}]}
    whole["rows"] += [row | {"preload": preload.name} for row in own["rows"]]
    for cell in (cell for workload in whole["workloads"] for cell in workload["cells"] if "libc" in cell["rows"]):
        cell["rows"] += [row["name"] for row in own["rows"] if cell["greatest_align_log2"] <= row.get("greatest_align_log2", 63)]


def describe(preload, listing):
    """What stands in a run's context about the library."""
    row = next(row for row in listing["rows"] if row["name"] == preload.name)
    return {
        "name": preload.name, "path": preload.path, "file": str(Path(preload.path).resolve()),
        "soname": row.get("soname"), "version": row.get("version"), "sha256": sha256(preload.path),
    }  # fmt: skip


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
