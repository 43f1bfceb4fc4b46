"""What make install brings serves a stranger: his program by CMake and by pkg-config, in C and C++, over either
form of the library; and his allocator (allocators/outside), which is checked, benched, fuzzed and gated."""

import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("HEAPYARD_BUILD", ROOT / "build" / "debug"))
OUTSIDE = ROOT / "allocators" / "outside"
BENCH, REPLAY, CONFORMANCE = BUILD / "bench" / "heapyard-bench", BUILD / "fuzz" / "heapyard-replay", BUILD / "allocators" / "conformance_test"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]


def call(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)


def run(*command, **options):
    done = call(*command, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def find(folder, name):
    """The one file of that name below the folder."""
    return next(folder.rglob(name))


@pytest.fixture(name="prefix", scope="module")
def fixture_prefix(tmp_path_factory):
    """What this build installs, moved after it was installed."""
    first, prefix = tmp_path_factory.mktemp("first") / "prefix", tmp_path_factory.mktemp("moved") / "prefix"
    run("cmake", "--install", BUILD, "--prefix", first)
    shutil.move(first, prefix)
    return prefix


@pytest.fixture(name="outside", scope="module")
def fixture_outside(prefix, tmp_path_factory):
    """The stranger's project, built against it."""
    build = tmp_path_factory.mktemp("outside")
    run("cmake", "-S", OUTSIDE, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", build)
    return build


@pytest.fixture(name="plugin", scope="module")
def fixture_plugin(outside):
    return outside / "libshelf.so"


def packaged(prefix, *arguments):
    """What pkg-config answers."""
    environment = {**os.environ, "PKG_CONFIG_PATH": str(find(prefix, "heapyard.pc").parent)}
    return run("pkg-config", *arguments, env=environment).split()


# --- the program, both ways --------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["c_heapyard", "c_heapyard_shared", "cc_heapyard", "cc_heapyard_shared"])
def test_cmake_finds_it(outside, program):
    assert run(outside / f"program_{program}") == "served 42\n"


@pytest.mark.parametrize("language, compiler", [("c", "cc"), ("cc", "c++")])
@pytest.mark.parametrize("form", ["static", "shared"])
def test_pkg_config_finds_it(prefix, tmp_path, language, compiler, form):
    flags = packaged(prefix, "--cflags", "--libs", *(["--static"] if form == "static" else []), "heapyard")
    program = tmp_path / "program"
    run(compiler, OUTSIDE / f"program.{language}", "-o", program, *(["-static"] if form == "static" else []), *flags)
    library = str(find(prefix, "libheapyard.so").parent)
    assert run(program, env={**os.environ, "LD_LIBRARY_PATH": library}) == "served 42\n"
    needed = run("readelf", "-d", program)
    assert ("libheapyard.so" in needed) == (form == "shared")


def check_malloc(program, environment):
    """The program's malloc is ours, beside the library that it also links."""
    done = call(program, env={**environment, "HEAPYARD_MALLOC": "stats,check"})
    assert done.returncode == 0 and done.stdout == "served 42\n"
    assert re.match(r"smp: \d+ blocks live", done.stderr), done.stderr


@pytest.mark.parametrize("program", ["c_malloc", "c_malloc_static", "cc_malloc", "cc_malloc_static"])
def test_cmake_finds_malloc(outside, program):
    check_malloc(outside / f"program_{program}", os.environ)
    needed = run("readelf", "-d", outside / f"program_{program}")
    assert ("libheapyard-malloc.so" in needed) == (not program.endswith("static"))


@pytest.mark.parametrize("language, compiler", [("c", "cc"), ("cc", "c++")])
@pytest.mark.parametrize("form", [["-static"], []])
def test_pkg_config_finds_malloc(prefix, tmp_path, language, compiler, form):
    flags = packaged(prefix, "--cflags", "--libs", *(["--static"] if form else []), "heapyard", "heapyard-malloc")
    run(compiler, OUTSIDE / f"program.{language}", "-o", tmp_path / "program", *form, *flags)
    library = str(find(prefix, "libheapyard-malloc.so").parent)
    check_malloc(tmp_path / "program", {**os.environ, "LD_LIBRARY_PATH": library})


@pytest.mark.parametrize("component, complaint", [("shared", ""), ("plugin", ""), ("conformance", ""), ("malloc", ""), ("smp", "no component 'smp' here")])
def test_components_are_there_or_told_apart(prefix, tmp_path, component, complaint):
    project = f"cmake_minimum_required(VERSION 3.25)\nproject(p C)\nfind_package(heapyard 0.1 REQUIRED COMPONENTS {component})\n"
    (tmp_path / "CMakeLists.txt").write_text(project)
    done = call("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    assert (done.returncode == 0) == (not complaint)
    assert complaint in " ".join(done.stderr.split())


def test_another_minor_version_is_another_library(prefix, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(p C)\nfind_package(heapyard 0.0 REQUIRED)\n")
    done = call("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    assert done.returncode != 0
    assert "version: 0.1.0" in done.stderr
    assert "[libheapyard.so.0.1]" in run("readelf", "-d", find(prefix, "libheapyard.so"))


# --- what is in it -----------------------------------------------------------------------------------


def symbols(*command):
    """The names that nm prints as defined and global."""
    lines = [line.split() for line in run("nm", "--defined-only", *command).splitlines()]
    return {words[2] for words in lines if len(words) == 3}


@pytest.mark.parametrize("name", ["libheapyard.so", "libheapyard.a", "libheapyard_conformance.a"])
def test_no_symbol_without_the_prefix(prefix, name):
    found = symbols("--dynamic" if name.endswith(".so") else "--extern-only", find(prefix, name))
    assert len(found) > 20
    assert {symbol for symbol in found if not symbol.startswith(("hy_", "heapyard_"))} == set()


ROW_CODE = re.compile(r"\bhy_\w+_row\b|\bhy_registry_|\bhy_peer|\bdirect(_pair|_request)?\b|\bhy_plugin|_row\.c$", re.MULTILINE)


@pytest.mark.parametrize("name", ["libheapyard.so", "libheapyard.a"])
def test_the_library_holds_no_row_and_no_bench_loop(prefix, name):
    """Neither by a symbol, a local one or a file's included, nor by an object of the archive."""
    found = run("readelf", "--syms", "--wide", find(prefix, name))
    found += run("ar", "t", find(prefix, name)) if name.endswith(".a") else ""
    assert "hy_arena_reset" in found
    assert ROW_CODE.findall(found) == []


def test_rows_would_be_seen_in_it(prefix):
    found = run("readelf", "--syms", "--wide", find(prefix, "libheapyard_conformance.a"))
    assert "hy_arena_row" in found and "direct_pair" in found and "arena_row.c" in found
    assert ROW_CODE.search(found)


def test_the_shared_library_shows_what_its_headers_declare(prefix):
    shown = symbols("--dynamic", find(prefix, "libheapyard.so"))
    headers = "".join(path.read_text() for path in (prefix / "include" / "heapyard").glob("*.h"))
    assert {symbol for symbol in shown if not re.search(rf"\b{symbol}\b", headers)} == set()


def test_a_plugin_shows_one_symbol(plugin):
    assert symbols("--dynamic", plugin) == {"heapyard_plugin"}


def test_nothing_of_the_yards_is_installed(prefix):
    headers = list((prefix / "include").rglob("*.h"))
    assert {header.parent.name for header in headers} == {"heapyard"}
    assert not [header.name for header in headers if re.search(r'#\s*include\s+["<](allocators|bench|fuzz)/', header.read_text())]
    assert not list(prefix.rglob("*yard_yard*")) and not list(prefix.rglob("registry.h"))
    assert "zstd" not in find(prefix, "heapyard-targets.cmake").read_text()


@pytest.mark.parametrize("compiler, standard", [("gcc", "c17"), ("g++", "c++17"), ("clang-14", "c17"), ("clang++-14", "c++17")])
def test_each_header_compiles_alone(prefix, compiler, standard):
    if not shutil.which(compiler):
        pytest.skip(f"not in this build: {compiler}")
    headers = sorted((prefix / "include" / "heapyard").glob("*.h"))
    assert len(headers) > 20
    language = ["-x", "c++" if "++" in standard else "c"]
    for header in headers:
        run(compiler, f"-std={standard}", *STRICT, f"-I{prefix / 'include'}", *language, "-", input=f"#include <heapyard/{header.name}>\n")


# --- the allocator -----------------------------------------------------------------------------------


def test_the_readme_shows_this_allocator():
    readme = (ROOT / "allocators" / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- example: an allocator -->\n```c\n(.*?)```", readme, re.DOTALL).group(1)
    assert shown == (OUTSIDE / "shelf.c").read_text(encoding="utf-8")


def test_the_conformance_suite_holds_it_against_the_contract(outside):
    said = run(outside / "shelf_test")
    assert "shelf: child_refuses: holds" in said


def test_the_conformance_suite_is_found_by_pkg_config_and_finds_a_fault(prefix, tmp_path):
    source = (OUTSIDE / "shelf.c").read_text().replace("it->used = start - base + size;", "it->used = start - base + size / 2;")
    (tmp_path / "shelf.c").write_text(source)
    flags = packaged(prefix, "--cflags", "--libs", "heapyard-conformance")
    run("cc", tmp_path / "shelf.c", OUTSIDE / "shelf_test.c", "-o", tmp_path / "shelf_test", *flags)
    done = call(tmp_path / "shelf_test")
    assert done.returncode == 1
    assert "overlap" in done.stdout or "contents" in done.stdout


def test_the_yards_conformance_test_takes_its_row(plugin):
    said = run(CONFORMANCE, f"--plugin=mine={plugin}")
    assert "shelf@mine/bulk_reset" in said
    assert "arena/" not in said


def test_it_is_benched(plugin, tmp_path):
    arguments = ["--quick", "--allocators", "shelf@mine", "--workloads", "pair", "--list"]
    said = run(ROOT / "scripts" / "bench", "--bench", BENCH, "--plugin", f"mine={plugin}", *arguments)
    assert "shelf@mine" in said
    cell = next(line for line in said.splitlines() if line.startswith("pair size=16:"))
    assert "libc" in cell
    options = ["--rows", "shelf@mine,libc", "--workload", "pair", "--params", "size=16", "--threads", 1, "--rounds", 2]
    record = json.loads(run(BENCH, "sample", *options, "--plugin", f"mine={plugin}"))
    assert min(record["rows"]["shelf@mine"]["ns_per_op"]) > 0
    assert record["rows"]["shelf@mine"]["checksum"] == record["rows"]["libc"]["checksum"]


def test_it_is_fuzzed(plugin, tmp_path):
    chooser = random.Random(1)
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for number in range(300):
        (inputs / str(number)).write_bytes(chooser.randbytes(chooser.randrange(8, 400)))
    said = run(REPLAY, "run", f"--plugin=mine={plugin}", inputs, ROOT / "corpus" / "seeds")
    assert int(re.search(r"executions (\d+)", said).group(1)) > 300
    assert "findings 0" in said


def changed(prefix, folder, *change):
    """The plugin with a change in its source."""
    source = (OUTSIDE / "shelf.c").read_text()
    for old, new in change:
        assert old in source
        source = source.replace(old, new)
    folder.mkdir()
    (folder / "shelf.c").write_text(source)
    flags = ["-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,--exclude-libs,ALL"]
    flags += packaged(prefix, "--cflags", "--libs", "heapyard-plugin")
    run("cc", folder / "shelf.c", OUTSIDE / "plugin.c", *flags, "-o", folder / "libshelf.so")
    return folder / "libshelf.so"


def test_the_fuzzers_model_finds_a_fault_in_it_and_prints_a_program(prefix, tmp_path):
    broken = changed(prefix, tmp_path / "broken", ("it->used = start - base + size;", "it->used = start - base + size / 2;"))
    seeds = ROOT / "corpus" / "seeds"
    done = call(REPLAY, "run", f"--plugin=mine={broken}", seeds)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "FOUND conform on shelf@mine" in done.stdout
    path = re.search(r" in (\S+)$", done.stdout, re.MULTILINE).group(1)
    program = tmp_path / "reproducer.c"
    done = call(REPLAY, "minimise", f"--plugin=mine={broken}", "--row=shelf@mine", f"--c={program}", path)
    assert done.returncode == 3, done.stderr
    run("cc", "-std=gnu17", program, f"-I{prefix / 'include'}", broken, find(prefix, "libheapyard.a"), "-o", tmp_path / "reproducer")
    assert call(tmp_path / "reproducer").returncode != 0


def gate(base, head, out, *arguments):
    words = ["--base-plugin", base, "--head-plugin", head, "--bench", BENCH, "--tiers", "exact", "--out", out]
    return call(ROOT / "scripts" / "gate", *words, *arguments)


def test_the_gate_passes_a_build_that_is_as_good(plugin, tmp_path):
    done = gate(plugin, plugin, tmp_path / "report")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"compared [1-9]", done.stdout)


def test_the_gate_fails_a_build_that_takes_more(prefix, plugin, tmp_path):
    greedy = changed(prefix, tmp_path / "greedy", ("sizeof(shelf) + capacity", "sizeof(shelf) + 4096 + capacity"),
                     ("sizeof(shelf) + it->capacity", "sizeof(shelf) + 4096 + it->capacity"))  # fmt: skip
    done = gate(plugin, greedy, tmp_path / "report")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "shelf · pair size=16  child_peak_bytes" in done.stdout


def test_the_gate_measures_nothing_where_no_workload_applies(prefix, plugin, tmp_path):
    without = changed(prefix, tmp_path / "without", (" | HY_TRAIT_BULK_RESET", ""))
    done = gate(without, without, tmp_path / "report")
    assert done.returncode == 5
    assert "no workload applies" in done.stderr


def test_the_gate_tells_what_is_no_plugin(prefix, plugin, tmp_path):
    done = gate(plugin, find(prefix, "libheapyard.so"), tmp_path / "report")
    assert done.returncode == 2
    assert done.stderr.startswith("gate: --head-plugin: ") and "is no plugin" in done.stderr
