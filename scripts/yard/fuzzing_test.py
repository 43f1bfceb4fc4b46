"""How the fuzzing scripts choose cells, and parse logs, counters and findings."""

import json
import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import common, fuzzing, overnight

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
    assert "-seed=7" in fuzzing.libfuzzer_command(cell, 1, tmp_path, tmp_path, tmp_path, chance=7)
    assert "-seed=0" in fuzzing.libfuzzer_command(cell, 1, tmp_path, tmp_path, tmp_path)


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
    assert fuzzing.kind_of(one) == fuzzing.kind_of(two) != fuzzing.kind_of(other)


def test_missing_counts_are_zero(tmp_path):
    assert fuzzing.read_counts(tmp_path / "none") == (0, 0)
    (tmp_path / "counts").write_bytes(struct.pack("QQ", 7, 70))
    assert fuzzing.read_counts(tmp_path / "counts") == (7, 70)


def test_an_unfinished_run_is_resumed_and_a_finished_one_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(overnight, "STATE", tmp_path / "state.json")
    assert overnight.load_state(8) == overnight.fresh_state(8)
    state = overnight.fresh_state(8) | {"used_seconds": 100.0, "next": 3}
    overnight.save_state(state)
    assert overnight.load_state(8)["next"] == 3
    overnight.save_state(state | {"finished": True})
    assert overnight.load_state(8)["used_seconds"] == 0.0
    assert json.loads((tmp_path / "state.json").read_text())["finished"]


def test_a_repeated_finding_is_kept_once(capsys):
    total, more = overnight.new_tally(), overnight.new_tally()
    more["findings"] = [["fuzz/out/findings/x", "finding: overlap"], ["fuzz/out/findings/x", "finding: overlap again"]]
    more["executions"] = 5
    overnight.add_tally(total, more)
    overnight.add_tally(total, more)
    assert total["executions"] == 10 and len(total["findings"]) == 1
    assert capsys.readouterr().out.count("FOUND") == 1


def test_findings_of_an_interrupted_slice_are_kept(tmp_path, monkeypatch):
    tally = overnight.new_tally() | {"executions": 7, "findings": [["folder", "finding: overlap"]]}

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(overnight, "STATE", tmp_path / "state.json")
    monkeypatch.setattr(overnight, "find_afl", lambda: None)
    monkeypatch.setattr(overnight, "run_slice", lambda *_: (tally, []))
    monkeypatch.setattr(overnight, "wait", interrupted)
    monkeypatch.setattr(fuzzing, "assemble_seeds", lambda _: tmp_path)
    processes = fuzzing.Processes()
    overnight.drive([fuzzing.Cell("conform", "arena", tmp_path / "fuzz")], overnight.fresh_state(1), 1, processes)
    assert processes.stopping
    kept = overnight.load_state(1)["cells"]["conform arena"]
    assert kept["executions"] == 7 and kept["findings"] == [["folder", "finding: overlap"]]
