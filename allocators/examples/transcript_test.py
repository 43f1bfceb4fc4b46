"""A matching transcript passes; one that differs in a word, a line or the exit status does not."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import transcript  # noqa: E402

PROGRAM = "#!/bin/sh\necho one $1\necho two >&2\nexit $2\n"


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "say"
    path.write_text(PROGRAM)
    path.chmod(0o755)
    return str(path)


def source(*lines):
    return "/* say.c: says it.\n *\n" + "".join(f" *   {line}\n" for line in lines) + " */\nint main(void);\n"


@pytest.mark.parametrize(
    "lines",
    [
        ("$ say x 0", "one x", "two"),
        ("$ say 'x  y' 3", "one x y", "two", "[3]"),
        ("$ say x 0", "one …", "..."),
        ("$ say a 0", "one a", "two", "$ say b 0", "one b", "two"),
    ],
)
def test_a_matching_transcript_passes(program, lines):
    assert transcript.differences(source(*lines), program) == []


@pytest.mark.parametrize(
    "lines",
    [
        ("$ say x 0", "one y", "two"),
        ("$ say x 0", "one x"),
        ("$ say x 0", "two", "one x"),
        ("$ say x 3", "one x", "two"),
        ("$ say x 0", "one x", "two", "[3]"),
        ("no run at all",),
    ],
)
def test_a_difference_is_reported(program, lines):
    assert len(transcript.differences(source(*lines), program)) == 1


def test_a_signal_has_its_name(tmp_path):
    path = tmp_path / "die"
    path.write_text("#!/bin/sh\nkill -ABRT $$\n")
    path.chmod(0o755)
    assert transcript.differences(source("$ die", "[SIGABRT]"), str(path)) == []
