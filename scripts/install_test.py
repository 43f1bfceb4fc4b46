"""What make install brings serves a stranger's program: by pkg-config, and by CMake's find_package, in C and C++."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <stdio.h>
int main(void) {
    int *numbers = hy_alloc_n(hy_libc(), int, 10);
    if (!numbers) return 1;
    hy_free_n(hy_libc(), numbers, 10);
    puts("served");
    return 0;
}
"""
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(stranger C CXX)
find_package(heapyard 0.1 REQUIRED)
foreach(language c cc)
  foreach(library heapyard heapyard_shared)
    add_executable(${language}_${library} program.${language})
    target_link_libraries(${language}_${library} PRIVATE heapyard::${library})
  endforeach()
endforeach()
"""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(name="prefix", scope="module")
def fixture_prefix(tmp_path_factory):
    """The library alone, configured, built and installed as make install does it."""
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("prefix")
    run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DHY_YARD=OFF", "-DBUILD_TESTING=OFF", f"-DCMAKE_INSTALL_PREFIX={prefix}")
    run("cmake", "--build", build)
    run("cmake", "--install", build)
    return prefix


@pytest.mark.parametrize("form", ["--static", "--shared"])
def test_pkg_config_finds_it(prefix, tmp_path, form):
    folder = next(prefix.rglob("heapyard.pc")).parent
    environment = {**os.environ, "PKG_CONFIG_PATH": str(folder)}
    flags = run("pkg-config", "--cflags", "--libs", "heapyard", env=environment).split()
    if form == "--static":
        flags = [next(str(path) for path in prefix.rglob("libheapyard.a")) if flag == "-lheapyard" else flag for flag in flags]
    (tmp_path / "program.c").write_text(PROGRAM)
    run("cc", tmp_path / "program.c", "-o", tmp_path / "program", *flags)
    library = next(prefix.rglob("libheapyard.so")).parent
    assert run(tmp_path / "program", env={**os.environ, "LD_LIBRARY_PATH": str(library)}) == "served\n"


def test_cmake_finds_it(prefix, tmp_path):
    (tmp_path / "program.c").write_text(PROGRAM)
    (tmp_path / "program.cc").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", tmp_path / "build")
    for program in ("c_heapyard", "c_heapyard_shared", "cc_heapyard", "cc_heapyard_shared"):
        assert run(tmp_path / "build" / program) == "served\n"


def test_the_soname_carries_the_minor_version(prefix):
    library = next(prefix.rglob("libheapyard.so"))
    assert "[libheapyard.so.0.1]" in run("readelf", "-d", library)
