"""One sentence a workload: over its settings with the fewest threads, then what more threads change."""

from typing import NamedTuple

from yard import verdicts
from yard.answer import Answer, answer


class WithThreads(NamedTuple):
    threads: int
    answer: Answer


class Use(NamedTuple):
    """A workload with its answer for the fewest threads, and with more."""

    workload: str
    threads: int
    settings: int
    answer: Answer
    more: list


def use(view, name, parts):
    """The answers of one workload; `parts`: (threads, cells), fewest first."""
    found = [WithThreads(threads, answer(verdicts.verdict(view.run, cells))) for threads, cells in parts]
    first, *others = found
    more = [each for each in others if each.answer.best]
    return Use(name, first.threads, len(parts[0][1]), first.answer, more)


def partial(view):
    """Whether some allocator runs only some settings of a workload."""
    several = [cells for cells in view.works.values() if len(cells) > 1]
    return any(verdicts.verdict(view.run, cells).partial for cells in several)


def data(view):
    context = view.run.context
    return {
        "allocators": len(view.rows),
        "settings": len(view.cells),
        "workloads": len(view.works),
        "day": (context.get("started") or "")[:10],
        "tier": context.get("tier"),
        "uses": [use(view, name, parts) for name, parts in verdicts.uses(view.run)],
        "partial": partial(view),
    }
