"""The A/A check of the whole measurement: libc against itself, in many cells.

Each cell is a full measurement (processes × rounds) of `libc` and `libc_again`, which are the same code
under two names. Their true ratio is 1, so about 95 of 100 intervals at 95 % must contain it; half an
interval's width is the smallest difference that can be detected.
"""

import itertools
import json
import random

import numpy

from yard import cells as cell_plans
from yard import common, context, run, stats

PROCESSES = 30
ROUNDS = 60
# The criteria, which need at least this many cells.
CELLS_MIN = 200
HOLDING_LEAST, HOLDING_MOST = 0.92, 0.98
HALF_WIDTH_MOST = 0.02


def measure_cell(bench, cell, rounds):
    """The ratio libc_again / libc, from each process's median over rounds of its logarithm."""
    logs = []
    for process in range(PROCESSES):
        command = bench.command(
            "sample", rows=",".join(cell_plans.REFERENCES), workload=cell.workload, params=cell.params, threads=cell.threads,
            seed=random.randrange(1 << 40), rounds=rounds, process=process,
        )  # fmt: skip
        status, output, errors = run.call(command, run.HANG_SECONDS)
        if status != 0:
            raise common.Failure(common.Exit.HARNESS, f"{run.shown(command)}: {common.reason(status, run.HANG_SECONDS)} {errors.strip()}")
        rows = json.loads(output)["rows"]
        again, libc = (numpy.asarray(rows[name]["ns_per_op"]) for name in reversed(cell_plans.REFERENCES))
        logs.append(stats.paired_log_ratio(again, libc))
    return stats.ratio(logs)


def judge(holding, half_width, count):
    """The exit status: whether the criteria are met; inconclusive where there are too few cells."""
    if count < CELLS_MIN:
        return common.Exit.INCONCLUSIVE
    good = HOLDING_LEAST <= holding <= HOLDING_MOST and half_width <= HALF_WIDTH_MOST
    return common.Exit.GOOD if good else common.Exit.CONFIRMED


def run_cells(bench, count, workloads, threads):
    available = context.memory_available_bytes()
    plan = cell_plans.make(bench.listing(), "standard", ",".join(cell_plans.REFERENCES), workloads, threads, available)
    progress = run.Progress(count * PROCESSES * sum(cell_plans.process_seconds(c, (1, 2), plan.rounds[c]) for c in plan.cells) / len(plan.cells))
    ratios = []
    for number, cell in zip(range(count), itertools.cycle(plan.cells)):
        rounds = min(ROUNDS, plan.rounds[cell])
        try:
            ratios.append(measure_cell(bench, cell, rounds))
        except KeyboardInterrupt:
            break
        progress.step(PROCESSES * cell_plans.process_seconds(cell, (1, 2), rounds), f"{cell.label} ({number + 1} of {count})")
    progress.end()
    return ratios


def run_and_print(bench, count, workloads, threads):
    if count < 1:
        raise common.usage_error(f"--aa {count}: how many cells? {CELLS_MIN} tell enough")
    ratios = run_cells(bench, count, workloads, threads)
    if not ratios:
        return common.Exit.NOTHING_MEASURED
    holding = sum(ratio.contains(1) for ratio in ratios) / len(ratios)
    half_width = float(numpy.median([(ratio.hi - ratio.lo) / 2 / ratio.median for ratio in ratios]))
    print(f"{len(ratios)} cells of libc against libc_again, {PROCESSES} processes each")
    print(f"intervals that hold 1: {100 * holding:.1f} % (wanted {100 * HOLDING_LEAST:.0f} to {100 * HOLDING_MOST:.0f} %)")
    print(f"median half-width: {100 * half_width:.2f} % (wanted at most {100 * HALF_WIDTH_MOST:.0f} %)")
    return judge(holding, half_width, len(ratios))
