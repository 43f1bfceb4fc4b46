"""own_frames_test.py: a stack trace begins at the function that called the library, however the program was built.

testdata/own_frames.c allocates through stacks of allocators; the library and it are built by each compiler,
without optimisation, with it, and with link-time optimisation, and linked statically and shared.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SAMPLE = HERE / "testdata" / "own_frames.c"
HAS_LIBDW = subprocess.run(["pkg-config", "--exists", "libdw"], check=False).returncode == 0
LIBDW = ["-Wl,--push-state,--no-as-needed", "-ldw", "-Wl,--pop-state"] if HAS_LIBDW else []
# The archiver that reads a compiler's own intermediate code, and the linker.
TOOLS = {"gcc": ["gcc-ar", "gcc-ranlib"], "clang-14": ["llvm-ar-14", "llvm-ranlib-14", "-fuse-ld=lld"]}
COMPILERS = [name for name, tools in TOOLS.items() if all(shutil.which(tool) for tool in [name, *tools[:2]])]
STACKS = 16


# Nobody asks the linker to optimise what the compiler was told not to; and without optimisation no function goes into
# another, whoever compiles: one of them will do.
FORMS = [("-O2", False), ("-O2", True)]
BUILDS = [*((compiler, "-O0", False) for compiler in COMPILERS[:1]), *((compiler, *form) for compiler in COMPILERS for form in FORMS)]


@pytest.fixture(name="build", scope="module", params=BUILDS,
                ids=lambda form: f"{form[0]}{form[1]}{'-flto' if form[2] else ''}")  # fmt: skip
def fixture_build(request, tmp_path_factory):
    """The compiler with its flags, and the folder with both libraries."""
    compiler, optimisation, lto = request.param
    archiver, indexer, *linker = TOOLS[compiler]
    flags = [optimisation, "-g", *(["-flto"] if lto else [])]
    link = [*flags, *(linker if lto else [])]
    folder = tmp_path_factory.mktemp("build")
    launcher = [f"-DCMAKE_C_COMPILER_LAUNCHER={shutil.which('ccache')}"] if shutil.which("ccache") else []
    options = [f"-DCMAKE_C_COMPILER={compiler}", f"-DCMAKE_AR={shutil.which(archiver)}", f"-DCMAKE_RANLIB={shutil.which(indexer)}",
               "-DCMAKE_BUILD_TYPE=None", f"-DCMAKE_C_FLAGS={' '.join(flags)}", f"-DCMAKE_SHARED_LINKER_FLAGS={' '.join(link)}"]  # fmt: skip
    run("cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DHY_YARD=OFF", "-DBUILD_TESTING=OFF", *options, *launcher)
    run("cmake", "--build", folder, "--target", "heapyard", "heapyard_shared")
    return [compiler, "-std=gnu17", "-fno-omit-frame-pointer", *link], folder / "allocators"


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def build_program(build, form, folder):
    compiler, libraries = build
    library = {"static": [libraries / "libheapyard.a", *LIBDW], "shared": [libraries / "libheapyard.so", f"-Wl,-rpath,{libraries}"]}[form]
    program = folder / "own_frames"
    run(*compiler, f"-I{HERE.parent / 'include'}", SAMPLE, *library, "-pthread", "-o", program)
    return program


@pytest.mark.parametrize("form", ["static", "shared"])
def test_a_trace_begins_at_the_caller_of_the_library(build, form, tmp_path):
    program = build_program(build, form, tmp_path)
    printed = run(program).splitlines()
    begins = [line for line in printed if line.startswith("    #0 ")]
    assert len(begins) >= STACKS
    if HAS_LIBDW:
        wrong = [line for line in begins if not re.search(r" in user_function(_of_arena)? at ", line)]
        assert not wrong, "\n".join(printed)
    refused = subprocess.run([program, "misuse"], capture_output=True, text=True, check=False)
    first, second = refused.stderr.splitlines()[:2]
    assert first.startswith("heapyard: hy_debug_free: got ")
    assert second.startswith("    #0 ")
    if HAS_LIBDW:
        assert " in user_function_that_errs at " in second
