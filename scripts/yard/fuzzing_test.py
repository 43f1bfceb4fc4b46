"""How the fuzzing scripts choose cells, parse logs and counters, and keep findings, whatever happens meanwhile."""

import json
import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import common, engines, findings, fuzz_coverage, fuzzing, overnight, preloads, shares, status, turns, unreached

FUZZER = """#!/bin/sh
printf 'row\\tlibc\\tsource\\t\\n'
printf 'row\\tarena\\tstrategy\\t\\n'
printf 'row\\tjemalloc\\tpeer\\t%s\\n' "$MISSING"
printf 'property\\tconform\\trows\\tit conforms\\n'
printf 'cell\\tconform\\tlibc\\n'
printf 'cell\\tconform\\tarena\\n'
[ -n "$MISSING" ] || printf 'cell\\tconform\\tjemalloc\\n'
printf 'property\\ttrace_file\\tonce\\tany bytes\\n'
printf 'property\\tcanary\\tmust_fail\\tit must fail\\n'
"""


def test_a_hunt_can_be_repeated(tmp_path):
    cell = fuzzing.Cell("conform", "arena", tmp_path / "fuzz")
    assert "-seed=7" in engines.libfuzzer_command(cell, 1, tmp_path, tmp_path, tmp_path, chance=7)
    assert "-seed=0" in engines.libfuzzer_command(cell, 1, tmp_path, tmp_path, tmp_path)


@pytest.fixture
def fuzzers(tmp_path, monkeypatch):
    """Two fake fuzzers: one with sanitizers, which lacks the peer, and one without, which has it."""
    for preset, missing in (("fuzz", "install libjemalloc2"), ("fuzz-plain", "")):
        path = tmp_path / preset
        path.write_text(FUZZER.replace("$MISSING", missing))
        path.chmod(0o755)
    monkeypatch.setattr(fuzzing, "fuzzer", lambda preset="fuzz": tmp_path / preset)
    return tmp_path


def names(cells):
    return [(cell.name, cell.binary.name) for cell in cells]


def test_all_cells_and_peers_from_the_build_without_sanitizers(fuzzers):
    assert names(fuzzing.choose_cells()) == [
        ("conform libc", "fuzz"),
        ("conform arena", "fuzz"),
        ("conform jemalloc", "fuzz-plain"),
        ("trace_file", "fuzz"),
    ]


def test_sanitized_rows_alone_leave_the_peers_out(fuzzers):
    assert ("conform jemalloc", "fuzz-plain") not in names(fuzzing.choose_cells(sanitized=True))
    assert ("conform arena", "fuzz") in names(fuzzing.choose_cells(sanitized=True))


def test_a_filter_of_allocators_leaves_out_properties_without_a_row(fuzzers):
    assert names(fuzzing.choose_cells("arena")) == [("conform arena", "fuzz")]


def test_without_clang_the_replayer_takes_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzzing.shutil, "which", lambda name: None)
    monkeypatch.setattr(common, "build", lambda preset, target: tmp_path / preset / target)
    assert fuzzing.replayer() == tmp_path / "replay" / "heapyard-replay" / "fuzz" / "heapyard-replay"
    assert fuzzing.replayer("fuzz-plain").parts[-4] == "replay-plain"


PLUGIN_FUZZER = """#!/bin/sh
[ "$2" = --plugin=mine=/x.so ] || { echo "heapyard-fuzz: $2: no plugin" >&2; exit 2; }
printf 'row\\tshelf@mine\\tstrategy\\t\\nrow\\tother@mine\\tstrategy\\tinstall it\\n'
printf 'property\\tconform\\trows\\tit conforms\\ncell\\tconform\\tshelf@mine\\n'
printf 'property\\ttrace_file\\tonce\\tany bytes\\n'
"""


def test_with_a_plugin_its_rows_and_no_others(tmp_path):
    binary = tmp_path / "fuzzer"
    binary.write_text(PLUGIN_FUZZER)
    binary.chmod(0o755)
    (cell,) = fuzzing.choose_cells(plugin="mine=/x.so", binary=binary)
    assert cell.name == "conform shelf@mine"
    assert cell.arguments() == ["--plugin=mine=/x.so", "--property=conform", "--row=shelf@mine"]
    with pytest.raises(common.Failure, match="no plugin") as caught:
        fuzzing.choose_cells(plugin="mine=/y.so", binary=binary)
    assert caught.value.code == common.Exit.USAGE
    with pytest.raises(common.Failure, match="install it"):
        fuzzing.choose_cells("other@mine", plugin="mine=/x.so", binary=binary)


def test_a_plugin_without_a_label_is_named_by_its_file(tmp_path):
    (tmp_path / "libMy-heap.so").touch()
    assert common.plugin(str(tmp_path / "libMy-heap.so")) == f"my_heap={tmp_path}/libMy-heap.so"
    assert common.plugin(f"mine={tmp_path}/libMy-heap.so") == f"mine={tmp_path}/libMy-heap.so"
    with pytest.raises(common.Failure, match="no such file"):
        common.plugin("mine=/no/such.so")


def test_the_canary_runs_only_when_it_is_named(fuzzers):
    assert names(fuzzing.choose_cells(None, "canary")) == [("canary", "fuzz")]


@pytest.mark.parametrize(
    ("allocators", "properties", "message"),
    [("arean", None, "did you mean arena"), (None, "conforms", "did you mean conform")],
)
def test_unknown_names_are_usage_errors_with_the_nearest(fuzzers, allocators, properties, message):
    with pytest.raises(common.Failure) as failure:
        fuzzing.choose_cells(allocators, properties)
    assert failure.value.code == common.Exit.USAGE and message in str(failure.value)


def test_a_row_missing_everywhere_says_what_to_install(fuzzers):
    (fuzzers / "fuzz-plain").write_text(FUZZER.replace("$MISSING", "install libjemalloc2"))
    with pytest.raises(common.Failure) as failure:
        fuzzing.choose_cells("jemalloc")
    assert failure.value.code == common.Exit.USAGE and "install libjemalloc2" in str(failure.value)


def test_equal_bugs_have_equal_kinds():
    one = "finding: overlap: block 0 [0x7e9000000028, +17) lies on block 1 [0x7e9000000038, +1) (row arena, operation 2 resize)"
    two = "finding: overlap: block 12 [0x7e9000001028, +170) lies on block 3 [0x7e9000000038, +10) (row arena, operation 20 realloc)"
    other = "finding: leak: 12 bytes at 0x7e9000001028 were not given back to the child (1 blocks in all) (row arena, operation 20 end)"
    assert findings.kind_of(one) == findings.kind_of(two) != findings.kind_of(other)


def test_missing_counts_are_zero(tmp_path):
    assert fuzzing.read_counts(tmp_path / "none") == (0, 0)
    (tmp_path / "counts").write_bytes(struct.pack("QQ", 7, 70))
    assert fuzzing.read_counts(tmp_path / "counts") == (7, 70)


@pytest.fixture
def out(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr(fuzzing, "OUT", folder)
    return folder


# Answers as heapyard-fuzz does: fails on inputs that begin with "bad", finds one while it fuzzes.
ENGINE = """#!/bin/sh
for last; do :; done
case "$*" in
*-max_total_time*)
    for word; do case "$word" in -artifact_prefix=*) prefix="${word#*=}";; esac; done
    case "$HEAPYARD_ROW" in dead) exit 1;; esac
    printf '\\7\\0\\0\\0\\0\\0\\0\\0\\106\\0\\0\\0\\0\\0\\0\\0' >"$HEAPYARD_COUNTS"
    echo "#2 INITED cov: 5 ft: 9 corp: 1" >&2; echo "#7 DONE cov: 8 ft: 20 corp: 3" >&2
    case "$HEAPYARD_ROW" in broken) printf 'bad input' >"${prefix}crash-1";; esac;;
*minimise*)
    for word; do case "$word" in --c=*) echo 'int main(void) {}' >"${word#*=}";; --seed=*) echo 'alloc 1' >"${word#*=}";; esac; done
    echo "finding: overlap: block 1 (row broken, operation 0 alloc)" >&2; exit 3;;
*) grep -q ^bad "$last" || exit 0
    echo "finding: overlap: block 12 (row broken, operation 3 alloc)" >&2; exit 77;;
esac
"""


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "engine"
    path.write_text(ENGINE)
    path.chmod(0o755)
    return path


def hunt(engine, row, out):
    return engines.hunt(fuzzing.Cell("conform", row, engine), 1, out, fuzzing.Processes())


def test_a_hunt_tells_counts_and_coverage(engine, out):
    result = hunt(engine, "good", out)
    assert (result.executions, result.operations) == (7, 70)
    assert (result.edges, result.features_before, result.features) == (8, 9, 20)
    assert not result.findings and not result.errors


def test_a_finding_is_kept_whole_and_its_artifact_deleted(engine, out):
    (finding,) = hunt(engine, "broken", out).findings
    assert sorted(path.name for path in finding.folder.iterdir()) == ["finding.txt", "input", "reproducer.c", "seed.txt"]
    assert (finding.folder / "finding.txt").read_text() == "conform\tbroken\tfinding: overlap: block 1 (row broken, operation 0 alloc)\n"
    assert not list((out / "work").rglob("crash-*"))
    assert not list((out / "findings").glob(".new-*"))


def test_nothing_is_left_of_an_engine_that_ended(out):
    left = out / "left"
    command = ["sh", "-c", f"sleep 100 & echo $! >{left}; kill -STOP $!"]
    assert fuzzing.Processes().run(command, 20, os.environ, out / "log") == 0
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(int(left.read_text()), 0)
            time.sleep(0.05)


def test_a_folder_that_an_engine_deletes_meanwhile_does_no_harm(engine, out, monkeypatch):
    cell = fuzzing.Cell("conform", "good", engine)
    jobs = engines.work_of(cell) / "tmp" / "job.dir"
    for unit in (jobs / "C0" / "a", jobs / "C1" / "b"):
        unit.parent.mkdir(parents=True)
        unit.write_text(unit.name)
    fuzzing.corpus_of(cell).mkdir(parents=True, exist_ok=True)
    scandir = os.scandir

    def deleted_once_it_was_listed(path="."):
        if str(path).endswith("C1"):
            (jobs / "C1").rename(out / "deleted")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deleted_once_it_was_listed)
    engines.collect_inputs(cell)
    assert [path.read_text() for path in fuzzing.corpus_of(cell).iterdir()] == ["a"]


def test_the_same_bug_again_is_one_more_input_of_it(engine, out):
    cell = fuzzing.Cell("conform", "broken", engine)
    kept = []
    for i in range(findings.INPUTS_PER_KIND + 4):
        artifact = out / f"crash-{i}"
        artifact.write_text(f"bad {i}")
        kept.append(findings.keep_finding(cell, artifact, out / "log"))
    assert len({finding.folder for finding in kept}) == 1
    assert [finding.is_new for finding in kept] == [True] + [False] * (len(kept) - 1)
    assert len(list((kept[0].folder / "inputs").iterdir())) == findings.INPUTS_PER_KIND


def test_what_a_killed_run_left_is_collected_by_the_next(engine, out):
    artifacts = out / "work" / "conform" / "broken" / "artifacts"
    crashes = out / "afl" / "conform" / "broken" / "main" / "crashes.2026"
    unit = out / "work" / "conform" / "broken" / "tmp" / "libFuzzerTemp" / "C3"
    queue = out / "afl" / "conform" / "broken" / "main" / "queue"
    for folder in (artifacts, crashes, unit, queue):
        folder.mkdir(parents=True)
    (artifacts / "crash-x").write_text("bad one")
    (crashes / "id:000000").write_text("bad two")
    (unit / "u").write_text("a unit")
    (queue / "id:000001").write_text("a queued input")
    result = hunt(engine, "broken", out)
    assert len({finding.folder for finding in result.findings}) == 1
    inputs = [path.read_text() for path in result.findings[0].folder.rglob("input*") if path.is_file()]
    inputs += [path.read_text() for path in (result.findings[0].folder / "inputs").iterdir()]
    assert {"bad one", "bad two", "bad input"} == set(inputs)
    corpus = {path.read_text() for path in fuzzing.corpus_of(result.cell).iterdir()}
    assert corpus == {"a unit", "a queued input"}


def test_nothing_is_deleted_where_a_finding_cannot_be_kept(engine, out, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    artifact = out / "crash-1"
    artifact.write_text("bad")
    monkeypatch.setattr(findings, "_sync", full)
    with pytest.raises(OSError, match="No space left"):
        findings.keep_finding(fuzzing.Cell("conform", "broken", engine), artifact, out / "log")
    assert artifact.read_text() == "bad"
    assert not list((out / "findings").iterdir())


def test_a_target_that_cannot_start_is_no_clean_hunt(engine, out, tmp_path):
    for cell in (fuzzing.Cell("conform", "dead", engine), fuzzing.Cell("conform", "arena", tmp_path / "none")):
        result = engines.hunt(cell, 1, out, fuzzing.Processes())
        assert not result.started and "can't start" in result.errors[0]


def test_stacks_are_compared_by_function(tmp_path):
    report = """==1==ERROR: AddressSanitizer: heap-use-after-free
    #0 0x5581 in __asan_memcpy asan.c:1
    #1 0x5582 in split /x/pool.c:12:3
    #2 0x5583 in hy_pool_alloc /x/pool.c:40
    #3 0x5584 in hy_interpret /x/interpreter.c:9
    #4 0x5585 in main
freed by
    #0 0x99 in other
"""
    assert findings.stack_of(report) == ["split", "hy_pool_alloc"]
    assert findings.stack_of("    #0 0x7f12  (/usr/lib/x.so+0x12)\n") == ["x.so+0x12"]
    assert findings.stack_of("nothing") == []


def test_time_goes_where_coverage_grows():
    turns = dict.fromkeys("abc", 0)
    growth = {"a": 50, "b": 0, "c": 25}
    chosen = shares.Shares("abc")
    for _ in range(300):
        name = chosen.take()
        turns[name] += 1
        chosen.give_back(name, 1.0, growth[name])
    assert turns["a"] > 1.8 * turns["c"] > 3 * turns["b"] > 0


def test_every_cell_has_its_turn_and_none_has_two_at_once():
    chosen = shares.Shares("abc", {"a": 5.0, "b": 7.0, "gone": 1.0})
    assert sorted(chosen.take() for _ in range(3)) == ["a", "b", "c"]
    assert chosen.take() is None
    chosen.give_back("b", 1.0, 0)
    assert chosen.take() == "b"


def test_the_first_half_begins_and_has_half_of_the_time():
    chosen = shares.Halves(shares.Shares("ab"), shares.Shares("uvwxyz"))
    seconds, order = dict.fromkeys("abuvwxyz", 0), []
    for _ in range(60):
        name = chosen.take()
        order.append(name)
        length = 3.0 if name in "ab" else 1.0
        seconds[name] += length
        chosen.give_back(name, length, 1)
    assert order[0] == "a" and order.index("b") < order.index("z")
    assert abs(seconds["a"] + seconds["b"] - sum(seconds[name] for name in "uvwxyz")) <= 6
    assert min(seconds.values()) > 0 and set(chosen.clocks()) == set(seconds)
    assert [chosen.take() for _ in range(9)].count(None) == 1


def test_a_status_line_is_for_terminals_only(capsys):
    status.StatusLine().show("half done")
    assert capsys.readouterr().out == ""


def test_an_unfinished_run_is_resumed_and_a_finished_one_is_not(out):
    assert overnight.load_state(8)["used_seconds"] == 0.0
    state = overnight.fresh_state(8) | {"used_seconds": 100.0}
    overnight.save_state(state)
    assert overnight.load_state(8)["used_seconds"] == 100.0
    overnight.save_state(state | {"finished": True})
    assert overnight.load_state(8)["used_seconds"] == 0.0
    assert json.loads(overnight.state_path().read_text())["finished"]


def test_a_damaged_state_is_kept_aside_and_said(out, capsys):
    overnight.folder().mkdir()
    overnight.state_path().write_text('{"hours": 8, "used_sec')
    assert overnight.load_state(8)["used_seconds"] == 0.0
    assert "no state of a hunt" in capsys.readouterr().out
    assert overnight.state_path().with_suffix(".damaged").exists()


def test_a_repeated_finding_is_told_once(engine, out, capsys):
    tally = overnight.new_tally()
    for _ in range(2):
        overnight.add_slice(tally, hunt(engine, "broken", out))
    assert tally["executions"] == 14 and len(tally["findings"]) == 1
    assert capsys.readouterr().out.count("FOUND") == 1


def overnight_run(engine, monkeypatch, row, hours=0.001):
    monkeypatch.setattr(fuzzing, "assemble_seeds", lambda _: fuzzing.OUT)
    monkeypatch.setattr(overnight, "SLICE_MIN", 1)
    return overnight.run([fuzzing.Cell("conform", row, engine)], hours, 2, ["libfuzzer"])


def test_a_long_hunt_ends_with_its_summary_and_its_course(engine, out, monkeypatch, capsys):
    assert overnight_run(engine, monkeypatch, "good") == common.Exit.GOOD
    lines = overnight.progress_path().read_text().splitlines()
    assert lines[0].split(",") == overnight.PROGRESS_FIELDS and len(lines) > 1
    assert "conform good" in (overnight.folder() / "summary.md").read_text()
    assert capsys.readouterr().out.splitlines()[-1].startswith("executions ")


@pytest.mark.parametrize(("row", "code"), [("broken", common.Exit.CONFIRMED), ("dead", common.Exit.NOTHING_MEASURED)])
def test_the_status_of_a_long_hunt(engine, out, monkeypatch, row, code):
    assert overnight_run(engine, monkeypatch, row) == code


def test_a_full_disk_ends_a_long_hunt_and_leaves_it_to_be_resumed(engine, out, monkeypatch, capsys):
    monkeypatch.setattr(overnight, "FREE_BYTES", 1 << 60)
    assert overnight_run(engine, monkeypatch, "good", hours=1) == common.Exit.HARNESS
    assert "of the disk are free" in capsys.readouterr().out
    assert not json.loads(overnight.state_path().read_text())["finished"]


def test_a_finding_that_was_kept_before_the_state_was_is_counted(engine, out):
    cell = fuzzing.Cell("conform", "broken", engine)
    state = overnight.fresh_state(1)
    artifact = out / "crash-1"
    artifact.write_text("bad")
    findings.keep_finding(cell, artifact, out / "log")
    overnight.adopt_findings(state, [cell])
    overnight.adopt_findings(state, [cell])
    assert overnight.count_findings(state) == 1


def test_two_hunts_do_not_share_a_folder(out):
    with overnight.only_one(), pytest.raises(common.Failure, match="another hunt") as caught, overnight.only_one():
        pass
    assert caught.value.code == common.Exit.USAGE


def test_without_afl_a_long_hunt_says_what_to_install(monkeypatch):
    monkeypatch.setattr(overnight.shutil, "which", lambda name: None)
    with pytest.raises(common.Failure, match="afl-fuzz is not here: install afl") as caught:
        overnight.require_engines(["afl"])
    assert caught.value.code == common.Exit.USAGE
    assert overnight.require_engines(["libfuzzer"]) is None


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("not a program", common.Exit.USAGE, "is no fuzzer"),
        ("#!/bin/sh\n", common.Exit.USAGE, "has no property"),
        ("#!/bin/sh\necho 'a library is missing' >&2; exit 127\n", common.Exit.NOTHING_MEASURED, "can't start.*a library is missing"),
    ],
)
def test_what_is_no_fuzzer_is_said_in_a_line(tmp_path, text, code, message):
    path = tmp_path / "fuzzer"
    path.write_text(text)
    path.chmod(0o755)
    with pytest.raises(common.Failure, match=message) as caught:
        fuzzing.choose_cells(binary=path)
    assert caught.value.code == code and "\n" not in str(caught.value)


def test_a_corpus_is_whole_after_a_kill_in_the_middle_of_its_merge(engine, out):
    cell = fuzzing.Cell("conform", "good", engine)
    corpus = fuzzing.corpus_of(cell)
    (corpus / "unit").write_text("one")
    corpus.rename(corpus.with_name("good.old"))
    engines.recover_corpus(cell)
    assert (fuzzing.corpus_of(cell) / "unit").read_text() == "one"


def test_a_merge_that_fails_leaves_the_corpus(tmp_path, out):
    cell = fuzzing.Cell("conform", "good", Path("/bin/false"))
    (fuzzing.corpus_of(cell) / "unit").write_text("one")
    engines.work_of(cell).mkdir(parents=True)
    assert not engines.merge_corpus(cell, fuzzing.Processes())
    assert (fuzzing.corpus_of(cell) / "unit").read_text() == "one"


# ---- any malloc library ----

PRELOAD_FUZZER = """#!/bin/sh
case "$2" in
--preload=mine=*) name=mine;;
--preload=dead=*) echo "it dies at once" >&2; exit 127;;
*) printf 'row\\tarena\\tstrategy\\t\\nproperty\\tconform\\trows\\tit conforms\\n'; exit 0;;
esac
printf 'row\\tmine\\tpeer\\t\\nrow\\tmine_sized\\tpeer\\t\\n'
printf 'property\\tconform\\trows\\tit conforms\\ncell\\tconform\\tmine\\ncell\\tconform\\tmine_sized\\n'
printf 'property\\tposix_library\\trows\\tlikewise\\nskips_known\\tposix_library\\ncell\\tposix_library\\tmine\\n'
printf 'property\\ttrace_file\\tonce\\tany bytes\\n'
"""


@pytest.fixture
def library_fuzzer(tmp_path):
    path = tmp_path / "fuzzer"
    path.write_text(PRELOAD_FUZZER)
    path.chmod(0o755)
    return path


def test_a_library_has_its_cells_and_no_others(library_fuzzer):
    mine = preloads.Preload("mine", "/x.so")
    cells = fuzzing.choose_preloaded_cells([mine], binary=library_fuzzer)
    assert [cell.name for cell in cells] == ["conform mine", "conform mine_sized", "posix_library mine"]
    assert [cell.skips_known for cell in cells] == [False, False, True]
    assert cells[2].arguments() == ["--preload=mine=/x.so", "--property=posix_library", "--row=mine"]
    assert cells[2].variables()["HEAPYARD_PRELOAD"] == "mine=/x.so"
    (cell,) = fuzzing.choose_preloaded_cells([mine], "mine", "posix_library", library_fuzzer)
    assert cell.name == "posix_library mine"


@pytest.mark.parametrize(
    ("name", "allocators", "properties", "code", "message"),
    [
        ("arena", None, None, common.Exit.USAGE, "'arena' already"),
        ("mine", "mnie", None, common.Exit.USAGE, "did you mean mine"),
        ("mine", None, "conforms", common.Exit.USAGE, "did you mean conform"),
        ("dead", None, None, common.Exit.NOTHING_MEASURED, "no process can run on it.*dies at once"),
    ],
)
def test_what_is_no_library_is_said_in_a_line(library_fuzzer, name, allocators, properties, code, message):
    with pytest.raises(common.Failure, match=message) as failure:
        fuzzing.choose_preloaded_cells([preloads.Preload(name, "/x.so")], allocators, properties, library_fuzzer)
    assert failure.value.code == code


# Finds two kinds, each as long as it is not known, and then none.
SKIPPING_ENGINE = """#!/bin/sh
for last; do :; done
case "$*" in
*-max_total_time*)
    for word; do case "$word" in -artifact_prefix=*) prefix="${word#*=}";; esac; done
    head -c 24 /dev/zero >"$HEAPYARD_COUNTS"
    for kind in one two; do
        grep -q "kind $kind" "$HEAPYARD_KNOWN" || { echo "bad $kind" >"${prefix}crash-$kind"; exit 77; }
    done;;
*minimise*)
    echo "finding: errno: kind $(cut -d' ' -f2 "$last") (row mine, operation 1 malloc)" >&2; exit 3;;
*) read -r _ kind <"$last"; echo "finding: errno: kind $kind (row mine, operation 1 malloc)" >&2; exit 77;;
esac
"""


def test_a_hunt_goes_on_behind_what_is_known(tmp_path, out):
    engine = tmp_path / "engine"
    engine.write_text(SKIPPING_ENGINE)
    engine.chmod(0o755)
    cell = fuzzing.Cell("posix_library", "mine", engine, preload="mine=/x.so", skips_known=True)
    result = engines.hunt_on(cell, 20, out, fuzzing.Processes())
    assert [finding.line.split(" (")[0] for finding in result.findings] == ["finding: errno: kind one", "finding: errno: kind two"]
    assert (result.findings[1].folder / "known.txt").read_text().count("kind one") == 1
    assert (result.findings[0].folder / "preload.txt").read_text() == "mine=/x.so\n"
    only = engines.hunt_on(fuzzing.Cell("posix_library", "mine", engine), 20, out, fuzzing.Processes())
    assert len(only.findings) == 1


def test_what_is_broken_stands_before_what_is_chosen(tmp_path):
    cell = fuzzing.Cell("posix_library", "mine", tmp_path)
    lines = ["finding: errno: malloc refused with error 5 instead of ENOMEM (row mine, operation 1 malloc)",
             "finding: align: memalign gave 256 bytes at 0x10, not aligned to 256 (row mine, operation 1 memalign)"]  # fmt: skip
    said = findings.table([findings.Finding(cell, line, tmp_path) for line in lines]).splitlines()
    assert said[0].split()[0] == "BROKEN" and "memalign gave" in said[0] and "errno is set otherwise" in said[2]


def test_what_a_process_ran_is_read_from_its_counts(tmp_path):
    path = tmp_path / "counts"
    ring = b"b" * 10 + b"a" * (fuzzing.PAST_BYTES - 10)
    path.write_bytes(struct.pack("QQQ", 3, 30, 4) + b"last".ljust(fuzzing.INPUT_BYTES) + struct.pack("Q", fuzzing.PAST_BYTES + 10) + ring)
    assert fuzzing.read_counts(path) == (3, 30) and fuzzing.read_input(path) == b"last"
    past = fuzzing.read_past(path)
    assert len(past) == fuzzing.PAST_BYTES and past.startswith(b"a") and past.endswith(b"b" * 10)
    assert fuzzing.read_input(tmp_path / "none") is None and fuzzing.read_past(tmp_path / "none") == b""


def test_coverage_counts_sources_of_allocators_and_no_excluded_line(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "ROOT", tmp_path)
    source = tmp_path / "allocators" / "strategies" / "thing.c"
    source.parent.mkdir(parents=True)
    source.write_text("a\nb\n    HY_ASSERT(c);\nd /* GCOV_EXCL_LINE */\ne\nf\n")
    told = [f"SF:{source}", "DA:1,3", "DA:2,0", "DA:3,1", "DA:4,0", "end_of_record"]
    told += [f"SF:{tmp_path}/fuzz/other.c", "DA:1,1", f"SF:{tmp_path}/allocators/strategies/thing_test.c", "DA:1,1"]
    told += [f"SF:{source}", "DA:2,0", "DA:5,1"]  # copies of one file add up
    files = {}
    fuzz_coverage.read_lines("\n".join(told), files)
    taken = [[1, 2, 1, 9, 4, 0, 0, 0, 4], [1, 2, 1, 9, 1, 0, 0, 0, 4], [3, 1, 3, 5, 1, 0, 0, 0, 4]]
    fuzz_coverage.read_branches({"files": [{"filename": str(source), "branches": taken}]}, files)
    assert list(files) == ["allocators/strategies/thing.c"]
    assert files["allocators/strategies/thing.c"].reached() == [3, 4, 1, 2]
    assert files["allocators/strategies/thing.c"].missing() == [2]
    assert files["allocators/strategies/thing.c"].missing_branches() == [1]
    assert fuzz_coverage.total_of(files) == [3, 4, 1, 2]
    assert fuzz_coverage.total_of({}) == [0, 0, 0, 0]


def test_coverage_knows_the_lines_of_functions(monkeypatch):
    monkeypatch.setattr(common, "ROOT", Path("/tree"))
    told = [{"name": name, "filenames": ["/tree/a.c"], "regions": [[first, 1, first + 3, 2, 0, 0, 0, 0]]} for name, first in (("a.c:f", 3), ("g", 9))]
    assert fuzz_coverage.spans_of({"functions": told}) == {("a.c", "f"): {(3, 6)}, ("a.c", "g"): {(9, 12)}}


# ---- what no history reaches ----


@pytest.fixture
def thing(tmp_path, monkeypatch):
    """A file of six lines, two functions of three each; the counts: of lines, and of one branch on each line."""
    monkeypatch.setattr(common, "ROOT", tmp_path)
    (tmp_path / "fuzz").mkdir()
    (tmp_path / "thing.c").write_text("rare\n  same\noften\nnever\n  same\n} end\n")
    file = fuzz_coverage.File("thing.c")
    for line, count in ((1, 0), (2, 1), (3, 1), (4, 0), (5, 0), (6, 1)):
        file.take_line(line, count)
        file.take_branch((line, 1, True), count)
        file.take_branch((line, 1, False), 0 if line == 6 else count)

    def excuse(text):
        file.excused = set()
        unreached.path().write_text(text)
        spans = {("thing.c", "f"): {(1, 3)}, ("thing.c", "g"): {(4, 6)}}
        return unreached.excuse({"thing.c": file}, spans, unreached.read())

    return file, excuse


def test_what_none_reaches_is_left_out_of_the_count_with_a_reason(thing):
    file, excuse = thing
    assert excuse("") == [] and file.reached() == [3, 6, 5, 12]
    assert excuse('[[unreached]]\nfile = "thing.c"\ntext = "rare"\nwhy = "w"\n') == []
    assert file.reached() == [3, 5, 5, 10] and file.reached_of() == [3, 6, 5, 12] and file.missing() == [4, 5]
    assert excuse('[[unreached]]\nfile = "thing.c"\nfunction = "g"\ntext = ["same", "} end"]\nwhy = "w"\n') == []
    assert file.reached() == [3, 5, 5, 9] and file.missing_branches() == []
    assert excuse('[[unreached]]\nfile = "thing.c"\nfunction = "g"\nwhy = "w"\n') == []
    assert file.reached() == [3, 4, 5, 7]


@pytest.mark.parametrize(
    "entry, said",
    [
        ('text = "often"', "thing.c:3: line 'often' is reached"),
        ('text = "same"', "thing.c:2: line 'same' is reached"),
        ('function = "f"\ntext = "same"', "thing.c:2: line 'same' is reached"),
        ('text = "nowhere"', "thing.c has no line 'nowhere'"),
        ('function = "f"\ntext = "never"', "thing.c has no line 'never' in f"),
        ('function = "h"', "thing.c has no function h"),
    ],
)
def test_an_excuse_that_excuses_nothing_is_wrong(thing, entry, said):
    file, excuse = thing
    wrong = excuse(f'[[unreached]]\nfile = "thing.c"\n{entry}\nwhy = "w"\n')
    assert wrong == [f"unreached.toml: {said}: mend the entry, or take it out"] and file.excused == set()


@pytest.mark.parametrize(
    "table, said",
    [
        ("[[unreached]\n", "unreached.toml can't be read"),
        ('[[unreached]]\nfile = "thing.c"\nwhy = "w"\n', "entry 1 needs file, why, and function or text"),
        ('[[unreached]]\nfile = "thing.c"\ntext = "a"\nwhy = "w"\nline = 3\n', "and nothing else"),
        ('[[unreached]]\nfile = "thing.c"\ntext = [1]\nwhy = "w"\n', "each value must be a text"),
        ('[[unreached]]\nfile = "none.c"\ntext = "a"\nwhy = "w"\n', "there is no file none.c"),
    ],
)
def test_a_damaged_table_of_excuses_is_told(thing, table, said):
    _, excuse = thing
    with pytest.raises(common.Failure, match=said):
        excuse(table)


def test_the_table_of_excuses_fits_the_sources():
    for entry in unreached.read():
        lines = {line.strip() for line in (common.ROOT / entry.file).read_text().splitlines()}
        assert set(entry.texts) <= lines, entry.file


# ---- a hunt that is too short for all cells ----

SLOW_FUZZER = """#!/bin/sh
case "$*" in
*max_total_time*) sleep 1; printf '\\7\\0\\0\\0\\0\\0\\0\\0\\106\\0\\0\\0\\0\\0\\0\\0' >"$HEAPYARD_COUNTS"; exit 0;;
*list*) ;;
*) exit 0;;
esac
for row in a b c; do printf 'row\\t%s\\tstrategy\\t\\n' $row; done
for property in one two; do
    printf 'property\\t%s\\trows\\tholds\\n' $property
    for row in a b c; do printf 'cell\\t%s\\t%s\\n' $property $row; done
done
"""


def short_hunt(tmp_path, *more):
    path = tmp_path / "slow"
    path.write_text(SLOW_FUZZER)
    path.chmod(0o755)
    command = [common.ROOT / "scripts" / "fuzz", "--fuzzer", path, "--out", tmp_path / "out", "--seconds", "2", "--jobs", "1", *more]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = dict(re.findall(r"^  (\w+ \w+) .* edges  (.*)$", done.stdout, re.MULTILINE))
    assert len(cells) == 6 and "had no turn in this time" in done.stdout
    return {name for name, said in cells.items() if said != "not run"}


def test_short_hunts_take_turns(tmp_path):
    first, second = short_hunt(tmp_path), short_hunt(tmp_path)
    assert first and second and not first & second
    assert {name.split()[0] for name in first | second} == {"one", "two"}
    assert "one a" in short_hunt(tmp_path, "--chance", "1")  # which depends on no earlier hunt


def test_turns_survive_a_damaged_file(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzzing, "OUT", tmp_path)
    for text in ("", "[1]", '{"one a": "x"}'):
        turns.path().write_text(text)
        assert turns.read() == {}
    turns.keep({"one a": 2.0})
    turns.keep({"two a": 1.0})
    assert turns.read() == {"one a": 2.0, "two a": 1.0}
