"""The project's own targets: reads, measures (in one interleaved run), judges and stores them for the report."""

import json
import random
import tomllib
from typing import NamedTuple, Optional

import numpy

from yard import common, context, run, shape, stats

FILE = common.ROOT / "reports" / "targets.toml"
RECORD = common.ROOT / "reports" / "out" / "targets.json"
PROCESSES = 30
ROUNDS = 60
NEEDED = {"rows", "workload", "params", "reference", "bound", "why"}
NAMES = NEEDED | {"over", "threads", "reference_workload", "reference_params", "reference_threads"}


class Cell(NamedTuple):
    workload: str
    params: str
    threads: int = 1

    def __str__(self):
        return f"{self.workload} {self.params}" + (f" × {self.threads} threads" if self.threads > 1 else "")


class Target(NamedTuple):
    """The time of row in cell (minus that of `over`, where given) is at most bound × that of reference in
    reference_cell."""

    row: str
    cell: Cell
    reference: str
    reference_cell: Cell
    bound: float
    why: str
    over: Optional[str] = None


class Outcome(NamedTuple):
    target: Target
    ratio: stats.Estimate

    @property
    def verdict(self):
        """held: the median is within the bound; short: even the interval's lower end is not; else unclear."""
        if self.ratio.median <= self.target.bound:
            return "held"
        return "short" if self.ratio.lo is not None and self.ratio.lo > self.target.bound else "unclear"


def expand(given, number):
    """The targets of one entry: one for each of its rows and each of its parameters."""
    unknown, lacking = set(given) - NAMES, NEEDED - set(given)
    if unknown or lacking:
        what = f"has unknown {sorted(unknown)}" if unknown else f"lacks {sorted(lacking)}"
        raise common.usage_error(f"{FILE.name}: target {number} {what}")
    for params in given["params"]:
        cell = Cell(given["workload"], params, given.get("threads", 1))
        reference = Cell(*(given.get(f"reference_{name}", same) for name, same in cell._asdict().items()))
        for row in given["rows"]:
            yield Target(row, cell, given["reference"], reference, float(given["bound"]), given["why"], given.get("over"))


_TEXTS = shape.each(shape.is_text)
_ENTRY = shape.fields(
    rows=shape.of(shape.is_none, _TEXTS), params=shape.of(shape.is_none, _TEXTS), bound=shape.NUMBER_OR_NONE,
    threads=shape.COUNT_OR_NONE, workload=shape.TEXT_OR_NONE, reference=shape.TEXT_OR_NONE, why=shape.TEXT_OR_NONE,
)  # fmt: skip


def read(path=FILE):
    try:
        entries = tomllib.loads(path.read_text())["target"]
    except (OSError, ValueError, KeyError) as error:  # ValueError: no TOML, or no text
        raise common.usage_error(f"{path}: {error}") from None
    if not shape.each(_ENTRY)(entries):
        raise common.usage_error(f"{path}: each [[target]] has texts, a number as bound and threads, and lists of rows and params")
    return [target for number, given in enumerate(entries, 1) for target in expand(given, number)]


def rows_by_cell(targets):
    """The rows that must be measured, by cell."""
    found = {}
    for target in targets:
        found.setdefault(target.cell, set()).update(row for row in (target.row, target.over) if row)
        found.setdefault(target.reference_cell, set()).add(target.reference)
    return found


def sample(bench, cell, rows, process, rounds):
    command = bench.command(
        "sample", rows=",".join(sorted(rows)), workload=cell.workload, params=cell.params, threads=cell.threads,
        seed=random.randrange(1 << 40), rounds=rounds, process=process,
    )  # fmt: skip
    status, output, errors = run.call(command, run.HANG_SECONDS)
    if status != 0:
        why = errors.strip().splitlines()[-1] if errors.strip() else common.reason(status, run.HANG_SECONDS)
        raise common.Failure(status if status == 2 else common.Exit.HARNESS, f"{run.shown(command)}: {why}")
    samples = {}
    for row, result in json.loads(output)["rows"].items():
        if "error" in result:
            raise common.Failure(common.Exit.HARNESS, f"{row} in {cell}: {result['error']}")
        samples[row] = numpy.asarray(result["ns_per_op"])
    return samples


def measure(bench, targets, processes=PROCESSES, rounds=ROUNDS, progress=None):
    """Samples by cell: for each process, a dictionary of rows."""
    wanted = rows_by_cell(targets)
    samples = {cell: [] for cell in wanted}
    for process in range(processes):
        for cell, rows in wanted.items():
            # Large windows have long epochs, so that fewer rounds have as many operations.
            samples[cell].append(sample(bench, cell, rows, process, rounds if "100000" not in cell.params else max(3, rounds // 10)))
            if progress:
                progress.step(1, f"{cell} (process {process + 1} of {processes})")
    return samples


def log_ratio(target, ours, theirs):
    """The log ratio of one process: paired by round within a cell, of medians across cells."""
    if target.cell == target.reference_cell:
        return stats.paired_log_ratio(ours[target.row], theirs[target.reference])
    return float(numpy.log(numpy.median(ours[target.row]) / numpy.median(theirs[target.reference])))


def added_ratio(target, ours, theirs):
    """For one process, the median over rounds of row minus `over`, divided by the reference's median. It may be
    negative, so it has no logarithm."""
    added = numpy.median(ours[target.row] - ours[target.over])
    return float(added / numpy.median(theirs[target.reference]))


def estimate(target, samples):
    both = list(zip(samples[target.cell], samples[target.reference_cell]))
    if target.over:
        return stats.median_interval([added_ratio(target, ours, theirs) for ours, theirs in both])
    return stats.ratio([log_ratio(target, ours, theirs) for ours, theirs in both])


def judge(targets, samples):
    return [Outcome(target, estimate(target, samples)) for target in targets]


def line(outcome):
    target, ratio = outcome.target, outcome.ratio
    interval = f" [{ratio.lo:.3f}, {ratio.hi:.3f}]" if ratio.lo is not None else ""
    beyond = "" if outcome.verdict == "held" else f"  {100 * (ratio.median / target.bound - 1):.1f} % above"
    over = f" beyond {target.over}" if target.over else ""
    return (
        f"{outcome.verdict:8}{target.row}{over} in {target.cell}:\n"
        f"        {ratio.median:.3f} × {target.reference}{interval}, at most {target.bound:g}{beyond}"
    )


def keep(outcomes):
    """Writes the outcomes, for the report of the same commit."""
    entries = [
        {
            "row": target.row, "over": target.over, "cell": str(target.cell), "verdict": outcome.verdict,
            "median": ratio.median, "lo": ratio.lo, "hi": ratio.hi, "bound": target.bound, "reference": target.reference,
            "reference_cell": str(target.reference_cell) if target.reference_cell != target.cell else None, "why": target.why,
        }
        for outcome in outcomes for target, ratio in [outcome]
    ]  # fmt: skip
    with common.atomic_write(RECORD) as out:
        json.dump({"commit": context.git("rev-parse", "HEAD"), "targets": entries}, out, indent=1)


def kept(commit):
    """The entries that `keep` wrote at this commit; an empty list where there are none."""
    try:
        record = json.loads(RECORD.read_text())
    except (OSError, ValueError):
        return []
    return record["targets"] if commit and record.get("commit") == commit else []


def status(outcomes):
    if not outcomes:
        return common.Exit.NOTHING_MEASURED
    verdicts = {outcome.verdict for outcome in outcomes}
    if "short" in verdicts:
        return common.Exit.CONFIRMED
    return common.Exit.INCONCLUSIVE if "unclear" in verdicts else common.Exit.GOOD
