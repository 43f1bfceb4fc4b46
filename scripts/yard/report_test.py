"""scripts/report as its users call it, and the summary on the terminal."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import common, samples, table, verdicts  # noqa: E402
from yard.testdata import synthetic  # noqa: E402

REPORT = common.ROOT / "scripts" / "report"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return synthetic.write(folder, row_count=20, cell_count=10, processes=8, rounds=10)


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    """A run of the standard cells, and the lines that scripts/report prints of it."""
    folder = synthetic.write(tmp_path_factory.mktemp("standard"), row_count=24, processes=6, rounds=5)
    return samples.load(folder), report(folder).stdout.splitlines()


def report(*arguments, **options):
    return subprocess.run([REPORT, *map(str, arguments)], capture_output=True, text=True, **options)


def test_everything_is_made_again(folder):
    for name in ("index.html", "results.csv", "results.ndjson"):
        (folder / name).unlink(missing_ok=True)
    done = report(folder)
    assert done.returncode == 0, done.stderr
    for name in ("index.html", "results.csv", "results.ndjson", "junit.xml"):
        assert (folder / name).stat().st_size > 1000
    assert done.stdout.rstrip().endswith(str(folder / "index.html"))


def test_summary_fits_one_screen_and_is_plain_where_piped(standard):
    """scripts/bench prints three lines more: how long it took, and the first failure with its command."""
    run, lines = standard
    assert len(lines) <= 24 - 3
    assert lines[-1] == str(run.folder / "index.html") and max(map(len, lines[:-1])) <= 100
    assert "\x1b" not in "".join(lines)
    assert "cells failed" in "".join(line for line in lines if line.startswith("! "))
    missing = run.missing()[0]
    assert f"not in this build: {missing.name} ({missing.missing})" in lines


def test_summary_of_many_workloads_fits_too(tmp_path):
    folder = synthetic.write(tmp_path, row_count=8, cell_count=60, processes=6, rounds=5)
    lines = report(folder).stdout.splitlines()
    assert len(lines) <= 24 - 3
    run = samples.load(folder)
    shown = [line for line in lines if any(line.startswith(name.replace("_", " ")) for name in run.workloads)]
    assert len(shown) < sum(len(parts) for _, parts in verdicts.uses(run))
    assert any(line.startswith("and ") and line.endswith(" more, on the page") for line in lines)


def test_summary_names_the_best_of_ours_and_the_best_general_purpose(standard):
    run, lines = standard
    untold = 0
    for workload, parts in verdicts.uses(run):
        for threads, cells in parts:
            title = table.title_of(workload, threads)
            line = next((line for line in lines if line[: table.TITLE].rstrip() == title), None)
            if line is None:
                untold += 1
                continue
            verdict = verdicts.verdict(run, cells)
            general = verdict.general[0]
            assert general.row.general and general.row.name in line
            assert line.endswith(verdicts.figure(general.ratio.median))
            best = verdict.leaders[0].row.name
            assert f"* {best} " in line or not (verdict.leaders[0].row.ours or verdict.leaders[0].row.general)
            if not verdict.ours:
                assert line[table.TITLE + 2 :].startswith("— ")
                continue
            ours = verdict.ours[0]
            assert ours.row.ours and not ours.row.peer and line[table.TITLE + 2 :].startswith(ours.row.name)
            low, high = verdicts.figure(ours.ratio.lo), verdicts.figure(ours.ratio.hi)
            assert f"{verdicts.figure(ours.ratio.median)} [{low}, {high}]" in line
    assert untold == 0 or f"and {untold} more, on the page" in lines


def test_a_title_keeps_its_threads():
    assert table.title_of("pair", 1) == "pair"
    assert table.title_of("trace", 21) == "trace, 21 threads"
    assert table.title_of("producer_consumer", 2) == "producer consumer ×2"
    workloads = synthetic.registry()["workloads"]
    titles = {table.title_of(workload["name"], cell["threads"]): (workload["name"], cell["threads"]) for workload in workloads for cell in workload["cells"]}
    assert max(map(len, titles)) < table.TITLE
    assert len(set(titles.values())) == len(titles)


def test_fit_for_any_program_is_told_by_traits():
    fit = {"name": "x", "group": "strategy", "traits": ["thread_safe", "free_any", "real_free"]}
    assert samples.Row(fit).general
    for trait in ("fixed_capacity", "fixed_block", "floor"):
        assert not samples.Row(fit | {"traits": [*fit["traits"], trait]}).general
    for trait in fit["traits"]:
        assert not samples.Row(fit | {"traits": [each for each in fit["traits"] if each != trait]}).general


def test_no_winner_without_an_interval(tmp_path):
    folder = synthetic.write(tmp_path, row_count=8, cell_count=2, processes=4, rounds=5)
    lines = report(folder).stdout.splitlines()
    assert any("no winner is named" in line for line in lines)
    assert not any(line.startswith("*") or "[0" in line for line in lines)


def test_no_color_is_heeded_on_a_terminal(folder, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    table.show(samples.load(folder), folder / "index.html", stream)
    assert "\x1b" not in stream.getvalue() and "libc against itself" in stream.getvalue()


def test_compare_prints_ratio_and_interval(folder):
    done = report(folder, "--compare", "jemalloc/libc")
    assert done.returncode == 0
    cell = next(iter(samples.load(folder).cells.values()))
    ratio = cell.ratio("jemalloc", "libc")
    line = next(line for line in done.stdout.splitlines() if cell.title in line)
    assert f"{ratio.median:.3f} × [{ratio.lo:.3f}, {ratio.hi:.3f}]" in line


def test_comparing_the_other_way_is_the_inverse(folder):
    cell = next(iter(samples.load(folder).cells.values()))
    there, back = cell.ratio("raw_libc", "jemalloc"), cell.ratio("jemalloc", "raw_libc")
    assert there.median * back.median == pytest.approx(1)
    assert there.lo * back.hi == pytest.approx(1)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--compare", "jemaloc/libc"], "did you mean 'jemalloc'"),
        (["--compare", "jemalloc"], "takes two rows"),
        (["--compare", "MISSING/libc"], "not in this build: install "),
        (["--format", "yaml"], "invalid choice"),
        (["--nonsense"], "unrecognized arguments"),
        (["--formt=csv"], "did you mean --format?"),
    ],
)
def test_bad_input_is_named_and_exits_2(folder, arguments, said):
    missing = samples.load(folder).missing()[0].name
    done = report(folder, *(argument.replace("MISSING", missing) for argument in arguments))
    assert done.returncode == 2 and said in done.stderr
    assert done.stderr.count("\n") == 1


def test_unknown_run_exits_2():
    done = report("no-such-run")
    assert done.returncode == 2 and "no run 'no-such-run'" in done.stderr


def test_rows_that_share_nothing_exit_5(tmp_path):
    folder = synthetic.write(tmp_path, row_count=8, cell_count=2, processes=6, rounds=5)
    first = json.loads((folder / "run.json").read_text())["workloads"][0]["cells"][0]["params"]
    lines = [json.loads(line) for line in (folder / "samples.ndjson").read_text().splitlines()]
    for line in (line for line in lines if line["kind"] == "samples"):
        del line["rows"]["bump" if line["params"] == first else "libc"]
    (folder / "samples.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = report(folder, "--compare", "bump/libc")
    assert done.returncode == 5 and "share no setting" in done.stderr


def test_run_without_samples_exits_5(tmp_path):
    folder = synthetic.write(tmp_path, row_count=5, cell_count=2, processes=6, rounds=5)
    (folder / "samples.ndjson").write_text("")
    assert report(folder).returncode == 5


@pytest.mark.parametrize(
    "form, start",
    [
        ("csv", "suite,allocator"),
        ("ndjson", '{"schema_version":1'),
        ("junit", "<?xml"),
        ("bencher", "{"),
        ("github-action", "["),
    ],
)
def test_formats_go_to_standard_output(folder, form, start):
    done = report(folder, "--format", form)
    assert done.returncode == 0 and done.stdout.startswith(start)
