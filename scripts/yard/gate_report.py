"""The gate's reports: Markdown for a pull request, JUnit for CI, findings as NDJSON."""

import json
from xml.sax.saxutils import quoteattr

from yard import common
from yard.common import Exit
from yard.gate_judge import Verdict, sums

HEADLINES = {
    Exit.GOOD: "PASS: nothing got worse beyond noise",
    Exit.HARNESS: "ERROR: the harness failed",
    Exit.CONFIRMED: "FAIL: confirmed regression",
    Exit.INCONCLUSIVE: "INCONCLUSIVE: not everything could be decided",
    Exit.NOTHING_MEASURED: "NOTHING MEASURED: cells are missing",
}
# Most important first.
NOTEWORTHY = (Verdict.FAIL, Verdict.BROKEN, Verdict.MISSING, Verdict.INCONCLUSIVE, Verdict.ACCEPTED, Verdict.CHANGED)


def interval(finding):
    """The bounds as text: '[+1.2, +3.4] %'."""
    if finding.lo is None or finding.hi is None:
        return ""
    return f"[{100 * (finding.lo - 1):+.1f}, {100 * (finding.hi - 1):+.1f}] %"


def by_weight(findings):
    """Noteworthy findings, by verdict and then by size of the effect, both descending."""
    def effect(finding):
        return -abs((finding.ratio or float("inf")) - 1)

    chosen = [finding for finding in findings if finding.verdict in NOTEWORTHY]
    return sorted(chosen, key=lambda finding: (NOTEWORTHY.index(finding.verdict), effect(finding)))


def _value(number):
    if number is None:
        return ""
    return f"{number:,.0f}" if abs(number) >= 1000 or number == int(number) else f"{number:.2f}"


def _row(finding):
    cell = finding.cell
    threads = "" if cell.threads == 1 else f" × {cell.threads} threads"
    values = (
        finding.verdict.value, cell.row, f"{cell.workload} {cell.params}{threads}", finding.metric,
        _value(finding.base), _value(finding.head), finding.effect, interval(finding), finding.note,
    )
    return "| " + " | ".join(str(value).replace("|", "\\|") for value in values) + " |"


HEAD_ROW = (
    "| verdict | allocator | workload | metric | base | head | change | bounds | |\n"
    "|---|---|---|---|---:|---:|---:|---|---|"
)


def markdown(context, findings, code):
    """The verdict, then changes beyond noise, then the rest in a collapsed section."""
    lines = [f"## {HEADLINES[code]}", "", f"{sums(findings).line()}. {context['title']}.", ""]
    lines += [f"- {note}" for note in context["notes"]] + [""] * bool(context["notes"])
    noteworthy = by_weight(findings)
    if noteworthy:
        lines += ["### Beyond noise", "", HEAD_ROW, *map(_row, noteworthy), ""]
    rest = [finding for finding in findings if finding.verdict is Verdict.PASS]
    if rest:
        lines += ["<details><summary>", f"{len(rest)} comparisons without a change", "</summary>", "", HEAD_ROW]
        lines += [*map(_row, rest), "", "</details>", ""]
    lines += ["<details><summary>How it was measured</summary>", ""]
    lines += [f"- {name}: {value}" for name, value in context["facts"].items()] + ["", "</details>"]
    return "\n".join(lines) + "\n"


def _case(finding):
    cell = finding.cell
    name = f"{cell.workload} {cell.params} threads={cell.threads} {finding.metric}"
    text = f"{finding.verdict.value} {finding.effect} {interval(finding)} {finding.note}".strip()
    opening = f"<testcase classname={quoteattr(f'gate.{finding.tier}.{cell.row}')} name={quoteattr(name)}"
    kinds = {Verdict.FAIL: "failure", Verdict.BROKEN: "error", Verdict.MISSING: "error"}
    if finding.verdict in kinds:
        return f"{opening}><{kinds[finding.verdict]} message={quoteattr(text)}/></testcase>"
    if finding.verdict is Verdict.INCONCLUSIVE:
        return f"{opening}><skipped message={quoteattr(text)}/></testcase>"
    return f"{opening}/>"


def junit(findings):
    total = sums(findings)
    counts = (
        f'tests="{len(findings)}" failures="{total.failed}" errors="{total.broken + total.missing}" '
        f'skipped="{total.inconclusive}"'
    )
    cases = "\n".join(map(_case, findings))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="gate" {counts}>\n{cases}\n</testsuite>\n'


def write(folder, context, findings, code):
    """Writes gate.md, gate.xml, gate.json and findings.ndjson to the folder."""
    with common.atomic_write(folder / "findings.ndjson") as file:
        for finding in findings:
            record = finding._asdict() | {"cell": finding.cell._asdict(), "verdict": finding.verdict.value}
            file.write(json.dumps(record) + "\n")
    with common.atomic_write(folder / "gate.json") as file:
        json.dump(context | {"exit": int(code), "summary": sums(findings)._asdict()}, file, indent=1)
    with common.atomic_write(folder / "gate.xml") as file:
        file.write(junit(findings))
    with common.atomic_write(folder / "gate.md") as file:
        file.write(markdown(context, findings, code))


def terminal(findings, code):
    """The text printed at the end: noteworthy findings in short, the headline, the summary line."""
    lines = []
    for finding in by_weight(findings):
        line = f"  {finding.verdict.value:12} {finding.cell}  {finding.metric} {finding.effect} {interval(finding)}"
        lines.append(f"{line}  {finding.note}".rstrip())
    return "\n".join([*lines, HEADLINES[code], sums(findings).line()])
