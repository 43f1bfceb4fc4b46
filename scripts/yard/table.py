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
TITLE, NAME, RATIO, INTERVAL = 20, 24, 6, 15
# Lines for workloads; what else is told fits the screen's other ten.
LINES_MAX = 14


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


def use_line(run, workload, threads, cells):
    """What one workload says with so many threads."""
    title = formats.spoken(workload) + (f", {threads} threads" if threads != 1 else "")
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


def failed_line(run):
    """One line, however many cells failed."""
    found = [(cell, *key, failure) for cell in run.cells.values() for key, failure in cell.failures.items()]
    if not found:
        return []
    cell, suite, name, failure = found[0]
    count = "1 cell failed" if len(found) == 1 else f"{len(found)} cells failed, first"
    why = failure.get("why") or "no reason given"
    text = f"! {count}: {name} in {suite} of {cell.title}: {why}; the page has every command"
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
    lines = head_lines() + use_lines(run) + control_line(run) + failed_line(run) + missing_line(run)
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
