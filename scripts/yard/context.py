"""The context of a result besides the code: machine, kernel, compiler, flags, versions, load, pressure."""

import hashlib
import os
import platform
import re
import subprocess
from pathlib import Path

from yard import common


def first_match(path, pattern, default=None):
    """The first group of the pattern's first match in a text file; `default` without a match or file."""
    try:
        found = re.search(pattern, Path(path).read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return default
    return found.group(1).strip() if found else default


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=common.ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def load():
    return [round(value, 2) for value in os.getloadavg()]


def pressure():
    """Pressure stall information: percent of the last minute in which some task waited; None where the kernel
    does not provide it."""
    return {
        name: float(share) if (share := first_match(f"/proc/pressure/{name}", r"^some .*avg60=([0-9.]+)")) else None
        for name in ("cpu", "memory", "io")
    }


def memory_bytes():
    kib = first_match("/proc/meminfo", r"^MemTotal:\s+(\d+)")
    return int(kib) * 1024 if kib else None


def memory_available_bytes():
    kib = first_match("/proc/meminfo", r"^MemAvailable:\s+(\d+)")
    return int(kib) * 1024 if kib else 1 << 30


def machine():
    """A name for the machine that is the same for every run on it."""
    identity = first_match("/etc/machine-id", r"^(\w+)", platform.node())
    return f"{platform.node() or 'unnamed'} ({hashlib.sha256(identity.encode()).hexdigest()[:8]})"


def system():
    return first_match("/etc/os-release", r'^PRETTY_NAME="?([^"\n]+)"?', platform.system())


def compiler(cache):
    command = first_match(cache, r"^CMAKE_C_COMPILER:\w+=(.+)$")
    if not command:
        return None
    done = subprocess.run([command, "--version"], capture_output=True, text=True)
    return done.stdout.splitlines()[0] if done.stdout else command


def flags(cache):
    build_type = first_match(cache, r"^CMAKE_BUILD_TYPE:\w+=(.*)$", "")
    parts = [first_match(cache, r"^CMAKE_C_FLAGS:\w+=(.*)$", "")]
    parts.append(first_match(cache, rf"^CMAKE_C_FLAGS_{build_type.upper()}:\w+=(.*)$", ""))
    return " ".join(part for part in parts if part)


def versions(listing):
    """The versions that the peers report, and that of the C library."""
    found = {row["name"]: row["version"] for row in listing["rows"] if row.get("version")}
    found["libc"] = os.confstr("CS_GNU_LIBC_VERSION")
    return found


def describe(listing, build):
    """The part of run.json that describes machine and build; build: the folder of the build."""
    cache = Path(build) / "CMakeCache.txt"
    level = first_match(cache, r"^HY_CHECK_LEVEL:\w+=(\d)")
    return {
        "commit": git("rev-parse", "HEAD"),
        "dirty": bool(git("status", "--porcelain")),
        "machine": machine(),
        "system": system(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": first_match("/proc/cpuinfo", r"^model name\s*:\s*(.+)$", platform.machine()),
        "cores": os.cpu_count(),
        "memory_bytes": memory_bytes(),
        "compiler": compiler(cache),
        "flags": flags(cache),
        "check_level": int(level) if level else None,
        "versions": versions(listing),
        "load": {"before": load(), "after": None},
        "pressure": {"before": pressure(), "after": None},
    }
