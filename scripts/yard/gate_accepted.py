"""reports/accepted.toml: regressions that a reviewer has accepted, each with its bound and its reason.

    [[accepted]]
    row = "arena"                # the allocator
    workload = "request"         # optional; default: any workload
    params = "size=16-512"       # optional; default: any parameters
    metric = "instructions"      # time, instructions, peak_rss, removed, or an exact metric's name
    bound = 1.03                 # head / base may reach this; or, in the metric's unit:
    # more = 4096                # head - base may reach this
    reason = "Bounds are checked now; measured at 2.4 %."

An entry excuses a regression only up to its bound, so that a further regression fails again.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple, Optional

from yard import common

PATH = common.ROOT / "reports" / "accepted.toml"
KEYS = {"row", "workload", "params", "metric", "bound", "more", "reason"}
EXACT_METRICS = (
    "child_calls", "child_peak_bytes", "beyond_live_bytes", "after_free_bytes", "after_destroy_bytes",
    "fragmentation_permille", "high_water_bytes", "capacity_bytes", "overhead_bytes", "source_calls",
    "refused_count",
)
METRICS = ("time", "instructions", "peak_rss", "removed") + EXACT_METRICS
REASON_MIN = 10


class Accepted(NamedTuple):
    row: str
    workload: Optional[str]
    params: Optional[str]
    metric: str
    bound: Optional[float]
    more: Optional[float]
    reason: str

    def covers(self, cell, metric):
        """Whether the entry applies to this cell's metric."""
        return (
            self.row == cell.row
            and self.workload in (None, cell.workload)
            and self.params in (None, cell.params)
            and self.metric == metric
        )

    def allows(self, base, head):
        """Whether head is within the bound."""
        if self.metric == "removed":
            return True
        if self.more is not None:
            return head - base <= self.more
        return head <= base * self.bound


def load(path=PATH):
    """The entries of the file; none where there is no file. An invalid file is a usage error."""
    if not Path(path).exists():
        return []
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except ValueError as error:  # no TOML, or no text
        raise common.usage_error(f"{path}: {error}") from error
    for key in document:
        if key != "accepted":
            raise common.usage_error(f"{path}: unknown table '{key}', must be [[accepted]]")
    entries = document.get("accepted", [])
    if not isinstance(entries, list):
        raise common.usage_error(f"{path}: 'accepted' must be tables, [[accepted]]")
    return [_entry(path, number, entry) for number, entry in enumerate(entries, 1)]


def _entry(path, number, entry):
    def wrong(message):
        return common.usage_error(f"{path}: entry {number}: {message}")

    for key in entry:
        if key not in KEYS:
            raise wrong(f"unknown key '{key}', must be one of {', '.join(sorted(KEYS))}")
    for key in ("row", "metric", "reason"):
        if not isinstance(entry.get(key), str):
            raise wrong(f"'{key}' is missing, must be a string")
    if entry["metric"] not in METRICS:
        raise wrong(f"metric '{entry['metric']}' must be one of {', '.join(METRICS)}")
    if len(entry["reason"].strip()) < REASON_MIN:
        raise wrong(f"the reason must say why, in {REASON_MIN} letters at least")
    bounds = [key for key in ("bound", "more") if key in entry]
    if entry["metric"] != "removed" and len(bounds) != 1:
        raise wrong("give one of 'bound' (a ratio above 1) and 'more' (an amount above 0)")
    for key in bounds:
        value = entry[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= (1 if key == "bound" else 0):
            raise wrong(f"'{key}' is {value!r}, must be a number above {1 if key == 'bound' else 0}")
    return Accepted(*(entry.get(key) for key in Accepted._fields))
