"""The sections of the page, in its order: one line each.

A section NAME is sections/NAME.py, whose data(view) returns what is shown as a dictionary of plain data,
and reports/templates/sections/NAME.html, which shows it. The name is also the section's id.
"""

import importlib
from typing import NamedTuple


class Section(NamedTuple):
    """`link` is the section's name in the page's navigation."""

    name: str
    link: str
    heading: str

    def data(self, view):
        return importlib.import_module(f"{__name__}.{self.name}").data(view)


SECTIONS = (
    Section("answers", "Answers", "Which allocator for which use?"),
    Section("tradeoff", "Time and memory", "Time against memory"),
    Section("table", "Table", "Every allocator on every workload"),
    Section("workloads", "Workloads", "Workload by workload"),
    Section("allocators", "Allocators", "Allocator by allocator"),
    Section("overheads", "Overheads", "What scopes and handles cost"),
    Section("wasm", "WebAssembly", "In WebAssembly"),
    Section("fuzzing", "Fuzzing", "What fuzzing found"),
    Section("mutants", "Planted bugs", "Who finds planted bugs?"),
    Section("method", "Method", "How it was measured"),
)
