"""The gate: compares base and head in one process, and tells regressions from noise.

Base and head are two commits of this project, or (--base-plugin, --head-plugin) two builds of another
allocator, of which the gate uses only the rows.

    base, head -> plugins -> plan of cells -> tiers -> findings -> verdict, Markdown, JUnit, exit status

Tiers: exact (counts, tolerance 0), instructions (callgrind), time (interleaved pairs), memory (peak
RSS of fresh processes). The rules and thresholds are in gate_judge.py, measuring in gate_tiers.py and
gate_time.py, the choice of cells in gate_cells.py, the builds in gate_build.py.
"""

import os
import platform
import random
import shutil
import sys
import time
from typing import NamedTuple

from yard import common, gate_accepted, gate_build, gate_report, gate_tiers
from yard.common import Exit, Failure
from yard.gate_cells import make_plan
from yard.gate_judge import FAMILY_ALPHA, TIME_FAIL, TIME_PASS, Verdict, exit_code, missing, settle_accepted
from yard.gate_meters import Meters, have_valgrind
from yard.gate_time import TimeTier, cores

TIERS = ("exact", "instructions", "time", "memory")

class Form(NamedTuple):
    """How much a run does."""

    cells: str  # the tier of cells, as in the workloads' tables
    every: bool  # time every cell, not only the decisive ones (gate_cells.py)
    microseconds: int  # of each side, in each cell, in each process
    looks: tuple  # interim analyses: the total number of processes at each
    slowest_ms: int  # rows whose first cell takes longer are timed only there; 0: no such limit
    memory_processes: int  # of each side, for cells that fail with the first few


FORMS = {
    "quick": Form("quick", False, 3000, (12, 40, 120), 40, 3),
    "standard": Form("quick", False, 6000, (12, 40, 160), 80, 5),
    "full": Form("standard", True, 12000, (12, 40, 160), 0, 8),
}
# Processes of the memory tier per job: they are idle for a second, so many run at once.
MEMORY_JOBS = 12


class Progress:
    """One line on the terminal: the tier, its progress and the time left."""

    INTERVAL_S = 15  # where standard error is not a terminal

    def __init__(self, stream=sys.stderr):
        self.stream = stream
        self.live = stream.isatty()
        self.label, self.total, self.done, self.began, self.shown = "", 0, 0, 0.0, 0.0

    def start(self, label, total):
        self.label, self.total, self.done, self.began, self.shown = label, total, 0, time.monotonic(), 0.0
        self._show()

    def step(self):
        self.done += 1
        self._show()

    def _show(self):
        now = time.monotonic()
        if not self.live and now - self.shown < self.INTERVAL_S and self.done < self.total:
            return
        left = ""
        if self.done:
            left = f", {(now - self.began) / self.done * (self.total - self.done):.0f} s left"
        text = f"gate: {self.label}: {self.done} of {self.total}{left}"
        self.stream.write(f"\r\033[K{text}" if self.live else f"{text}\n")
        if self.live and self.done >= self.total:
            self.stream.write("\r\033[K")
        self.stream.flush()
        self.shown = now


class Outcome(NamedTuple):
    findings: list
    not_run: list  # tiers that could not run
    notes: list


def measure(plan, meters, tiers, form, relinked, seed, progress, jobs, valgrind):
    """Runs the tiers over the plan."""
    findings = [missing(cell, "cells", "base has it, head doesn't") for cell in plan.gone]
    not_run, notes, slow = [], [], []
    if "exact" in tiers:
        findings += gate_tiers.exact_tier(plan.single_threaded, meters, progress, jobs)
    if "instructions" in tiers and valgrind:
        findings += gate_tiers.instruction_tier(plan.single_threaded, meters, progress, jobs)
    elif "instructions" in tiers:
        not_run.append("instructions")
        notes.append("The instruction tier did not run: install valgrind. The verdict is inconclusive at best.")
    if "time" in tiers:
        time_tier = TimeTier(
            meters, relinked, seed, form.microseconds, form.looks, progress, form.slowest_ms * 1_000_000, cores(jobs)
        )
        findings += time_tier.run(plan.timed)
        slow = time_tier.slow_rows
        if slow:
            notes.append(f"Timed in one cell alone, because they are slow: {', '.join(slow)}.")
        if time_tier.control_failed:
            notes.append("Head differed from its own copy: no time verdict of this run counts.")
    if "memory" in tiers:
        quick = [cell for cell in plan.large if cell.row not in slow]
        findings += gate_tiers.memory_tier(quick, meters, form.memory_processes, progress, MEMORY_JOBS * jobs)
    if plan.new:
        notes.append(f"New in head, nothing to compare: {', '.join(plan.new)}.")
    return Outcome(findings, not_run, notes)


def judge(outcome, entries):
    """The findings after accepted ones are excused, the exit status, and notes on unused entries."""
    findings = [settle_accepted(finding, entries) for finding in outcome.findings]
    used = {finding.note.removeprefix("accepted: ") for finding in findings if finding.verdict is Verdict.ACCEPTED}
    notes = [f"Not needed any more in accepted.toml: {entry.row}, {entry.metric} ({entry.reason})"
             for entry in entries if entry.reason not in used]
    return findings, exit_code(findings, outcome.not_run), outcome.notes + notes


def _facts(base, head, form_name, seed, plan, began):
    return {
        "base": base.commit,
        "head": f"{head.commit}{' and uncommitted changes' if head.dirty else ''}",
        "form": form_name,
        "machine": f"{platform.node()}, {os.cpu_count()} processors, {platform.machine()}",
        "kernel": platform.release(),
        "time": f"FAIL above {100 * (TIME_FAIL - 1):.0f} % by the lower bound, confirmed on relinked builds; PASS "
                f"under {100 * (TIME_PASS - 1):.0f} % by the upper; family error {100 * FAMILY_ALPHA:.0f} % "
                f"over {len(plan.timed)} cells",
        "seed": seed,
        "load": f"{os.getloadavg()[0]:.1f}",
        "took": f"{time.monotonic() - began:.0f} s",
        "again": " ".join(sys.argv),
    }


USAGE = """Compares the working tree (head) with a base commit: exact counts, instructions, time, memory."""
EXITS = {
    Exit.GOOD: "nothing got worse",
    Exit.CONFIRMED: "a confirmed regression",
    Exit.INCONCLUSIVE: None,
    Exit.NOTHING_MEASURED: "nothing (or not everything) was measured",
}


def make_parser():
    parser = common.Parser(USAGE, EXITS)
    parser.add_argument("--base", metavar="COMMIT", help="the commit to compare with (default: origin/main)")
    parser.add_argument("--base-plugin", metavar="PATH", help="instead of commits: the plugin to compare with, and")
    parser.add_argument("--head-plugin", metavar="PATH", help="the one that is compared with it")
    parser.add_argument("--bench", metavar="FILE", type=common.Path, help="for plugins: a heapyard-bench that is built already")
    parser.add_argument("--quick", action="store_true", help="less time per cell (for every pull request)")
    parser.add_argument("--full", action="store_true", help="more cells, and more time for each")
    parser.add_argument("--allocators", metavar="A,B", help="only these rows")
    parser.add_argument("--workloads", metavar="A,B", help="only these workloads")
    parser.add_argument("--threads", metavar="N,M", help="only cells of so many threads")
    parser.add_argument("--tiers", metavar="A,B", default=",".join(TIERS), help=f"only these of {','.join(TIERS)}")
    parser.add_argument("--out", metavar="FOLDER", help="where the report goes (default: reports/out/gate-<time>)")
    parser.add_argument("--accepted", metavar="FILE", default=gate_accepted.PATH, help="accepted regressions (default: reports/accepted.toml)")
    parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count(), help="processes that count side by side (default: the cores)")
    parser.add_argument("--seed", metavar="N", type=int, help="of order, layout and environment (default: another each time)")
    return parser


def parse_arguments(arguments):
    parser = make_parser()
    options = parser.parse_args(arguments)
    options.tiers = options.tiers.split(",")
    for tier in options.tiers:
        if tier not in TIERS:
            parser.error(f"no tier '{tier}'; there are {', '.join(TIERS)}")
    for name in ("base_plugin", "head_plugin", "bench"):
        path = getattr(options, name)
        if path and not common.Path(path).is_file():
            parser.error(f"--{name.replace('_', '-')} {path}: no such file")
    if bool(options.base_plugin) != bool(options.head_plugin):
        parser.error("--base-plugin and --head-plugin go together: the two builds to compare")
    if options.base_plugin and options.base:
        parser.error("--base names a commit: give it, or two plugins, not both")
    if options.bench and not options.base_plugin:
        parser.error("--bench goes with plugins: for commits the gate builds head's own")
    if options.quick and options.full:
        parser.error("--quick or --full, not both")
    if options.jobs < 1:
        parser.error("--jobs must be 1 at least")
    options.form = "quick" if options.quick else "full" if options.full else "standard"
    for name in ("allocators", "workloads", "threads"):
        text = getattr(options, name)
        setattr(options, name, [part.strip() for part in text.split(",") if part.strip()] if text else [])
    return options


class Sides(NamedTuple):
    """The two sides of a comparison, and its title and notes for the report."""

    base: gate_build.Tree
    head: gate_build.Tree
    title: str
    notes: list


def commits(options):
    """Builds the base commit and the working tree."""
    name = options.base or gate_build.default_base()
    commit = gate_build.find_commit(name)
    print(f"gate: building base {commit[:12]} ({name}) and head", file=sys.stderr)
    base, head = gate_build.build_base(commit), gate_build.build_head()
    dirty = ", uncommitted changes included" if head.dirty else ""
    print(f"gate: head is the working tree at {head.commit[:12]}{dirty}", file=sys.stderr)
    return Sides(base, head, f"Base {name} ({commit[:12]}), head {head.commit[:12]}{dirty}", [])


def libraries(options):
    """Takes two plugins that are already built."""
    bench = options.bench or common.build("release", gate_build.BENCH) / gate_build.BENCH_FILE
    base = gate_build.library("base", options.base_plugin, bench)
    head = gate_build.library("head", options.head_plugin, bench)
    note = "These libraries can't be linked again: a time that depends on where the linker put things may fail."
    return Sides(base, head, f"Base {options.base_plugin} ({base.commit}), head {options.head_plugin} ({head.commit})", [note])


def relinker(base, head, meters, folder):
    """A function of a number that returns meters for both sides, each linked in another order; a library that
    was not built here is only copied."""
    def relinked(number):
        work = folder / f"relinked-{number}"
        return meters.with_plugins({
            "base": gate_build.relink(base, 2 * number, work),
            "head": gate_build.relink(head, 2 * number + 1, work),
        })

    return relinked


def run(options):
    """The whole run; returns its exit status."""
    began = time.monotonic()
    entries = gate_accepted.load(options.accepted)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    stamp = time.strftime("%Y-%m-%dT%H-%M-%S")
    out = common.Path(options.out) if options.out else common.OUT / f"gate-{stamp}-{os.getpid()}"
    sides = libraries(options) if options.base_plugin else commits(options)
    base, head = sides.base, sides.head
    work = gate_build.CACHE / "runs" / f"{stamp}-{os.getpid()}"
    try:
        plugins = {"base": base.plugin, "head": head.plugin, "again": head.plugin}
        plugins = {label: gate_build.place(file, label, work) for label, file in plugins.items()}
        form = FORMS[options.form]
        meters = Meters(head.bench, plugins, form.cells)
        plan = make_plan(meters.cells(), options.allocators, options.workloads, options.threads, form.every)
        if not plan.cells and not plan.gone:
            raise Failure(Exit.NOTHING_MEASURED, "no workload applies to a row that both sides have: see heapyard-bench list")
        outcome = measure(plan, meters, options.tiers, form, relinker(base, head, meters, work), seed,
                          Progress(), options.jobs, have_valgrind())
    finally:
        shutil.rmtree(work, ignore_errors=True)
    findings, code, notes = judge(outcome, entries)
    notes = sides.notes + notes
    context = {"title": sides.title, "notes": notes,
               "facts": _facts(base, head, options.form, seed, plan, began)}
    gate_report.write(out, context, findings, code)
    for note in notes:
        print(note)
    print(gate_report.terminal(findings, code))
    print(f"{out / 'gate.md'}")
    return code


def main(arguments=None):
    options = parse_arguments(arguments)
    try:
        return run(options)
    except RuntimeError as error:
        raise Failure(Exit.HARNESS, str(error)) from error
