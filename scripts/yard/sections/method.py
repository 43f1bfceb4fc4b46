"""How it was measured: machine, samples, the A/A check; what failed; what was not in the build."""

from typing import NamedTuple

from yard import targets, traces
from yard.formats import extent
from yard.verdicts import figure


class Fact(NamedTuple):
    name: str
    value: str


class Failure(NamedTuple):
    row: str
    title: str
    suite: str
    why: str
    command: str


def joined(separator, *parts):
    """The parts that are known."""
    return separator.join(str(part) for part in parts if part)


def paired(given, show):
    """"before 0.3; after 1.0" of a context field that was taken twice."""
    known = [(when, (given or {}).get(when)) for when in ("before", "after")]
    return "; ".join(f"{when} {show(value)}" for when, value in known if value is not None)


def load_text(load):
    return " ".join(f"{value:g}" for value in load)


def pressure_text(pressure):
    if not isinstance(pressure, dict):
        return str(pressure)
    known = [(name, value) for name, value in pressure.items() if value is not None]
    numbers = {name: f"{value:g} %" for name, value in known if isinstance(value, (int, float))}
    return ", ".join(f"{name} {numbers.get(name, value)}" for name, value in known)


def samples_text(view):
    """How many processes and rounds there are."""
    processes = [len(cell.processes) for cell in view.cells if cell.processes]
    every = [process for cell in view.cells for process in cell.processes.values()]
    rounds = [len(values) for process in every for values in process.rows.values()]
    if not rounds:
        return ""
    text = f"{extent(processes)} processes a setting, {extent(rounds)} interleaved rounds in each"
    memory = [len(records) for cell in view.cells for records in cell.memory.values()]
    if not memory:
        return text
    noun = "process" if max(memory) == 1 else "processes"
    return f"{text}; memory: {extent(memory)} fresh {noun} a setting and allocator"


def control_text(view):
    """What the A/A check of this very run found."""
    control = view.run.control()
    if not control.cells:
        return "no twin of libc was measured in this run"
    return (
        f"{control.containing} of {control.cells} intervals of libc against itself contain 1 "
        f"({100 * control.share:.1f} %; 95 % is what is promised); "
        f"their median half-width is {100 * control.median_half_width:.2f} %"
    )


def harness_text(view):
    latest = {line.get("name", "?"): line.get("ns_per_op") for line in view.run.harness}
    known = {name: value for name, value in latest.items() if isinstance(value, (int, float))}
    return "; ".join(f"{name}: {figure(value)} ns per operation" for name, value in known.items())


def machine_text(context):
    cores, memory = context.get("cores"), context.get("memory_bytes")
    sizes = (f"{cores} cores" if cores else None, f"{memory / 2**30:.1f} GiB" if memory else None)
    return joined(", ", context.get("machine"), context.get("cpu"), *sizes)


def preloads_text(context):
    """Which file each preloaded library was."""
    return "; ".join(
        f"{given['name']}: " + joined(", ", given["path"], given.get("soname"), given.get("version"), f"sha256 {given['sha256'][:16]}…")
        for given in context.get("preloads") or []
    )


def traces_text(context):
    return "; ".join(f"{traces.name(given['path'])}: {given['path']}, sha256 {given['sha256'][:16]}…" for given in context.get("traces") or [])


def facts(view):
    """(name, value) of all that is known."""
    context = view.run.context
    check = context.get("check_level")
    versions = (context.get("versions") or {}).items()
    dirty = " with uncommitted changes" if context.get("dirty") else ""
    found = [
        Fact("Same against same", control_text(view)),
        Fact("Samples", samples_text(view)),
        Fact("Machine", machine_text(context)),
        Fact("System", joined(", ", context.get("system"), context.get("kernel"))),
        Fact("Compiler", joined(" ", context.get("compiler"), context.get("flags"))),
        Fact("Commit", (context.get("commit") or "")[:12] + dirty),
        Fact("Check level", "" if check is None else str(check)),
        Fact("Versions", ", ".join(f"{name} {version}" for name, version in versions)),
        Fact("Preloaded libraries", preloads_text(context)),
        Fact("Recorded programs", traces_text(context)),
        Fact("Load average", paired(context.get("load"), load_text)),
        Fact("Pressure", paired(context.get("pressure"), pressure_text)),
        Fact("Harness’s own cost", harness_text(view)),
        Fact("Command", context.get("command") or ""),
        Fact("Began, ended", joined(" – ", context.get("started"), context.get("ended"))),
        Fact("Unreadable lines", str(view.run.unreadable or "")),
    ]
    return [fact for fact in found if fact.value]


def failures(view):
    out = []
    for cell, suite, row, given in view.failures():
        command = given.get("command") or view.run.command(cell, row)
        out.append(Failure(row, cell.title, suite, given.get("why") or "", command))
    return out


def data(view):
    # What `make targets` found at the run's commit, where it was asked.
    reached = targets.kept(view.run.context.get("commit")) or []
    return {
        "facts": facts(view),
        "failures": failures(view),
        "missing": view.run.missing(),
        "targets": reached,
        "held": sum(entry["verdict"] == "held" for entry in reached),
    }
