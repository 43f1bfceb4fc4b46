"""The report in small, for the terminal: per workload the best of ours and the best general-purpose one.

It fits one screen, at most 100 columns wide; everything else is on the page, whose path is its last line.
Plain where nobody looks (piped, NO_COLOR, TERM=dumb), and the same text either way: colour only repeats
what a star says.
"""

import os
import sys

from rich.console import Console
from rich.text import Text

from yard import answer, formats, samples, stats, verdicts

WIDTH = 100
TITLE, NAME, RATIO, INTERVAL = 21, 24, 6, 15
# Lines for workloads; what else is told fits the screen's other ten.
LINES_MAX = 14
# Lines for allocators on recorded programs that were given for the run, and the fewest of each.
OWN_LINES_MAX, OWN_LINES_MIN = 24, 6


def console(stream=None):
    """A terminal of at most WIDTH columns; colours only where they are wanted."""
    stream = stream or sys.stdout
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb" or not stream.isatty()
    width = WIDTH if plain else min(WIDTH, os.get_terminal_size(stream.fileno()).columns or WIDTH)
    force = False if plain else None
    return Console(file=stream, width=width, no_color=plain, force_terminal=force, highlight=False)


def place(found, verdict, bounds):
    """"* arena +1                0.228 [0.225, 0.231]" of the one that leads, padded to a column. "+1": one
    more that is not clearly apart; a star: nobody at all is clearly better."""
    width = 2 + NAME + RATIO + (INTERVAL if bounds else 0)
    if not found:
        return Text(f"{'  —':<{width}}")
    first, others = found[0], len(answer.families(found)) - 1
    best = first.row.name in {leader.row.name for leader in verdict.leaders}
    more = f" +{others}" if others else ""
    name = first.row.name[: NAME - 1 - len(more)] + more
    ratio = first.ratio
    interval = f" [{verdicts.figure(ratio.lo)}, {verdicts.figure(ratio.hi)}]" if bounds else ""
    text = f"{'*' if best else ' '} {name:<{NAME}}{verdicts.figure(ratio.median):>{RATIO}}{interval}"
    return Text(f"{text:<{width}}", style="bold green" if best else "")


def title_of(workload, threads):
    """"window", "window, 2 threads"; where that is too long, "producer consumer ×2"."""
    if threads == 1:
        return formats.spoken(workload)
    title = f"{formats.spoken(workload)}, {threads} threads"
    return title if len(title) < TITLE else f"{formats.spoken(workload)} ×{threads}"


def use_line(run, workload, threads, cells):
    """What one workload says with so many threads."""
    title = title_of(workload, threads)
    line = Text(f"{title[: TITLE - 1]:<{TITLE}}")
    verdict = verdicts.verdict(run, cells)
    if not verdict.leaders:
        line.append(verdict.why_none)
        return line
    line.append_text(place(verdict.ours, verdict, bounds=True))
    line.append_text(place(verdict.general, verdict, bounds=False))
    line.rstrip()
    return line


def use_lines(run):
    """A line a workload and thread count. Where that is too much, the fewest threads of each come first."""
    found = []
    for workload, parts in verdicts.uses(run):
        found += [(turn, workload, threads, cells) for turn, (threads, cells) in enumerate(parts)]
    kept = found
    if len(found) > LINES_MAX:
        first = sorted(range(len(found)), key=lambda index: found[index][0])[: LINES_MAX - 1]
        kept = [found[index] for index in sorted(first)]
    lines = [use_line(run, *use) for _, *use in kept]
    if len(kept) < len(found):
        lines.append(Text(f"and {len(found) - len(kept)} more, on the page"))
    return lines


def head_lines():
    """What the columns are."""
    heads = f"{'':<{TITLE}}  {'best of ours':<{NAME + RATIO + INTERVAL}}  best general-purpose"
    legend = "Time as a ratio to libc [95 % interval]; * best of all; +N: so many more not clearly apart"
    return [Text(legend), Text(heads, style="bold")]


def own_row(cell, name):
    """"mimalloc     0.72 [0.70, 0.75]     23.1 ns      7.3 MiB  1.54" of one allocator on one program."""
    ratio, time = cell.ratio(name, samples.REFERENCE), cell.time(name)
    bounds = f"[{verdicts.figure(ratio.lo)}, {verdicts.figure(ratio.hi)}]" if ratio.lo is not None else ""
    memory, held = (samples.median_of(cell.memory_values(name, field)) for field in ("peak_rss_above_start", "fragmentation"))
    parts = (f"{name:<{NAME}}", f"{verdicts.figure(ratio.median):>{RATIO}} {bounds:<{INTERVAL}}", f"{verdicts.figure(time.median):>8} ns")
    return "  ".join((*parts, f"{formats.mebibytes(memory) or '—':>7} MiB", f"{verdicts.figure(held) if held else '—':>8}"))


def own_program(run, cell, most):
    """A program that was recorded to be measured: its allocators, fastest first, and libc."""
    found = [row for row in run.chosen() if verdicts.candidate(row) and cell.ratio(row.name, samples.REFERENCE)]
    found.sort(key=lambda row: cell.ratio(row.name, samples.REFERENCE).median)
    names = [row.name for row in found]
    shown = names[:most] + [samples.REFERENCE] * (samples.REFERENCE in names[most:])
    title = f"{cell.label}: at most {formats.mebibytes(cell.live_peak)} MiB live at once"
    heads = f"{'':<{NAME}}  {'time, ratio to libc':<{RATIO + INTERVAL + 1}}  {'a call':>11}  {'peak RSS':>11}  {'per live':>8}"
    lines = [title, heads, *(own_row(cell, name) for name in shown)]
    if len(shown) < len(names):
        lines.append(f"and {len(names) - len(shown)} more, on the page")
    return [Text(line, style="bold" if line == title else "") for line in lines]


def own_lines(run):
    """What was asked about one's own programs: time, peak memory above the start, and that per byte live."""
    cells = [cell for cell in run.cells.values() if cell.trace and cell.ratio(samples.REFERENCE, samples.REFERENCE)]
    most = max(OWN_LINES_MIN, OWN_LINES_MAX // max(1, len(cells)))
    return [line for cell in cells for line in own_program(run, cell, most)]


def failed_line(run):
    """One line, however many cells failed."""
    found = [(cell, *key, failure) for cell in run.cells.values() for key, failure in cell.failures.items()]
    if not found:
        return []
    cell, suite, name, failure = found[0]
    count = "1 cell failed" if len(found) == 1 else f"{len(found)} cells failed, first"
    why = failure.get("why") or "no reason given"
    also = list(dict.fromkeys(row for _, _, row, _ in found if row != name))
    others = f"; also of {', '.join(also)}" if also else ""
    text = f"! {count}: {name} in {suite} of {cell.title}: {why}{others}; the page has every command"
    return [Text(text, style="red")]


def missing_line(run):
    """Who is not there, by what to do about it."""
    mends = {}
    for row in run.missing():
        mends.setdefault(row.missing, []).append(row.name)
    told = "; ".join(f"{', '.join(names)} ({mend})" for mend, names in mends.items())
    return [Text(f"not in this build: {told}")] if told else []


def control_line(run):
    """The A/A check of this very run."""
    control = run.control()
    if not control.cells:
        return []
    count = f"{control.containing} of {control.cells} intervals contain 1"
    return [Text(f"libc against itself: {count}, median half-width {100 * control.median_half_width:.2f} %")]


def show(run, page, stream=None):
    """Prints the summary and, last, where the page is."""
    out = console(stream)
    lines = head_lines() + use_lines(run) + own_lines(run) + control_line(run) + failed_line(run) + missing_line(run)
    if not run.finished:
        lines.append(Text("This run is not finished: make bench goes on with it.", style="bold"))
    for line in lines:
        out.print(line, overflow="fold")
    out.print(Text(str(page)), soft_wrap=True)


def compare(run, one, other):
    """Of two rows, (cell, ratio of time) on every setting that they share, and of all of them together."""
    pairs = [(cell, cell.ratio(one, other)) for cell in run.cells.values()]
    pairs = [(cell, ratio) for cell, ratio in pairs if ratio]
    if not pairs:
        return [], None
    return pairs, stats.ratio(stats.joint_log_ratios([cell.log_ratios(one, other) for cell, _ in pairs]))
