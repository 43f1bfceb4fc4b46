"""The allocator of WebAssembly beside the malloc of wasi-libc and a plain bump: the same workloads in the same run,
in Node, and the sizes of their modules.

measure() leaves two files in a run's folder: wasm.json has the samples and what they were made with, wasm.csv is
the flat view, with the columns of results.csv (reference: wasi_malloc). Like all of the yard it turns the order in
which the candidates run, and takes its intervals over processes.
"""

import csv
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from yard import common, stats

SOURCE = common.ROOT / "allocators" / "wasm"
BUILD = common.ROOT / "build" / "wasm"
RAW, FLAT = "wasm.json", "wasm.csv"
REFERENCE = "wasi_malloc"
MODULES = {"wasm": "alone", "wasm (64 bits)": "alone64", REFERENCE: "malloc_alone"}
INSTALL = "clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32 nodejs"
TIMEOUT_S = 120
COLUMNS = "suite,allocator,workload,params,threads,metric,unit,median,lo95,hi95,n,ratio_vs_libc,ratio_lo95,ratio_hi95".split(",")


class Cell(NamedTuple):
    """One allocator on one workload: nanoseconds an operation, and the ratio to wasi-libc's malloc."""

    workload: str
    allocator: str
    time: stats.Estimate
    ratio: stats.Estimate


class Measured(NamedTuple):
    """What a run's folder has. taken: by allocator, the most bytes by which a process' memory grew; sizes: of modules
    by name, in bytes."""

    cells: list
    taken: dict
    sizes: dict
    processes: int
    versions: dict


def missing():
    """What to install, or None where all of it is here."""
    here = all(shutil.which(name) for name in ("clang-14", "wasm-ld-14", "node")) and Path("/usr/include/wasm32-wasi/stdio.h").is_file()
    return None if here else INSTALL


def build():
    """The modules' folder."""
    steps = [
        ["cmake", "-S", str(SOURCE), "-B", str(BUILD), "-G", "Ninja", f"-DCMAKE_TOOLCHAIN_FILE={SOURCE / 'toolchain.cmake'}"],
        ["cmake", "--build", str(BUILD), "--target", "speed", *MODULES.values()],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode != 0:
            raise common.Failure(common.Exit.HARNESS, f"the build failed: {' '.join(step)}\n{(done.stdout + done.stderr)[-4000:]}")
    return BUILD


def _version(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0].strip()


def _process(folder, rounds):
    """One process: lists of workload, allocator, round, nanoseconds, bytes grown."""
    command = ["node", "--no-warnings", str(SOURCE / "run.mjs"), str(folder / "speed.wasm"), str(rounds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise common.Failure(common.Exit.HARNESS, f"{' '.join(command)}: {common.reason(None, TIMEOUT_S)}") from None
    if done.returncode != 0:
        raise common.Failure(common.Exit.HARNESS, f"{' '.join(command)}: {common.reason(done.returncode)}: {done.stderr[-500:]}")
    lines = csv.DictReader(done.stdout.splitlines())
    return [[it["workload"], it["allocator"], int(it["round"]), float(it["ns"]), int(it["grown_bytes"])] for it in lines]


def measure(run_folder, quick):
    """Builds, measures and writes both files; what read() then returns."""
    folder = build()
    processes, rounds = (6, 100) if quick else (12, 300)
    raw = {
        "command": f"scripts/bench --allocators wasm{' --quick' if quick else ''}",
        "versions": {"node": _version("node", "--version"), "clang": _version("clang-14", "--version"), "wasi-libc": _version("dpkg-query", "-W", "-f=${Version}", "wasi-libc") if shutil.which("dpkg-query") else ""},
        "sizes": {name: (folder / f"{module}.wasm").stat().st_size for name, module in MODULES.items()},
        "processes": [_process(folder, rounds) for _ in range(processes)],
    }
    with common.atomic_write(Path(run_folder) / RAW) as out:
        json.dump(raw, out)
    measured = read(run_folder)
    with common.atomic_write(Path(run_folder) / FLAT) as out:
        _write_flat(out, measured)
    return measured


def _median(values):
    return stats.median_interval(values).median


def _cells(processes):
    """Each process gives a pair of allocators one number, the median over rounds of the logarithm of their ratio. The
    first quarter of the rounds, in which Node still compiles, is left out."""
    times, ratios = {}, {}
    for lines in processes:
        by_key, warm = {}, max(line[2] for line in lines) // 4
        for workload, allocator, number, ns, _ in lines:
            if number >= warm:
                by_key.setdefault((workload, allocator), {})[number] = ns
        for (workload, allocator), found in by_key.items():
            reference = by_key[workload, REFERENCE]
            times.setdefault((workload, allocator), []).append(_median(found.values()))
            logs = [math.log(ns / reference[number]) for number, ns in found.items()]
            ratios.setdefault((workload, allocator), []).append(_median(logs))
    return [
        Cell(workload, allocator, stats.median_interval(times[workload, allocator]), stats.median_interval(found).exp())
        for (workload, allocator), found in ratios.items()
    ]


def _taken(processes):
    """By allocator the most that a process' memory grew for it."""
    taken = {}
    for lines in processes:
        grown = {}
        for _, allocator, _, _, more in lines:
            grown[allocator] = grown.get(allocator, 0) + more
        taken = {name: max(count, taken.get(name, 0)) for name, count in grown.items()}
    return taken


def read(run_folder):
    """What a run's folder has, or None: it was not measured, or the file is damaged."""
    try:
        raw = json.loads((Path(run_folder) / RAW).read_text(encoding="utf-8"))
        processes = raw["processes"]
        return Measured(_cells(processes), _taken(processes), raw["sizes"], len(processes), raw["versions"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_flat(out, measured):
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for it in measured.cells:
        writer.writerow(["wasm", it.allocator, it.workload, "", 1, "time", "ns/op", *it.time, *it.ratio[:3]])
    for name, count in measured.taken.items():
        writer.writerow(["wasm", name, "all", "", 1, "taken", "bytes", count, "", "", measured.processes, "", "", ""])
    for name, count in measured.sizes.items():
        writer.writerow(["wasm", name, "", "", "", "module", "bytes", count, "", "", 1, "", "", ""])
