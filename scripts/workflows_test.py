"""The workflows on GitHub are YAML that says what it should, and call verbs, scripts and variables that exist."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
VERBS = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE).group(1).replace("\\\n", " ").split()


def steps(path):
    """The steps of every job: (name, step)."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [(job, step) for job, content in workflow["jobs"].items() for step in content["steps"]]


def commands():
    """Every line of shell that a workflow runs."""
    return [line for path in WORKFLOWS for _, step in steps(path) for line in step.get("run", "").splitlines()]


def test_there_are_workflows():
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "nightly.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_job_runs_somewhere_and_ends(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as true.
    assert set(workflow) >= {"name", True, "permissions", "jobs"}
    for job in workflow["jobs"].values():
        assert job["runs-on"] and job["container"]["image"] == "debian:12"
        assert 0 < job["timeout-minutes"] <= 360
        assert any(step.get("uses", "").startswith("actions/checkout@") for step in job["steps"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_step_is_one_thing(path):
    for _, step in steps(path):
        assert ("run" in step) != ("uses" in step)
        if "run" in step:
            assert subprocess.run(["bash", "-n"], input=step["run"], text=True, check=False).returncode == 0
        else:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])


def test_what_they_call_exists():
    called = [word for line in commands() for word in re.findall(r"(?:^|\s)((?:scripts|\.ci)/[\w-]+)", line)]
    assert called
    assert [name for name in called if not os.access(ROOT / name, os.X_OK)] == []
    verbs = [(verb, line) for line in commands() for verb in re.findall(r"(?:^|&& )make ([a-z-]+)", line)]
    verbs += [(verb, line) for line in commands() for verb in re.findall(r"scripts/bootstrap ([a-z-]+)", line)]
    assert verbs
    assert [line for verb, line in verbs if verb not in VERBS] == []


def test_the_variables_they_set_are_read():
    given = [name for line in commands() if "make " in line for name in re.findall(r"\b([A-Z]+)=", line)]
    assert given
    assert [name for name in given if f"({name})" not in MAKEFILE and f"flag,{name}," not in MAKEFILE] == []
