"""Building of base and head, and relinking of plugins."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import common, gate_build  # noqa: E402
from yard.common import Exit, Failure  # noqa: E402

BUILD = Path(os.environ.get("HEAPYARD_BUILD", common.ROOT / "build" / "release"))


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small checkout with one commit, used instead of this one."""
    root = tmp_path / "checkout"
    root.mkdir()
    monkeypatch.setattr(common, "ROOT", root)
    monkeypatch.setattr(gate_build, "CACHE", root / "build" / "gate")
    (root / ".gitignore").write_text("build/\n")
    (root / "kept.c").write_text("kept\n")
    (root / "gone.c").write_text("gone\n")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for step in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "One"]):
        subprocess.run(["git", *step], cwd=root, check=True)
    monkeypatch.setattr(gate_build.git, "__kwdefaults__", {"root": root})
    return root


def test_a_base_without_a_plugin_is_nothing_measured(checkout):
    commit = gate_build.find_commit("HEAD")
    with pytest.raises(Failure) as caught:
        gate_build.build_base(commit)
    assert caught.value.code == Exit.NOTHING_MEASURED
    assert commit[:12] in str(caught.value)


def test_a_base_that_does_not_build_is_a_harness_failure(checkout):
    (checkout / "allocators").mkdir()
    (checkout / "allocators" / "plugin.c").write_text("this is no C\n")
    (checkout / "CMakeLists.txt").write_text("this is no CMake\n")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for step in (["add", "."], [*identity, "commit", "-q", "-m", "Two"]):
        subprocess.run(["git", *step], cwd=checkout, check=True)
    with pytest.raises(Failure) as caught:
        gate_build.build_base(gate_build.find_commit("HEAD"))
    assert caught.value.code == Exit.HARNESS


@pytest.mark.parametrize("name", ["no-such-branch", "", "-x", "HEAD:kept.c", "0000000000"])
def test_an_unknown_commit_is_a_usage_error(checkout, name):
    with pytest.raises(Failure) as caught:
        gate_build.find_commit(name)
    assert caught.value.code == Exit.USAGE


def test_no_default_base_without_a_remote(checkout):
    with pytest.raises(Failure) as caught:
        gate_build.default_base()
    assert caught.value.code == Exit.USAGE
    assert "--base" in str(caught.value)


def test_the_copy_follows_the_working_tree(checkout, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    gate_build.copy_working_tree(copy)
    before = (copy / "kept.c").stat().st_mtime_ns
    (checkout / "gone.c").unlink()
    (checkout / "new.c").write_text("not committed\n")
    (checkout / "build").mkdir(exist_ok=True)
    (checkout / "build" / "ignored.c").write_text("ignored\n")
    gate_build.copy_working_tree(copy)
    assert {str(path.relative_to(copy)) for path in copy.rglob("*")} == {".gitignore", "kept.c", "new.c"}
    assert (copy / "kept.c").stat().st_mtime_ns == before


def test_an_unpacked_commit_has_the_committed_contents(checkout, tmp_path):
    (checkout / "kept.c").write_text("changed since\n")
    gate_build.unpack_commit(gate_build.find_commit("HEAD"), tmp_path / "base")
    assert (tmp_path / "base" / "kept.c").read_text() == "kept\n"


def test_placed_copies_have_paths_of_one_length(tmp_path):
    plugin = tmp_path / "plugin.so"
    plugin.write_bytes(b"x")
    paths = [gate_build.place(plugin, label, tmp_path / "run") for label in ("base", "head", "again")]
    assert len(set(paths)) == 3
    assert len({len(str(path)) for path in paths}) == 1


def test_objects_of_removed_sources_are_not_linked_again(tmp_path):
    (tmp_path / "build.ninja").write_text("rule ar\n  command = ar qc $out $in\nbuild lib/liba.a: ar lib/a.dir/kept.o\n")
    (tmp_path / "lib" / "CMakeFiles" / "a.dir").mkdir(parents=True)
    (tmp_path / "lib" / "CMakeFiles" / "a.dir" / "removed.o").touch()
    tree = gate_build.Tree("head", "0" * 40, False, tmp_path, tmp_path / "plugin.so", None)
    assert gate_build._objects("lib/liba.a", tree) == ["lib/a.dir/kept.o"]
    assert gate_build._objects("main.o", tree) == ["main.o"]
    assert gate_build._objects("/usr/lib/libz.a", tree) == gate_build._objects("-lz", tree) == []


@pytest.mark.skipif(not (BUILD / "build.ninja").exists(), reason="needs a build by ninja")
def test_a_relinked_plugin_has_the_same_symbols_at_other_addresses(tmp_path):
    tree = gate_build.Tree("head", "0" * 40, False, BUILD, BUILD / gate_build.PLUGIN_FILE, None)
    files = [gate_build.relink(tree, seed, tmp_path / str(seed)) for seed in (1, 2)]
    places = []
    for file in files:
        library = ctypes.CDLL(str(file), mode=os.RTLD_NOW | os.RTLD_LOCAL)
        assert library.heapyard_plugin
        done = subprocess.run(["nm", file], capture_output=True, text=True, check=True)
        places.append({line.split()[2]: line.split()[0] for line in done.stdout.splitlines() if " T " in line or " t " in line})
    assert places[0].keys() == places[1].keys()
    assert places[0] != places[1]
