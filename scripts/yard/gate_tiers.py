"""The gate's counting tiers: exact, instructions, memory. Each measures the cells of a plan on both sides and
returns findings. (The tier that times is in gate_time.py.)

They use the harness only through Meters (gate_meters.py), so that the tests can replace it by a faulty one.
"""

from concurrent.futures import ThreadPoolExecutor

from yard.gate_judge import Verdict, broken, judge_exact, judge_instructions, judge_rss, missing

SIDES = ("base", "head")
# Rows per process under valgrind, whose start takes as long as counting a row does.
ROWS_A_BATCH = 6
# Processes of each side at first; only cells that fail with them get more.
MEMORY_FIRST = 2


def rows_of(cells):
    """The rows of the cells, in order."""
    return list(dict.fromkeys(cell.row for cell in cells))


def _batches(rows, size):
    """Splits the rows into as few batches of at most `size` as possible. Neighbours, which are often equally
    slow, go to different batches."""
    count = -(-len(rows) // size)
    return [tuple(rows[start::count]) for start in range(count)]


def _concurrently(tasks, run, tier, progress, jobs):
    """Runs run(*task) for each task, `jobs` at a time; returns the results in order."""
    progress.start(tier, len(tasks))

    def one(task):
        result = run(*task)
        progress.step()
        return result

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, tasks))


def _count_both_sides(cells, batches, count, tier, progress, jobs):
    """Runs count(label, rows) for every batch and side; returns (cell, base record, head record) for cells
    that both sides reported, and findings for the others."""
    tasks = [(label, batch) for batch in batches for label in SIDES]
    results_by_row = {}
    for (label, batch), result in zip(tasks, _concurrently(tasks, count, tier, progress, jobs)):
        results_by_row |= {(label, row): result for row in batch}
    both, findings = [], []
    for cell in cells:
        results = {label: results_by_row[label, cell.row] for label in SIDES}
        absent = [label for label in SIDES if cell not in results[label][0]]
        crashes = [results[label][1] for label in absent if results[label][1]]
        if crashes:
            findings.append(broken(cell, tier, f"{crashes[0].why}: {crashes[0].command}"))
        elif absent:
            findings.append(missing(cell, tier, f"{' and '.join(absent)} gave no numbers"))
        else:
            both.append((cell, results["base"][0][cell], results["head"][0][cell]))
    return both, findings


def exact_tier(cells, meters, progress, jobs):
    batches = _batches(rows_of(cells), 1)
    both, findings = _count_both_sides(
        cells, batches, lambda label, rows: meters.exact(label, rows[0]), "exact", progress, jobs
    )
    for cell, base, head in both:
        findings += judge_exact(cell, base, head)
    return findings


def _instructions(cells, rows_a_batch, meters, progress, jobs):
    batches = _batches(rows_of(cells), rows_a_batch)
    both, findings = _count_both_sides(cells, batches, meters.instructions, "instructions", progress, jobs)
    return findings + [judge_instructions(cell, base, head) for cell, base, head in both]


def instruction_tier(cells, meters, progress, jobs):
    """Rows share processes at first. A row that does not pass is counted again in a process of its own, and
    only that count is judged, so that neither another row's crash nor what it left in the heap matters."""
    together = _instructions(cells, ROWS_A_BATCH, meters, progress, jobs)
    differing = {finding.cell.row for finding in together if finding.verdict is not Verdict.PASS}
    settled = [finding for finding in together if finding.cell.row not in differing]
    if not differing:
        return settled
    return settled + _instructions([cell for cell in cells if cell.row in differing], 1, meters, progress, jobs)


def _memory(cells, meters, processes, progress, jobs):
    tasks = [(label, cell) for cell in cells for _ in range(processes) for label in SIDES]
    results = list(zip(tasks, _concurrently(tasks, meters.peak_rss, "memory", progress, jobs)))
    findings = []
    for cell in cells:
        peaks = {label: [] for label in SIDES}
        crashes = []
        for (label, other), (peak, crash) in results:
            if other == cell:
                peaks[label] += [] if peak is None else [peak]
                crashes += [crash] if crash else []
        if crashes:
            findings.append(broken(cell, "memory", f"{crashes[0].why}: {crashes[0].command}"))
        else:
            findings.append(judge_rss(cell, peaks["base"], peaks["head"]))
    return findings


def memory_tier(cells, meters, processes, progress, jobs):
    """Peak RSS of fresh processes, the sides in turns. A cell that fails in the first few is measured again
    with `processes` fresh ones of each side, and only those are judged."""
    first = _memory(cells, meters, min(processes, MEMORY_FIRST), progress, jobs)
    failed = [finding.cell for finding in first if finding.verdict is Verdict.FAIL]
    settled = [finding for finding in first if finding.verdict is not Verdict.FAIL]
    return settled + _memory(failed, meters, processes, progress, jobs) if failed else settled
