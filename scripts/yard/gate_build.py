"""Builds base and head, each in a tree of its own, by the same compiler with the same flags.

    build/gate/<side>/<name>/src     the sources: the commit's files, or a copy of the working tree
    build/gate/<side>/<name>/build   the plugin (and, for head, the harness)

Base is named by its commit and built once; head is copied from the working tree, uncommitted changes
included, so that an edit during a run has no effect on it. Source paths are removed from the binaries, and
functions and loops are aligned, so that the two libraries differ only where the code differs.

A relinked plugin has the same objects in another order with padding between: a time that depends on
the layout changes from one to the next.
"""

import filecmp
import hashlib
import os
import random
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple, Optional

from yard import common
from yard.common import Exit, Failure

CACHE = common.ROOT / "build" / "gate"
PLUGIN = "heapyard_plugin"
PLUGIN_FILE = Path("allocators") / "libheapyard-plugin.so"
PLUGIN_SOURCE = "allocators/plugin.c"
BENCH = "heapyard-bench"
BENCH_FILE = Path("bench") / BENCH
PADDING_MAX = 4096
BASES_KEPT = 4


class Tree(NamedTuple):
    """One side, built."""

    label: str
    commit: str  # of a library that was not built here: a hash of its contents
    dirty: bool  # head only: uncommitted changes are in it
    build: Optional[Path]  # None: the library was not built here
    plugin: Path
    bench: Optional[Path]


def git(*arguments, root=common.ROOT):
    """git's output without its last newline, or None where it fails."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    return done.stdout.rstrip("\n") if done.returncode == 0 else None


def find_commit(name):
    """The hash of the commit that the user named as base. A usage error where there is none."""
    if name.startswith("-"):
        raise common.usage_error(f"--base {name}: no such commit; give a branch, a tag or a hash")
    commit = git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if not commit:
        raise common.usage_error(f"--base {name}: no such commit; give a branch, a tag or a hash (git log)")
    return commit


def default_base():
    """origin/main; a usage error where that does not exist."""
    if git("rev-parse", "--verify", "--quiet", "origin/main^{commit}"):
        return "origin/main"
    raise common.usage_error("there is no origin/main here: name the base, e.g. --base HEAD~1")


def unpack_commit(commit, folder):
    """Unpacks the commit's files to a folder that appears only when it is complete."""
    if folder.exists():
        return
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with subprocess.Popen(["git", "archive", commit], cwd=common.ROOT, stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            archive.extractall(part)
    if process.returncode != 0:
        raise Failure(Exit.HARNESS, f"git archive {commit} ended with {process.returncode}")
    part.rename(folder)


def copy_working_tree(folder):
    """Makes the folder equal to the working tree's tracked and unignored files. Unchanged files are not
    touched, so that only changed ones are rebuilt."""
    listing = git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if listing is None:
        raise Failure(Exit.HARNESS, "git ls-files failed: the gate needs a git checkout")
    wanted = {name for name in listing.split("\0") if name and (common.ROOT / name).is_file()}
    for name in wanted:
        source, target = common.ROOT / name, folder / name
        if target.exists() and filecmp.cmp(source, target, shallow=False):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    for target in sorted(folder.rglob("*")):
        if target.is_file() and str(target.relative_to(folder)) not in wanted:
            target.unlink()


def _run(step, why):
    done = subprocess.run(step, capture_output=True, text=True)
    if done.returncode != 0:
        log = (done.stdout + done.stderr)[-4000:]
        raise Failure(Exit.HARNESS, f"{why} could not be built: {shlex.join(map(str, step))}\n{log}")
    return done.stdout


def compile_tree(folder, label, targets):
    """Configures and builds the targets in folder/build."""
    source, build = folder / "src", folder / "build"
    flags = f"-ffile-prefix-map={source}=. -falign-functions=64 -falign-loops=32"
    if not (build / "build.ninja").exists():
        shutil.rmtree(build, ignore_errors=True)
        configure = ["cmake", "-G", "Ninja", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=RelWithDebInfo"]
        configure += ["-DHY_CHECK_LEVEL=0", "-DBUILD_TESTING=OFF", "-DHY_WERROR=OFF"]
        configure += [f"-DCMAKE_C_FLAGS={flags}", f"-DCMAKE_CXX_FLAGS={flags}"]
        try:
            _run(configure, label)
        except Failure:
            shutil.rmtree(build, ignore_errors=True)
            raise
    _run(["cmake", "--build", build, "--target", *targets], label)
    return build


def remove_old_bases(keep):
    """Removes all but the newest few built bases, which are a cache."""
    folders = sorted((CACHE / "base").glob("*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[BASES_KEPT:]:
        if folder != keep:
            shutil.rmtree(folder)


def build_base(commit):
    """Builds the base's plugin. Where the commit has none, nothing can be compared: exit 5."""
    if git("cat-file", "-e", f"{commit}:{PLUGIN_SOURCE}") is None:
        raise Failure(Exit.NOTHING_MEASURED, f"base {commit[:12]} has no plugin ({PLUGIN_SOURCE}): nothing to compare")
    folder = CACHE / "base" / commit
    unpack_commit(commit, folder / "src")
    os.utime(folder)
    build = compile_tree(folder, f"base {commit[:12]}", [PLUGIN])
    remove_old_bases(folder)
    return Tree("base", commit, False, build, build / PLUGIN_FILE, None)


def build_head():
    """Builds the working tree's plugin and harness."""
    folder = CACHE / "head" / "tree"
    (folder / "src").mkdir(parents=True, exist_ok=True)
    copy_working_tree(folder / "src")
    build = compile_tree(folder, "head", [PLUGIN, BENCH])
    dirty = bool(git("status", "--porcelain"))
    return Tree("head", git("rev-parse", "HEAD"), dirty, build, build / PLUGIN_FILE, build / BENCH_FILE)


def library(label, path, bench):
    """A side that was built elsewhere. A file that the harness can't load as a plugin is a usage error."""
    listed = subprocess.run([bench, "exact", "--list", f"--plugin={label}={Path(path).resolve()}"], capture_output=True, text=True)
    if listed.returncode == Exit.USAGE:
        raise common.usage_error(f"--{label}-plugin: {listed.stderr.strip().rpartition(f'{label}=')[2].partition(': ')[2]}")
    contents = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return Tree(label, contents[:12], False, None, Path(path).resolve(), Path(bench).resolve())


def place(plugin, label, folder):
    """Copies the library for this run. All paths have the same length, so that the label does not shift stack
    addresses, and two copies of one file are two mappings."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{label:_<5}.so"
    shutil.copy(plugin, target)
    return target


def _link_command(tree):
    """The linker's command line for the plugin, as words, from its build's folder."""
    commands = _run(["ninja", "-C", tree.build, "-t", "commands", PLUGIN], tree.label)
    last = next(line for line in reversed(commands.splitlines()) if f"-o {PLUGIN_FILE}" in line)
    words = shlex.split(last)
    return [word for word in words if word not in (":", "&&")]


def _objects(word, tree):
    """The object files that a word of the link command names: those of an archive of this build, or the word
    itself. (ninja lists them: an archive may have one name twice, and the build folder keeps the objects of
    sources that were since removed or moved to another target.)"""
    if not word.endswith(".a") or Path(word).is_absolute():
        return [word] if word.endswith(".o") else []
    inputs = _run(["ninja", "-C", tree.build, "-t", "query", word], tree.label).partition("outputs:")[0]
    return [path for path in inputs.split() if path.endswith(".o")]


def _padding(chooser, folder, number):
    """An object file with a random number of bytes of code that is never called."""
    source = folder / f"padding-{number}.s"
    source.write_text(f".text\n.skip {chooser.randrange(16, PADDING_MAX, 16)}, 0x90\n.section .note.GNU-stack\n")
    target = source.with_suffix(".o")
    _run(["cc", "-c", source, "-o", target], "padding")
    return str(target)


def relink(tree, seed, folder):
    """Links the tree's plugin again, with its objects in another order and padding between some of them; one
    that was not built here is only copied."""
    if not tree.build:
        return place(tree.plugin, tree.label, folder)
    chooser = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"{tree.label:_<5}.so"
    words, objects = [], []
    for word in _link_command(tree):
        found = _objects(word, tree)
        objects += found
        if not found:
            words.append(str(output) if word == str(PLUGIN_FILE) else word)
    objects = [*dict.fromkeys(objects), *(_padding(chooser, folder, number) for number in range(4))]
    chooser.shuffle(objects)
    at = words.index(str(output)) + 1
    done = subprocess.run([*words[:at], *objects, *words[at:]], cwd=tree.build, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(Exit.HARNESS, f"{tree.label} could not be linked again: {done.stderr[-2000:]}")
    return output
