"""What was measured of the mutants, as text, as matrix.csv, and as an exit status."""

import csv
from collections import Counter
from pathlib import Path

from . import common, mutants_run

MATRIX = mutants_run.OUT / "matrix.csv"


def summarise(mutant, known, way):
    """Of one way's measurements: (killed on how many seeds, of how many, the first one that killed or None)."""
    found = [outcome for (name, kind, _), outcome in known.items() if name == mutant.id and kind == way]
    kills = sorted((o for o in found if o.killed), key=lambda o: o.seconds)
    return len(kills), len(found), kills[0] if kills else None


def fate(mutant, known):
    """killed, survived, equivalent, or unmeasured."""
    counts = [summarise(mutant, known, way) for way in mutants_run.WAYS]
    if any(kills for kills, _, _ in counts):
        return "killed"
    if mutant.equivalent:
        return "equivalent"
    return "survived" if any(times for _, times, _ in counts) else "unmeasured"


def told_alone(mutant, known):
    """Whether nobody else tells of it in the corpus when the oracle that did is off; None where that was not measured
    of the oracle that told last."""
    told, again = known.get((mutant.id, "corpus", 0)), known.get((mutant.id, mutants_run.ALONE, 0))
    if not told or not again or again.without != told.oracle:
        return None
    return not again.killed


def write_matrix(mutants, known, path=None):
    with common.atomic_write(path or MATRIX) as out:
        table = csv.writer(out)
        heads = [f"{way}_{what}" for way in mutants_run.WAYS for what in ("killed", "measured", "oracle", "seconds", "executions")]
        table.writerow(["id", "class", "models", "fate", *heads, "alone", "reason"])
        for mutant in mutants:
            row = [mutant.id, mutant.class_, mutant.models, fate(mutant, known)]
            for way in mutants_run.WAYS:
                kills, times, first = summarise(mutant, known, way)
                row += [kills, times, first.oracle if first else "", f"{first.seconds:.2f}" if first else "", first.executions if first else ""]
            row += [{None: "", True: "yes", False: "no"}[told_alone(mutant, known)], mutant.equivalent or mutant.unseen]
            table.writerow(row)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def way_line(mutants, known, way):
    """One way's figures; None where nothing was measured by it."""
    outcomes = [known[key] for key in known if key[1] == way and key[0] in {m.id for m in mutants}]
    if not outcomes:
        return None
    measured = {o.mutant for o in outcomes}
    killed = {o.mutant for o in outcomes if o.killed}
    times = [o.seconds for o in outcomes if o.killed]
    text = f"{way:<8} {len(killed):>4} of {len(measured)} killed ({100 * len(killed) / len(measured):.0f} %)"
    if times:
        text += f", median {percentile(times, 0.5):.2f} s, 95th percentile {percentile(times, 0.95):.2f} s"
    always = measured - {o.mutant for o in outcomes if not o.killed}
    return text + (f", {len(always)} on every seed" if len(outcomes) > len(measured) else "")


def by_oracle(mutants, known, way):
    """How many each oracle told first, most first."""
    counts = {}
    for mutant in mutants:
        _, _, first = summarise(mutant, known, way)
        if first:
            counts[first.oracle] = counts.get(first.oracle, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def survivor_lines(mutants, known):
    """What each survivor is, and who was expected to tell."""
    lines = []
    for mutant in mutants:
        if fate(mutant, known) != "survived":
            continue
        lines.append(f"  {mutant.id} ({mutant.class_}, after {mutant.models}; {', '.join(mutant.rows)}; expected: {mutant.oracle})")
        lines.append(f"      {mutant.file}: {one_line(mutant.find)}")
        lines.append(f"      {'':<{len(mutant.file)}}  {one_line(mutant.replace) or '(nothing)'}")
        lines.append(f"      {one_line(mutant.unseen) or 'nobody has said why'}")
    return lines


def one_line(text):
    text = " ".join(text.split())
    return text if len(text) <= 110 else text[:107] + "…"


def print_table(mutants, known):
    for way in mutants_run.WAYS:
        text = way_line(mutants, known, way)
        if text:
            print(text)
            told = ", ".join(f"{oracle} {count}" for oracle, count in by_oracle(mutants, known, way))
            if told:
                print(f"         told by {told}")
    alone = Counter(known[mutant.id, "corpus", 0].oracle for mutant in mutants if told_alone(mutant, known))
    if alone:
        print("         nobody else: " + ", ".join(f"{oracle} {count}" for oracle, count in sorted(alone.items(), key=lambda it: (-it[1], it[0]))))
    fates = [fate(mutant, known) for mutant in mutants]
    print(f"{len(mutants)} mutants: " + ", ".join(f"{fates.count(kind)} {kind}" for kind in ("killed", "survived", "equivalent", "unmeasured") if kind in fates))
    lines = survivor_lines(mutants, known)
    if lines:
        print("survived:", *lines, sep="\n")


def status(mutants, known):
    fates = {fate(mutant, known) for mutant in mutants}
    if fates == {"unmeasured"}:
        return common.Exit.NOTHING_MEASURED
    return common.Exit.CONFIRMED if "survived" in fates else common.Exit.GOOD


def shown(path):
    path = Path(path)
    return path.relative_to(common.ROOT) if path.is_relative_to(common.ROOT) else path
