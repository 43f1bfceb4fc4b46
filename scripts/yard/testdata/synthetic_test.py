"""Made-up runs are of the registry's allocators and workloads, and their truth is what is found in them."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
from yard import samples  # noqa: E402
from yard.testdata import synthetic  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return samples.load(synthetic.write(folder, row_count=16, cell_count=60, rounds=10))


def test_rows_and_workloads_are_the_registrys(run):
    listing = synthetic.registry()
    rows = {row["name"]: row for row in listing["rows"]}
    for row in run.context["rows"]:
        assert {**row, "missing": None} == {**rows[row["name"]], "missing": None}
    workloads = {workload["name"]: workload for workload in listing["workloads"]}
    once = [given for name, given in run.workloads.items() if name in workloads]
    assert len(once) == len(workloads) < len(run.workloads)
    for given in once:
        known = {cell["params"] for cell in workloads[given["name"]]["cells"]}
        assert {cell["params"] for cell in given["cells"]} <= known


def test_rows_run_what_applies_to_them(run):
    applies = {
        (workload["name"], cell["params"], cell["threads"]): cell["rows"]
        for workload in synthetic.registry()["workloads"]
        for cell in workload["cells"]
    }
    for cell in run.cells.values():
        if cell.key in applies:
            ours = {name for name in cell.rows if not run.rows[name].peer}
            assert ours <= set(applies[cell.key])
    assert any(row.has("fixed capacity") for row in run.chosen())


def test_the_twin_of_libc_is_libc(run):
    control = run.control()
    assert control.cells == len(run.cells) and control.share > 0.8


def test_some_cells_fail_and_one_peer_is_missing(run):
    assert any(cell.failures for cell in run.cells.values())
    assert [row.peer for row in run.missing()] == [True]


def test_the_same_arguments_give_the_same_folder(tmp_path):
    texts = []
    for name in ("one", "other"):
        folder = synthetic.write(tmp_path / name, row_count=6, cell_count=2, processes=2, rounds=3)
        texts.append([(folder / file).read_text() for file in ("run.json", "samples.ndjson")])
    assert texts[0] == texts[1]


def test_it_runs_as_a_script(tmp_path):
    """As the browser test calls it."""
    arguments = [tmp_path, "--rows", "4", "--cells", "1", "--processes", "1", "--unfinished"]
    done = subprocess.run([sys.executable, synthetic.__file__, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not samples.load(tmp_path).finished


def test_without_a_build_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("HEAPYARD_BUILD", str(tmp_path))
    synthetic.registry.cache_clear()
    with pytest.raises(synthetic.NoBuild, match="build it, or name its build"):
        synthetic.registry()
    synthetic.registry.cache_clear()
