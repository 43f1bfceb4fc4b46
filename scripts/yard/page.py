"""The page that people look at: a run as one self-contained HTML file.

Everything is there without scripts: sentences, tables, charts (charts.py). The script at the end of
the page only re-computes against another reference, sorts, filters and copies; it gets per process and
row one number, the log ratio to libc, packed. The template and its style lie in reports/templates/.
"""

import base64
import json
import math

import jinja2
import numpy
from markupsafe import Markup, escape

from yard import charts, common, looks, samples, targets, verdicts
from yard.verdicts import figure

TEMPLATES = common.ROOT / "reports" / "templates"
LIMIT_BYTES = 1_000_000
REFERENCE = samples.REFERENCE
# A log ratio is packed as a 16-bit whole number of 1/2000: 0.05 %, up to a factor of ten million.
PACK_SCALE = 2000
PACK_NONE = -32768
# Ratios above this stand at the edge of a chart, with their number, rather than squeeze all others.
AXIS_LIMIT = 4


def markup(parts):
    return Markup("".join(str(part) for part in parts))


def varying(cells):
    """The parameters in which some cells differ, which is what their short labels name."""
    values = [cell.values() for cell in cells]
    names = {name for each in values for name in each}
    return {name for name in names if len({each.get(name) for each in values}) > 1}


class Page:
    """A run with what all sections share. `detail` shrinks (1, 0.5 …) when a page gets too large."""

    def __init__(self, run, detail=1.0):
        self.run, self.detail = run, detail
        self.rows = run.chosen()
        self.index = {row.name: index for index, row in enumerate(self.rows)}
        self.looks = looks.assign(self.rows, REFERENCE)
        self.works = {}
        for cell in run.cells.values():
            self.works.setdefault(cell.workload, []).append(cell)
        self.cells = [cell for cells in self.works.values() for cell in cells]
        self.labels = {cell.key: cell.label_of(varying(cells)) for cells in self.works.values() for cell in cells}

    def mark(self, name, text=None):
        """An allocator's name with its mark, linked to its section."""
        look = self.looks[name]
        key = f'<svg aria-hidden="true" class="{look.css}"><use href="#{look.shape}" x="7" y="6"/></svg>'
        return Markup(f'<span class="m">{key}<a href="#a-{name}">{escape(text or name)}</a></span>')


# ---- 1: the answers


def brief(value):
    """A ratio in a sentence: 0.12, 0.088, 1.04."""
    return figure(value) if value >= 9.995 else f"{value:.2f}" if value >= 0.0995 else f"{value:.2g}"


def named(page, standing, forms=(), bounds=True):
    """An allocator, its other forms that can't be told from it, its ratio, and the interval where wanted."""
    name, ratio = page.mark(standing.row.name), standing.ratio
    also = f" (or {', '.join(str(page.mark(row.name)) for row in forms)})" if forms else ""
    head = Markup(f"<b>{name}</b>{also}" if bounds else f"{name}{also}")
    if standing.row.name == REFERENCE:
        return head
    return head + (Markup(f", {brief(ratio.median)}&nbsp;×&nbsp;libc [{brief(ratio.lo)},&nbsp;{brief(ratio.hi)}]") if bounds else Markup(f", {brief(ratio.median)}&nbsp;×"))


def families(leaders):
    """Leaders with the other forms of the same allocator (its sized API) behind the better one."""
    found = {}
    for standing in leaders:
        found.setdefault((standing.row.base or standing.row).name, []).append(standing)
    return [(forms[0], [standing.row for standing in forms[1:]]) for forms in found.values()]


SHOWN_MAX = 3


def tie(page, leaders, bounds=True):
    """One allocator, or "no clear difference between" several."""
    found = families(leaders)
    shown = [named(page, standing, forms, bounds) for standing, forms in found[:SHOWN_MAX]]
    if len(found) == 1:
        return shown[0]
    more = [Markup(f"{len(found) - SHOWN_MAX} more")] if len(found) > SHOWN_MAX else []
    listed = shown + more
    joined = Markup("; ").join(listed[:-1]) + Markup(" and " if bounds else "; or ") + listed[-1]
    return Markup(f"no clear difference between {joined}") if bounds else joined


def sentence(page, verdict):
    """The verdict in words: "arena, 0.12 × libc [0.11, 0.13]; best general-purpose: jemalloc, 0.61 ×"."""
    if not verdict.leaders:
        return Markup(f"<span class=n>{escape(verdict.why_none)}</span>")
    best = tie(page, verdict.leaders)
    if not verdict.general or all(standing.row.general for standing in verdict.leaders):
        return best
    return best + Markup(f"<span class=more>; best general-purpose: {tie(page, verdict.general, bounds=False)}</span>")


def with_threads(page, cells):
    """What another thread count changes about a workload, after its sentence."""
    verdict = verdicts.verdict(page.run, cells)
    if not verdict.leaders:
        return ""
    return f"<span class=more>; with {cells[0].threads} threads: {tie(page, verdict.leaders, bounds=False)}</span>"


def answers(page):
    """One sentence a workload: over its settings with the fewest threads, then what more threads change."""
    out = []
    for name, cells in page.works.items():
        counts = sorted({cell.threads for cell in cells})
        parts = [[cell for cell in cells if cell.threads == count] for count in counts]
        over = f"<span class=small>{len(parts[0])} settings</span>" if len(parts[0]) > 1 else ""
        title = spoken(name) + (f", {counts[0]} threads" if counts[0] != 1 else "")
        text = sentence(page, verdicts.verdict(page.run, parts[0])) + markup(with_threads(page, part) for part in parts[1:])
        out.append(f'<dt><a href="#w-{name}">{title}</a>{over}</dt><dd>{text}.</dd>')
    return markup(out)


def spoken(name):
    return escape(name.replace("_", " "))


def lead(page):
    context = page.run.context
    tier = context.get("tier") or "a"
    when = (context.get("started") or "")[:10]
    settings = f"{len(page.cells)} settings of {len(page.works)} workloads"
    return f"{len(page.rows)} allocators, {settings}, side by side in the same processes, on {when or 'an unknown day'} ({tier} run)."


# ---- 2: time against memory


def means(page, cells):
    """By row: time and memory against the reference, geometric means over what it can run."""
    out = []
    for row in page.rows:
        time, times = verdicts.partial_mean(cells, row.name, REFERENCE, verdicts.time_ratio)
        memory, memories = verdicts.partial_mean(cells, row.name, REFERENCE, verdicts.memory_ratio)
        out.append((row, time, times, memory, memories))
    return out


def scatter(page, found, width=1000, height=460):
    dots = [entry for entry in found if entry[1] and entry[3]]
    if not dots:
        return Markup("<p class=n>Memory was not measured in this run against libc, so there is no such chart.</p>")
    x_axis = charts.Axis([entry[1] for entry in dots], always=1, pad=0.1, limit=AXIS_LIMIT)
    y_axis = charts.Axis([entry[3] for entry in dots], always=1, pad=0.1, limit=AXIS_LIMIT)
    order = sorted(dots, key=lambda entry: (entry[0].name != REFERENCE, entry[0].floor, not verdicts.candidate(entry[0]), entry[1]))
    places = [(x_axis.inside(entry[1]), y_axis.inside(entry[3])) for entry in order]
    names = [entry[0].name + beyond(x_axis, entry[1], y_axis, entry[3]) for entry in order]
    spots = [(x / 100 * width, height - y / 100 * height, name) for (x, y), name in zip(places, names)]
    corner = charts.percent(y_axis.at(1))
    parts = [f'<rect class=corner width="{charts.percent(x_axis.at(1))}" y="{charts.percent(100 - y_axis.at(1))}" height="{corner}"/>']
    parts.append(f'<text class=good x="8" y="{height - 8}">less time, less memory</text>')
    for entry, place, name, label in zip(order, places, names, charts.place_labels(spots, width, height)):
        look = page.looks[entry[0].name]
        x, y = charts.percent(place[0]), charts.percent(100 - place[1])
        text = f'<text x="{x}" y="{y}" dx={label[0]} dy={label[1]} text-anchor={label[2]}>{name}</text>' if label else ""
        parts.append(f'<g class={look.css}><use href="#{look.shape}" x="{x}" y="{y}"/>{text}<title>{entry[0].name}</title></g>')
    best = min(dots, key=lambda entry: entry[1])
    leanest = min(dots, key=lambda entry: entry[3])
    says = f"Scatter of {len(dots)} allocators: least time {best[0].name}, {figure(best[1])} times libc's; least memory {leanest[0].name}, {figure(leanest[3])} times libc's. The numbers are in the table below."
    labels = ("time, ratio to libc (geometric mean, log scale)", "memory, ratio to libc")
    return charts.plot("scatter-plot", (x_axis, y_axis), labels, "".join(parts), says, height, wide_right=False)


def beyond(x_axis, x, y_axis, y):
    """The number of a dot that stands at the edge because its place is outside."""
    outside = x if x_axis.at(x) > 100 else y if y_axis.at(y) > 100 else None
    return "" if outside is None else f" ({figure(outside)} ×)"


def means_table(page, found):
    total = len(page.cells)
    rows = [
        f"<tr class={page.looks[row.name].css}><th scope=row>{page.mark(row.name)}<td>{figure(time) if time else '—'}<td>{times} of {total}"
        f"<td>{figure(memory) if memory else '—'}<td>{memories} of {total}"
        for row, time, times, memory, memories in found
    ]
    head = "<thead><tr><th scope=col>Allocator<th scope=col>time ×<th scope=col>settings<th scope=col>memory ×<th scope=col>settings<tbody>"
    return Markup("<caption>Geometric means of ratios to <span class=ref>libc</span>, over the settings that each can run</caption>" + head) + markup(rows)


def tradeoff_intro(page, found):
    count = sum(cell.live_peak >= samples.LEAST_LIVE_BYTES for cell in page.cells)
    absent = [row.name for row, time, _, memory, _ in found if time and not memory and verdicts.candidate(row)]
    measured = [len(records) for cell in page.cells for records in cell.memory.values()]
    once = ", measured once each and so without an interval" if measured and max(measured) == 1 else ""
    text = (
        "One mark is one allocator: its geometric mean over the settings that it can run, so two that can’t run the same ones compare only "
        f"roughly. Memory is peak RSS above the start of the process, over the {count} settings that hold at least 1 MiB live{once}."
    )
    return text + (f" Not in the chart, as they run none of those: {', '.join(absent)}." if absent and count else "")


def legend(page):
    shapes = [("o", "ours"), ("d", "peers"), ("s", "system"), ("t", "floors, not for use")]
    present = {look.shape for look in page.looks.values()}
    items = [f'<li><svg aria-hidden="true" width="14" height="12" style="--c:var(--c8)"><use href="#{shape}" x="7" y="6"/></svg> {text}' for shape, text in shapes if shape in present]
    return Markup("<ul class=legend>") + markup(items) + Markup("<li>hollow: another form of the allocator of that colour, or the hue’s second turn</ul>")


# ---- 3: the table


def shade(ratio):
    """The class of a ratio's background, symmetric in log: m4 (half or less) … p4 (double or more)."""
    level = sum(abs(math.log2(ratio)) >= limit for limit in (0.07, 0.25, 0.55, 1.0))
    return f"{'m' if ratio < 1 else 'p'}{level}" if level else ""


def breakable(label):
    """Parameters that may wrap after their equals sign."""
    return escape(label or "·").replace("=", Markup("=<wbr>"))


def best_of(page, cell):
    """The leaders of one cell, which the table prints in bold."""
    standing = [verdicts.Standing(row, cell.ratio(row.name, REFERENCE), 1) for row in page.rows if verdicts.candidate(row) and cell.ratio(row.name, REFERENCE)]
    return {leader.row.name for leader in verdicts.leaders(sorted(standing, key=lambda entry: entry.ratio.median))}


def grid_cell(page, cell, row, best):
    status = page.run.status(cell, "throughput", row.name)
    if status == samples.FAILED:
        return '<td class=k><a href="#failures">failed</a>'
    ratio = cell.ratio(row.name, REFERENCE)
    if ratio is None:
        return "<td class=k>" + ("—" if status == samples.NOT_APPLICABLE else "·")
    if row.name == REFERENCE:
        return f"<td{' class=b' if row.name in best else ''}>1"
    css = ["b"] if row.name in best else []
    css += ["n"] if ratio.lo is not None and ratio.contains(1.0) else [shade(ratio.median)]
    css += ["q"] if ratio.lo is None else []
    css = " ".join(name for name in css if name)
    return f'<td{f" class={chr(34)}{css}{chr(34)}" if css else ""}>{ratio.median:.2f}' if ratio.median < 99.5 else f"<td class=p4>{ratio.median:.0f}"


def other_reference(page, row):
    return f'<button type=button class="js setref" data-ref={page.index[row.name]} aria-label="compare with {escape(row.name)}">÷</button>'


def grid(page):
    groups = "".join(f'<th scope=colgroup colspan={len(cells)}><a href="#w-{name}">{spoken(name)}</a>' for name, cells in page.works.items())
    columns = "".join(f"<th scope=col>{breakable(page.labels[cell.key])}" for cell in page.cells)
    best = [best_of(page, cell) for cell in page.cells]
    body = []
    for row in page.rows:
        mean, count = verdicts.partial_mean(page.cells, row.name, REFERENCE, verdicts.time_ratio)
        cells = "".join(grid_cell(page, cell, row, leaders) for cell, leaders in zip(page.cells, best))
        css = f'"{page.looks[row.name].css} isref"' if row.name == REFERENCE else page.looks[row.name].css
        body.append(f"<tr class={css}><th scope=row>{page.mark(row.name)} {other_reference(page, row)}<td>{figure(mean) if mean else '—'} ({count}){cells}")
    caption = "<caption id=caption>Time, ratio to <span class=ref>libc</span>; below 1 is faster<span class=js>. Click a column to sort, ÷ to compare with another.</span></caption>"
    head = f"<thead><tr><th scope=col rowspan=2>Allocator<th scope=col rowspan=2>mean (of){groups}<tr>{columns}<tbody>"
    return Markup(caption + head) + markup(body)


# ---- 4: workloads


def axis_of(page, cells):
    ratios = [cell.ratio(row.name, REFERENCE) for cell in cells for row in page.rows]
    values = [value for ratio in ratios if ratio for value in (ratio.lo, ratio.hi, ratio.median) if value]
    return charts.Axis(values, always=1, limit=AXIS_LIMIT)


def mebibytes(value):
    return "" if value is None else f"{value / 2**20:.1f}" if value < 100 * 2**20 else f"{value / 2**20:.0f}"


def median_of(values):
    return sorted(values)[len(values) // 2] if values else None


def strip_row(page, cell, axis, row, best):
    time, ratio = cell.time(row.name), cell.ratio(row.name, REFERENCE)
    look = page.looks[row.name]
    memory = mebibytes(median_of(cell.memory_values(row.name, "peak_rss_above_start")))
    css = f'"{look.css} b"' if row.name in best else look.css
    head = f"<tr class={css}><th scope=row><a href=#a-{row.name}>{row.name}</a>"
    if time is None:
        return f'{head}<td colspan=4><a href="#failures">failed</a>'
    if ratio is None:
        return f"{head}<td><td>—<td>{figure(time.median)}<td>{memory}"
    span = f"<span> [{figure(ratio.lo)}, {figure(ratio.hi)}]</span>" if ratio.lo is not None else ""
    return f"{head}<td>{charts.strip(axis, ratio, look.shape)}<td><b>{figure(ratio.median)}</b>{span}<td>{figure(time.median)}<td>{memory}"


def cell_order(page, cell):
    """The rows of a cell's chart: fastest first, then what can't be compared, then what failed."""
    compared = [row for row in page.rows if cell.ratio(row.name, REFERENCE)]
    alone = [row for row in page.rows if cell.time(row.name) and row not in compared]
    failed = [row for row in page.rows if ("throughput", row.name) in cell.failures]
    return sorted(compared, key=lambda row: cell.ratio(row.name, REFERENCE).median) + alone + failed


def cell_figure(page, cell, axis):
    rows = cell_order(page, cell)
    if not rows:
        return ""
    number = page.cells.index(cell)
    best = best_of(page, cell)
    body = "".join(strip_row(page, cell, axis, row, best) for row in rows)
    unit = "ns per operation"
    head = (
        f"<colgroup><col class=a><col><col class=x><col class=t><col class=y></colgroup><thead><tr><th scope=col><span class=ref>libc</span> = 1<td>{charts.strip_axis(axis)}"
        f"<th scope=col>time ratio<span> [95&nbsp;%]</span><th scope=col title='{unit}'>ns/op<th scope=col title='peak RSS above the start of the process'>peak MiB<tbody>"
    )
    label = cell.label or cell.workload
    return (
        f'<div class=cell><table id=c{number} style="--one:{axis.at(1) / 100:.4f}"><caption>{escape(label)}</caption>{head}{body}</table>'
        f"<p class=cmd><code>{escape(cell_command(page, cell))}</code></div>"
    )


def cell_command(page, cell):
    tier = {"quick": " QUICK=1", "full": " FULL=1"}.get(page.run.context.get("tier"), "")
    return f"make bench FRESH=1{tier} WORKLOADS={cell.workload} THREADS={cell.threads}"


def curve_sets(cells):
    """Sets of cells that differ in one number only, at least three of it: what a curve can show."""
    found = []
    names = {name for cell in cells for name, value in cell.values().items() if isinstance(value, int)}
    for name in sorted(names):
        groups = {}
        for cell in cells:
            values = cell.values()
            if name in values:
                rest = tuple(sorted((key, value) for key, value in values.items() if key != name))
                groups.setdefault(rest, []).append((values[name], cell))
        for rest, points in groups.items():
            if len({value for value, _ in points}) >= 3:
                found.append((name, rest, sorted(points, key=lambda point: point[0])))
    return found


def curve(page, workload, number, name, rest, points):
    """Nanoseconds per operation over one parameter, a line an allocator, both axes logarithmic."""
    lines = {}
    for row in page.rows:
        line = [(value, cell.time(row.name).median) for value, cell in points if cell.time(row.name)]
        if len(line) >= 2:
            lines[row.name] = line
    if not lines:
        return ""
    limit = 2 * AXIS_LIMIT * max(ns for _, ns in lines.get(REFERENCE) or next(iter(lines.values())))
    outside = [name for name, line in lines.items() if min(ns for _, ns in line) > limit]
    for row_name in outside:
        del lines[row_name]
    x_axis = charts.Axis([value for value, _ in points])
    y_axis = charts.Axis([ns for line in lines.values() for _, ns in line])
    marks, ends = [], []
    for row_name, line in sorted(lines.items(), key=lambda item: item[1][-1][1]):
        look = page.looks[row_name]
        places = [(x_axis.at(value), y_axis.at(ns)) for value, ns in line]
        dots = "".join(f'<use href="#{look.shape}" x="{charts.percent(x)}" y="{charts.percent(100 - y)}"/>' for x, y in places)
        marks.append(f"<g class={look.css}>{charts.polyline(places)}{dots}</g>")
        if line[-1][0] == points[-1][0]:
            ends.append((look.css, row_name, places[-1][1]))
    fixed = ", ".join(f"{value} threads" if key == "threads" and value != 1 else f"{key}={value}" for key, value in rest if (key, value) != ("threads", 1))
    first, last = points[0][0], points[-1][0]
    libc = [f"{figure(ns)} ns at {value}" for value, ns in lines.get(REFERENCE, [])[:: max(1, len(points) - 1)]]
    says = f"Lines of time over {name} from {first} to {last} for {len(lines)} allocators." + (f" libc: {', '.join(libc)}." if libc else "") + " The numbers are in the tables of this section."
    labels = (f"{name} (log scale)", "ns per operation (log scale)")
    chart = charts.plot(f"k-{workload}-{number}", (x_axis, y_axis), labels, "".join(marks) + charts.end_labels(ends, 320), says)
    cells = ", ".join(f'<a href="#c{page.cells.index(cell)}">{escape(name)}={value}</a>' for value, cell in points)
    return f"<figure>{chart}<figcaption>How time grows with {escape(name)}{escape(' (' + fixed + ')' if fixed else '')}. {off_chart(outside)}Tables: {cells}.</figcaption></figure>"


def off_chart(names):
    return f"Far above the chart: {', '.join(names)}. " if names else ""


def thinned(series, most):
    """At most so many points of a series, first, last and highest among them."""
    if len(series) <= most:
        return list(enumerate(series))
    keep = {round(i * (len(series) - 1) / (most - 1)) for i in range(most)}
    keep.add(max(range(len(series)), key=lambda i: series[i][1]))
    return [(i, series[i]) for i in sorted(keep)]


def memory_cell(cells):
    """The setting whose memory is drawn: the one that holds most."""
    drawn = [cell for cell in cells if cell.live_peak >= samples.LEAST_LIVE_BYTES and any(record.get("series") for records in cell.memory.values() for record in records)]
    return max(drawn, key=lambda cell: cell.live_peak, default=None)


def memory_chart(page, workload, cells):
    """Resident memory over the course of one setting, against what is live."""
    cell = memory_cell(cells)
    if cell is None:
        return ""
    lines = {row.name: cell.memory[row.name][0] for row in page.rows if row.name in cell.measured("memory") and cell.memory[row.name][0].get("series")}
    most = max(6, int(page.detail * min(60, 24000 / max(1, len(lines) * len(page.works)))))
    top = max(rss - (record.get("start_rss") or 0) for record in lines.values() for _, rss in record["series"])
    y_axis = charts.Axis([0, top / 2**20], log=False)
    x_axis = charts.Axis([0, 100], log=False, pad=0)
    marks, ends = [], []
    model = lines.get(REFERENCE) or next(iter(lines.values()))
    live = [(100 * i / max(1, len(model["series"]) - 1), y_axis.at(point[0] / 2**20)) for i, point in thinned(model["series"], 60)]
    area = " ".join(f"{x:.1f},{100 - y:.1f}" for x, y in [(0, 0), *live, (100, 0)])
    marks.append(f'<svg viewBox="0 0 100 100" preserveAspectRatio=none width="100%" height="100%" class=layer><polygon class=live points="{area}"/></svg>')
    for name, record in lines.items():
        start, last = record.get("start_rss") or 0, max(1, len(record["series"]) - 1)
        places = [(100 * i / last, y_axis.at((rss - start) / 2**20)) for i, (_, rss) in thinned(record["series"], most)]
        marks.append(f"<g class={page.looks[name].css}>{charts.polyline(places)}</g>")
        ends.append((page.looks[name].css, name, places[-1][1]))
    ends.sort(key=lambda end: end[2])
    peak = {name: max(rss for _, rss in record["series"]) - (record.get("start_rss") or 0) for name, record in lines.items()}
    lean, fat = min(peak, key=peak.get), max(peak, key=peak.get)
    says = f"Resident memory over the run of {len(lines)} allocators against live bytes, whose peak is {mebibytes(cell.live_peak)} MiB. Least at its peak: {lean}, {mebibytes(peak[lean])} MiB; most: {fat}, {mebibytes(peak[fat])} MiB."
    chart = charts.plot(f"m-{workload}", (x_axis, y_axis), ("progress of the run, %", "MiB above the start"), "".join(marks) + charts.end_labels(ends, 320), says)
    return f'<figure>{chart}<figcaption>Memory over time ({escape(cell.label or workload)}): a line is what the process holds, the grey area what the workload holds live. Peaks are in <a href="#c{page.cells.index(cell)}">its table</a>.</figcaption></figure>'


def later(text):
    """A part that a browser with scripts builds when it has time for it, so that the page stands at
    once; a browser without scripts has it from the start."""
    return f"<noscript class=later>{text}</noscript>" if text else ""


def workload_section(page, name, cells):
    given = page.run.workloads[name]
    operation = f" One operation is {given['operation']}." if given.get("operation") else ""
    axis = axis_of(page, cells)
    parts = [f'<section class=work id="w-{name}" aria-labelledby="h-w-{name}"><h3 id="h-w-{name}">{spoken(name)}</h3><p>{escape(given.get("summary") or "")}{escape(operation)}</p>']
    found = verdicts.verdict(page.run, cells)
    parts.append(f"<p>Over {'its one setting' if len(cells) == 1 else f'all {len(cells)} settings'}: {sentence(page, found)}</p>")
    if found.partial and len(cells) > 1:
        parts.append("<p class=small>Only in some of them: " + ", ".join(str(page.mark(row.name)) for row in found.partial) + ".</p>")
    parts.append("<div class=cells>" + "".join(later(cell_figure(page, cell, axis)) for cell in cells) + "</div>")
    parts += [later(curve(page, name, number, *found)) for number, found in enumerate(curve_sets(cells))]
    parts.append(later(memory_chart(page, name, cells)))
    return markup(parts) + Markup("</section>")


# ---- 5: allocators


def card(page, row):
    judged = [(cell, cell.ratio(row.name, REFERENCE)) for cell in page.cells]
    judged = sorted(((cell, ratio) for cell, ratio in judged if ratio), key=lambda pair: pair[1].median)
    good = [pair for pair in judged if pair[1].lo is not None and pair[1].hi < 1][:3]
    bad = [pair for pair in reversed(judged) if pair[1].lo is not None and pair[1].lo > 1][:3]
    memory = [cell.memory_values(row.name, "peak_rss_above_start") for cell in page.cells if cell.live_peak >= samples.LEAST_LIVE_BYTES]
    lives = [cell.live_peak for cell in page.cells if cell.live_peak >= samples.LEAST_LIVE_BYTES]
    held = [median_of(values) / live for values, live in zip(memory, lives) if values and median_of(values)]

    def places(pairs):
        return "; ".join(f'<a href="#c{page.cells.index(cell)}">{escape(cell.title)}</a> {figure(ratio.median)}&nbsp;×' for cell, ratio in pairs)

    traits = ", ".join(trait for trait in row.traits if trait != row.group)
    facts = [f"<dt>Kind<dd>{escape(row.group)}{escape(': ' + traits if traits else '')}"]
    if row.name != REFERENCE and judged:
        facts.append(f"<dt>Shines<dd>{places(good) or 'nowhere clearly ahead of libc'}<dt>Doesn’t<dd>{places(bad) or 'nowhere clearly behind libc'}")
    if held:
        mean = math.exp(sum(math.log(value) for value in held) / len(held))
        facts.append(f"<dt>Memory<dd>{figure(mean)} bytes at the peak per live byte (geometric mean of {len(held)})")
    version = (page.run.context.get("versions") or {}).get(row.name)
    facts += [f"<dt>Version<dd>{escape(version)}"] if version else []
    return Markup(f'<article class="card {page.looks[row.name].css}" id="a-{row.name}"><h3>{page.mark(row.name)}</h3><p>{escape(row.summary)}<dl>{"".join(facts)}</dl></article>')


# ---- 6: how it was measured


def fact(name, value):
    return f"<dt>{escape(name)}<dd>{escape(value)}" if value not in (None, "", [], {}) else ""


def paired(before_after, show):
    """"before 0.3; after 1.0" of a context field that was taken twice."""
    given = before_after or {}
    return "; ".join(f"{when} {show(given[when])}" for when in ("before", "after") if given.get(when) is not None)


def pressure_text(pressure):
    if not isinstance(pressure, dict):
        return str(pressure)
    return ", ".join(f"{name} {value:g} %" if isinstance(value, (int, float)) else f"{name} {value}" for name, value in pressure.items() if value is not None)


def process_counts(page):
    counts = [len(cell.processes) for cell in page.cells if cell.processes]
    rounds = [len(values) for cell in page.cells for process in cell.processes.values() for values in process.rows.values()]
    memory = [len(records) for cell in page.cells for records in cell.memory.values()]
    if not counts:
        return ""

    def extent(values):
        return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"

    text = f"{extent(counts)} processes a setting, {extent(rounds)} interleaved rounds in each"
    return text + (f"; memory: {extent(memory)} fresh {'process' if max(memory) == 1 else 'processes'} a setting and allocator" if memory else "")


def control_text(page):
    control = page.run.control()
    if not control.cells:
        return "no twin of libc was measured in this run"
    return (
        f"{control.containing} of {control.cells} intervals of libc against itself contain 1 ({100 * control.share:.1f} %; 95 % is what is promised); "
        f"their median half-width is {100 * control.median_half_width:.2f} %"
    )


def harness_text(page):
    latest = {line.get("name", "?"): line.get("ns_per_op") for line in page.run.harness if isinstance(line.get("ns_per_op"), (int, float))}
    return "; ".join(f"{name}: {figure(value)} ns per operation" for name, value in latest.items())


def method(page):
    context = page.run.context
    memory = context.get("memory_bytes")
    commit = (context.get("commit") or "")[:12] + (" with uncommitted changes" if context.get("dirty") else "")
    versions = ", ".join(f"{name} {version}" for name, version in (context.get("versions") or {}).items())
    check = context.get("check_level")
    facts = [
        fact("Same against same", control_text(page)),
        fact("Samples", process_counts(page)),
        fact("Machine", ", ".join(str(part) for part in (context.get("machine"), context.get("cpu"), f"{context['cores']} cores" if context.get("cores") else None, f"{memory / 2**30:.1f} GiB" if memory else None) if part)),
        fact("System", ", ".join(part for part in (context.get("system"), context.get("kernel")) if part)),
        fact("Compiler", " ".join(part for part in (context.get("compiler"), context.get("flags")) if part)),
        fact("Commit", commit),
        fact("Check level", None if check is None else str(check)),
        fact("Versions", versions),
        fact("Load average", paired(context.get("load"), lambda load: " ".join(f"{value:g}" for value in load))),
        fact("Pressure", paired(context.get("pressure"), pressure_text)),
        fact("Harness’s own cost", harness_text(page)),
        fact("Command", context.get("command")),
        fact("Began, ended", " – ".join(part for part in (context.get("started"), context.get("ended")) if part)),
        fact("Unreadable lines", str(page.run.unreadable) if page.run.unreadable else None),
    ]
    return Markup(METHOD_TEXT) + Markup("<dl class=facts>") + markup(facts) + Markup("</dl>") + failures(page) + missing(page) + own_targets(page)


METHOD_TEXT = """<p>All allocators of a setting run in one process, in short epochs whose order is drawn anew each round, so that what disturbs the machine disturbs them alike. A process gives each pair of allocators one number, the median over rounds of the logarithm of their ratio. Processes differ in memory layout; the interval is over them, by order statistics, without any assumption about the noise. Against another reference than libc the page takes the difference of two such numbers. Memory is measured in a fresh process for each number; what was measured in fewer than six processes has no interval.</p>
<p>Any number is measured again by the command under its table, narrowed by <code>ALLOCATORS=name,name</code>; <code>scripts/report --compare NAME/NAME</code> compares any two rows of this run.</p>"""


def failures(page):
    found = [(cell, suite, row, failure) for cell in page.cells for (suite, row), failure in cell.failures.items()]
    if not found:
        return Markup("")
    rows = "".join(
        f"<tr><th scope=row>{escape(row)}<td>{escape(cell.title)}, {escape(suite)}<td>{escape(failure.get('why') or '')}<td><code>{escape(failure.get('command') or page.run.command(cell, row))}</code>"
        for cell, suite, row, failure in found
    )
    head = "<thead><tr><th scope=col>Allocator<th scope=col>Setting<th scope=col>What happened<th scope=col>Command<tbody>"
    return Markup(f'<h3 id=failures>What failed</h3><div class=scroll tabindex=0 role=region aria-label="Failed cells"><table class=list><caption>Failed cells; all others went on</caption>{head}{rows}</table></div>')


def missing(page):
    found = page.run.missing()
    if not found:
        return Markup("")
    rows = "".join(f"<tr><th scope=row>{escape(row.name)}<td>{escape(row.summary)}<td>{escape(row.missing)}" for row in found)
    head = "<thead><tr><th scope=col>Allocator<th scope=col>What it is<th scope=col>To have it<tbody>"
    return Markup(f'<h3 id=missing>Not in this build</h3><div class=scroll tabindex=0 role=region aria-label="Not in this build"><table class=list><caption>Known, but not built here</caption>{head}{rows}</table></div>')


def own_target(entry):
    beyond = f" beyond {entry['over']}" if entry["over"] else ""
    there = f" in {entry['reference_cell']}" if entry["reference_cell"] else ""
    interval = f" [{entry['lo']:.2f}, {entry['hi']:.2f}]" if entry["lo"] is not None else ""
    return (
        f"<tr><th scope=row>{escape(entry['row'] + beyond)}<td>{escape(entry['cell'])}<td>{entry['median']:.2f}{interval} × {escape(entry['reference'] + there)}"
        f"<td>{entry['bound']:g}<td>{escape(entry['verdict'])}<td>{escape(entry['why'])}"
    )


def own_targets(page):
    """What `make targets` found at the run's commit, where it was asked."""
    found = targets.kept(page.run.context.get("commit"))
    if not found:
        return Markup("")
    held = sum(entry["verdict"] == "held" for entry in found)
    head = "<thead><tr><th scope=col>Allocator<th scope=col>Setting<th scope=col>Time<th scope=col>At most<th scope=col>Verdict<th scope=col>Why<tbody>"
    caption = f"<caption>{held} of {len(found)} held; <code>make targets</code> measures them again</caption>"
    return Markup(f'<h3 id=targets>What our own must reach</h3><div class=scroll tabindex=0 role=region aria-label="Targets"><table class=list>{caption}{head}{"".join(map(own_target, found))}</table></div>')


# ---- the script's data


def packed(page, cell):
    """For each row, for each process, the log ratio to libc (or the log time where libc is absent)."""
    processes = list(cell.processes.values())
    out = numpy.full((len(page.rows), len(processes)), PACK_NONE, dtype="<i2")
    good = cell.measured("throughput")
    for column, process in enumerate(processes):
        anchored = REFERENCE in process.rows and REFERENCE in good
        for name in process.rows.keys() & good:
            value = process.log_ratio(name, REFERENCE) if anchored else math.log(float(numpy.median(process.rows[name])))
            out[page.index[name], column] = round(max(-16, min(16, value)) * PACK_SCALE)
    return out.tobytes()


def memory_of(page, cell):
    """By row: median, low and high bytes above the start, or 0 where there is none."""
    out = []
    for row in page.rows:
        values = [value for value in cell.memory_values(row.name, "peak_rss_above_start") if value > 0]
        if not values or cell.live_peak < samples.LEAST_LIVE_BYTES:
            out.append(0)
            continue
        estimate = samples.stats.median_interval(values)
        out.append([round(estimate.median)] if estimate.lo is None else [round(value) for value in (estimate.median, estimate.lo, estimate.hi)])
    return out


LETTER = {samples.OK: "o", samples.FAILED: "f", samples.NOT_APPLICABLE: "n", samples.NOT_IN_BUILD: "n", samples.NOT_MEASURED: "u"}


def data(page):
    """What the script needs, as JSON that can stand inside a script element."""
    works = list(page.works)
    cells = []
    for cell in page.cells:
        marks = ["".join(LETTER[page.run.status(cell, suite, row.name)] for row in page.rows) for suite in ("throughput", "memory")]
        times = [float(f"{cell.time(row.name).median:.4g}") if cell.time(row.name) else 0 for row in page.rows]
        cells.append({
            "w": works.index(cell.workload), "p": page.labels[cell.key], "n": len(cell.processes), "s": marks, "ns": times, "m": memory_of(page, cell),
            "d": base64.b64encode(packed(page, cell)).decode(), "o": [page.index[row.name] for row in cell_order(page, cell)],
        })  # fmt: skip
    rows = [[row.name, row.group, page.looks[row.name].shape, int(verdicts.candidate(row))] for row in page.rows]
    text = json.dumps({"scale": PACK_SCALE, "reference": REFERENCE, "limit": AXIS_LIMIT, "rows": rows, "works": works, "cells": cells}, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


# ---- all of it


def unfinished(page):
    """How much of an unfinished run is there."""
    planned = sum(len(cell.rows or []) for cell in page.cells)
    there = sum(len(cell.measured("throughput") & set(cell.rows or [])) for cell in page.cells)
    return f"{there} of {planned} numbers of time are there so far." if planned else ""


def render(run, detail=1.0):
    page = Page(run, detail)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    found = means(page, page.cells)
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    partial = any(verdicts.verdict(run, cells).partial for cells in page.works.values() if len(cells) > 1)
    return environment.get_template("page.html").render(
        title=f"{len(page.rows)} allocators, {(run.context.get('started') or '')[:10]}",
        css=Markup(environment.get_template("page.css").render()), js=Markup(script), row_css=Markup(looks.css(page.looks)),
        finished=run.finished, unfinished=unfinished(page), check_level=run.context.get("check_level") or 0, failures=[row for cell in page.cells for row in cell.failures],
        lead=lead(page), answers=answers(page), scatter=scatter(page, found), means=means_table(page, found), legend=legend(page),
        answers_note="Who can run only some of a workload’s settings is named in its section." if partial else "",
        tradeoff_intro=tradeoff_intro(page, found), table=grid(page), cell_count=len(page.cells),
        workloads=markup(workload_section(page, name, cells) for name, cells in page.works.items()),
        allocators=markup(card(page, row) for row in page.rows), method=method(page), folder=run.folder.name, data=data(page),
    )  # fmt: skip


def write(run):
    """Writes index.html into the run's folder and returns its path. A page above the limit is made
    again with fewer points in its memory curves, which is where size goes that nobody sees."""
    text = render(run)
    for detail in (0.4, 0.1):
        if len(text.encode()) <= LIMIT_BYTES:
            break
        text = render(run, detail)
    path = run.folder / "index.html"
    with common.atomic_write(path) as out:
        out.write(text)
    return path
