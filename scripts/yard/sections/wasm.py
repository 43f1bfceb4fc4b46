"""The allocator in WebAssembly: its speed, its memory and its module's size beside those of wasi-libc's malloc."""

from yard import wasm


def data(view):
    measured = wasm.read(view.run.folder)
    if not measured:
        return {"measured": None, "install": wasm.missing()}
    return {
        "measured": measured,
        "cells": measured.cells,
        "workloads": list(dict.fromkeys(cell.workload for cell in measured.cells)),
        "malloc": wasm.REFERENCE,
    }
