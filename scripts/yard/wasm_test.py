"""The comparison in WebAssembly: ratios by process, warm rounds only, and one clear line where something is wrong."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import common, wasm  # noqa: E402


def process(factor, rounds=40):
    """The lines of a process in which wasm takes factor times as long as malloc; cold rounds take a hundred times."""
    return [
        ["same_size", name, number, (100 if number < 9 else 1) * (10 + number % 3) * times, grown if number == 0 else 0]
        for number in range(rounds)
        for name, times, grown in (("wasm", factor, 65536), ("wasi_malloc", 1, 131072))
    ]


def write(folder, **changed):
    raw = {"processes": [process(1.5 + i / 100) for i in range(7)], "sizes": {"wasm": 3000, "wasi_malloc": 9000}, "versions": {"node": "v20"}}
    (folder / wasm.RAW).write_text(json.dumps(raw | changed))
    return folder


def test_ratios_are_over_processes_and_cold_rounds_left_out(tmp_path):
    measured = wasm.read(write(tmp_path))
    ours = next(cell for cell in measured.cells if cell.allocator == "wasm")
    assert ours.ratio.median == pytest.approx(1.53) and 1.5 <= ours.ratio.lo < 1.53 < ours.ratio.hi <= 1.56
    assert ours.time.median == pytest.approx(11 * 1.53, rel=0.1)
    assert measured.taken == {"wasm": 65536, "wasi_malloc": 131072}
    assert measured.processes == 7


@pytest.mark.parametrize("damaged", ["", "{", "[]", "{}", '{"processes": 3, "sizes": {}, "versions": {}}'])
def test_what_is_damaged_was_not_measured(tmp_path, damaged):
    assert wasm.read(tmp_path) is None
    (tmp_path / wasm.RAW).write_text(damaged)
    assert wasm.read(tmp_path) is None


def fake(monkeypatch, tmp_path, status=0):
    """Modules and a Node that prints a process' lines, or fails."""
    for module in wasm.MODULES.values():
        (tmp_path / f"{module}.wasm").write_bytes(b"12345")
    monkeypatch.setattr(wasm, "build", lambda: tmp_path)
    text = "workload,allocator,round,ns,grown_bytes\n" + "\n".join(",".join(map(str, line)) for line in process(2)) + "\n"
    monkeypatch.setattr(wasm.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, status, text, "trapped"))


def test_a_run_has_its_samples_and_the_flat_view(tmp_path, monkeypatch):
    fake(monkeypatch, tmp_path)
    measured = wasm.measure(tmp_path, quick=True)
    assert measured.processes == 6 and measured.sizes["wasm"] == 5
    lines = list(csv.DictReader((tmp_path / wasm.FLAT).read_text().splitlines()))
    ours = next(line for line in lines if line["allocator"] == "wasm" and line["metric"] == "time")
    assert (ours["suite"], ours["unit"], ours["n"]) == ("wasm", "ns/op", "6") and float(ours["ratio_vs_libc"]) == pytest.approx(2)
    assert {line["metric"] for line in lines} == {"time", "taken", "module"}


def test_a_module_that_fails_is_told(tmp_path, monkeypatch):
    fake(monkeypatch, tmp_path, status=134)
    with pytest.raises(common.Failure, match="speed.wasm .*: exit status 134: trapped") as failed:
        wasm.measure(tmp_path, quick=True)
    assert failed.value.code == common.Exit.HARNESS
    assert wasm.read(tmp_path) is None


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(wasm.shutil, "which", lambda name: None)
    assert "wasi-libc" in wasm.missing()
