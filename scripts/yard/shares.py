"""Which cell is fuzzed next: every cell in turn, those whose coverage still grows more often.

Stride scheduling: a slice moves its cell's clock on by its seconds divided by the cell's weight, and the cell
whose clock is furthest behind is next. The weight is how fast the cell's coverage grew in its last slice, as a
share of the fastest, and never below a floor: a cell that has stopped growing is still looked at.
"""

import threading

FLOOR = 0.1  # of the time of the cell that grows fastest


class Shares:
    """names: the cells, in the order of their first slices. clocks: those of an earlier run, where it had them."""

    def __init__(self, names, clocks=None):
        known = {name: clock for name, clock in (clocks or {}).items() if name in names}
        self._lock = threading.Lock()
        self._clocks = {name: known.get(name, min(known.values(), default=0.0)) for name in names}
        self._rates = {}  # coverage per second of each cell's last slice
        self._idle = dict.fromkeys(names)  # those that are not being fuzzed, in order

    def take(self):
        """The cell whose turn it is; None where all are taken."""
        with self._lock:
            name = min(self._idle, key=self._clocks.get, default=None)
            if name is not None:
                del self._idle[name]
            return name

    def give_back(self, name, seconds, growth):
        """After a slice. growth: features of coverage that it added."""
        with self._lock:
            self._rates[name] = growth / max(seconds, 0.1)
            fastest = max(self._rates.values())
            weight = max(FLOOR, self._rates[name] / fastest) if fastest > 0 else 1.0
            self._clocks[name] += seconds / weight
            self._idle[name] = None

    def clocks(self):
        with self._lock:
            return dict(self._clocks)


class Halves:
    """Two of them: the first begins, and has half of the time."""

    def __init__(self, first, others):
        self._halves = [first, others]
        self._seconds = [0.0, 0.0]
        self._taken = {}  # name -> whose it is

    def take(self):
        for half in sorted((0, 1), key=self._seconds.__getitem__):
            name = self._halves[half].take()
            if name is not None:
                self._taken[name] = half
                return name
        return None

    def give_back(self, name, seconds, growth):
        half = self._taken.pop(name)
        self._seconds[half] += seconds
        self._halves[half].give_back(name, seconds, growth)

    def clocks(self):
        return self._halves[0].clocks() | self._halves[1].clocks()
