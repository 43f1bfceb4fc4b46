"""A line that says how far a long command is, where somebody looks."""

import shutil
import sys
import threading


class StatusLine:
    """Shown on a terminal only; what is said meanwhile stands above it."""

    def __init__(self, out=None):
        self.out = out or sys.stdout
        self.live = self.out.isatty()
        self._lock = threading.Lock()

    def _clear(self):
        if self.live:
            self.out.write("\r\x1b[K")

    def show(self, text):
        if not self.live:
            return
        with self._lock:
            self._clear()
            self.out.write(text[: shutil.get_terminal_size().columns - 1])
            self.out.flush()

    def say(self, *texts):
        with self._lock:
            self._clear()
            print(*texts, sep="\n", file=self.out, flush=True)

    def end(self):
        with self._lock:
            self._clear()
            self.out.flush()
