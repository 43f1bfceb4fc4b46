"""The report in small, for the terminal: per setting each allocator's ratio to libc and its interval.

At most 100 columns wide, plain where nobody looks (piped, NO_COLOR, TERM=dumb), and the same text
either way: colour only repeats what a star says.
"""

import os
import sys

from rich.console import Console
from rich.text import Text

from yard import samples, stats, verdicts

WIDTH = 100
NAME, NUMBER = 24, 26


def console(stream=None):
    """A terminal of at most WIDTH columns; colours only where they are wanted."""
    stream = stream or sys.stdout
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb" or not stream.isatty()
    width = WIDTH if plain else min(WIDTH, os.get_terminal_size(stream.fileno()).columns or WIDTH)
    return Console(file=stream, width=width, no_color=plain, force_terminal=False if plain else None, highlight=False, soft_wrap=False)


def entry(name, ratio, best):
    """"* arena                 0.228 [0.225, 0.231]", padded to a column."""
    bounds = "(no interval)" if ratio.lo is None else f"[{verdicts.figure(ratio.lo)}, {verdicts.figure(ratio.hi)}]"
    text = f"{'*' if best else ' '} {name[: NAME - 1]:<{NAME}}{verdicts.figure(ratio.median):>6} {bounds}"
    style = "bold green" if best else "dim" if ratio.lo is not None and ratio.contains(1.0) else ""
    return Text(f"{text:<{2 + NAME + NUMBER - 3}}", style=style)


def cell_lines(run, cell):
    """The lines of one setting: fastest first, two allocators a line, read downwards."""
    standing = [verdicts.Standing(row, cell.ratio(row.name, samples.REFERENCE), 1) for row in run.chosen()]
    standing = sorted((entry for entry in standing if entry.ratio), key=lambda entry: entry.ratio.median)
    best = {leader.row.name for leader in verdicts.leaders([entry for entry in standing if verdicts.candidate(entry.row)])}
    entries = [entry(each.row.name, each.ratio, each.row.name in best) for each in standing]
    half = (len(entries) + 1) // 2
    lines = []
    for index in range(half):
        line = Text("").append_text(entries[index])
        if half + index < len(entries):
            line.append(" ").append_text(entries[half + index])
        line.rstrip()
        lines.append(line)
    for (suite, name), failure in cell.failures.items():
        lines.append(Text(f"! {name} failed ({suite}): {failure.get('why') or 'no reason given'}", style="red"))
    return lines


def verdict_text(found):
    """The verdict of some cells in one plain sentence."""
    if not found.leaders:
        return found.why_none

    def tie(leaders):
        names = [f"{leader.row.name} {verdicts.with_interval(leader.ratio)}" for leader in leaders[:3]]
        more = f" and {len(leaders) - 3} more" if len(leaders) > 3 else ""
        return names[0] if len(leaders) == 1 else "no clear difference between " + ", ".join(names) + more

    text = tie(found.leaders)
    if found.general and {leader.row.name for leader in found.general} != {leader.row.name for leader in found.leaders}:
        text += "; best general-purpose: " + tie(found.general)
    return text


def show(run, page, stream=None):
    """Prints the table and, last, where the page is."""
    out = console(stream)
    out.print(Text("Time as a ratio to libc, 95 % interval over processes; * best, or not clearly apart from it"))
    for cell in run.cells.values():
        lines = cell_lines(run, cell)
        if not lines:
            continue
        out.print()
        out.print(Text(cell.title, style="bold"))
        for line in lines:
            out.print(line, overflow="fold")
    out.print()
    for title, cells in verdicts.uses(run):
        out.print(Text(f"{title}: {verdict_text(verdicts.verdict(run, cells))}"))
    control = run.control()
    if control.cells:
        out.print(Text(f"libc against itself: {control.containing} of {control.cells} intervals contain 1, median half-width {100 * control.median_half_width:.2f} %"))
    for row in run.missing():
        out.print(Text(f"{row.name}: not in this build: {row.missing}"))
    if not run.finished:
        out.print(Text("This run is not finished: make bench goes on with it.", style="bold"))
    out.print(Text(str(page)), soft_wrap=True)


def compare(run, one, other):
    """Of two rows, (cell, ratio of time) on every setting that they share, and of all of them together."""
    pairs = [(cell, cell.ratio(one, other)) for cell in run.cells.values()]
    pairs = [(cell, ratio) for cell, ratio in pairs if ratio]
    joint = stats.ratio(stats.joint_log_ratios([cell.log_ratios(one, other) for cell, _ in pairs])) if pairs else None
    return pairs, joint
