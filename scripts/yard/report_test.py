"""scripts/report as its users call it, and the table on the terminal."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import common, samples, synthetic, table  # noqa: E402

REPORT = common.ROOT / "scripts" / "report"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthetic.write(tmp_path_factory.mktemp("run"), row_count=20, workload_count=10, processes=8, rounds=10)


def report(*arguments, **options):
    return subprocess.run([REPORT, *map(str, arguments)], capture_output=True, text=True, **options)


def test_everything_is_made_again(folder):
    for name in ("index.html", "results.csv", "results.ndjson"):
        (folder / name).unlink(missing_ok=True)
    done = report(folder)
    assert done.returncode == 0, done.stderr
    assert all((folder / name).stat().st_size > 1000 for name in ("index.html", "results.csv", "results.ndjson", "junit.xml"))
    assert done.stdout.rstrip().endswith(str(folder / "index.html"))


def test_table_fits_and_is_plain_where_piped(folder):
    lines = report(folder).stdout.splitlines()
    assert max(map(len, lines)) <= 100 or max(lines, key=len) == str(folder / "index.html")
    assert "\x1b" not in "".join(lines)
    assert any(line.startswith("* ") for line in lines) and any(line.startswith("! ") for line in lines)
    assert any("not in this build: install librpmalloc1" in line for line in lines)


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
    there, back = cell.ratio("arena", "jemalloc"), cell.ratio("jemalloc", "arena")
    assert there.median * back.median == pytest.approx(1)
    assert there.lo * back.hi == pytest.approx(1)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--compare", "jemaloc/libc"], "did you mean 'jemalloc'"),
        (["--compare", "jemalloc"], "takes two rows"),
        (["--compare", "rpmalloc/libc"], "not in this build: install librpmalloc1"),
        (["--format", "yaml"], "invalid choice"),
        (["--nonsense"], "unrecognized arguments"),
        (["--formt=csv"], "did you mean --format?"),
    ],
)
def test_bad_input_is_named_and_exits_2(folder, arguments, said):
    done = report(folder, *arguments)
    assert done.returncode == 2 and said in done.stderr
    assert done.stderr.count("\n") == 1


def test_unknown_run_exits_2():
    done = report("no-such-run")
    assert done.returncode == 2 and "no run 'no-such-run'" in done.stderr


def test_rows_that_share_nothing_exit_5(tmp_path):
    folder = synthetic.write(tmp_path, row_count=8, workload_count=2, processes=6, rounds=5)
    lines = [json.loads(line) for line in (folder / "samples.ndjson").read_text().splitlines()]
    for line in (line for line in lines if line["kind"] == "samples"):
        del line["rows"]["bump" if line["params"] == "size=16" else "libc"]
    (folder / "samples.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = report(folder, "--compare", "bump/libc")
    assert done.returncode == 5 and "share no setting" in done.stderr


def test_run_without_samples_exits_5(tmp_path):
    folder = synthetic.write(tmp_path, row_count=5, workload_count=2, processes=6, rounds=5)
    (folder / "samples.ndjson").write_text("")
    assert report(folder).returncode == 5


@pytest.mark.parametrize("form, start", [("csv", "suite,allocator"), ("ndjson", '{"schema_version":1'), ("junit", "<?xml"), ("bencher", "{"), ("github-action", "[")])
def test_formats_go_to_standard_output(folder, form, start):
    done = report(folder, "--format", form)
    assert done.returncode == 0 and done.stdout.startswith(start)
