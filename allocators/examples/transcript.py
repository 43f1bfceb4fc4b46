#!/usr/bin/python3
"""transcript: compares a program's output with the transcripts in its source's opening comment.

    transcript.py SOURCE PROGRAM

A transcript is a line "$ name argument …", which runs the program, and the expected output in the lines below
with the same indent: first standard output, then standard error. "[3]" at the end is an exit status other than
0, "[SIGABRT]" a signal. A line "..." matches any lines, "…" within a line any text.
Exit 0: the output is as expected; 1: it differs, or there is no transcript.
"""

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path


def runs(source):
    """The transcripts of a source's opening comment: pairs of arguments and expected lines."""
    comment = source.split("*/", 1)[0]
    found, indent = [], ""
    for line in comment.split("\n"):
        text = re.sub(r"^(/\*| \*)", "", line)
        command = re.match(r"(\s+)\$ (\S+.*)", text)
        if command:
            indent = command.group(1)
            found.append((shlex.split(command.group(2))[1:], []))
        elif indent and text.startswith(indent):
            found[-1][1].append(text[len(indent) :].rstrip())
        else:
            indent = ""
    return found


def pattern(expected):
    """The expected lines as a regular expression over the whole output."""
    parts = ["(?:[^\n]*\n)*" if line == "..." else re.escape(line).replace("…", "[^\n]*") + "\n" for line in expected]
    return re.compile("".join(parts))


def ending(status):
    """The last line of a transcript: the exit status or signal; empty for success."""
    if status == 0:
        return ""
    return f"[{signal.Signals(-status).name if status < 0 else status}]\n"


def differences(source, program):
    """The runs whose output differs from the source's transcripts: one text per run."""
    found = runs(source)
    if not found:
        return ["there is no transcript in the opening comment"]
    wrong = []
    for arguments, expected in found:
        ran = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)
        output = ran.stdout + ran.stderr + ending(ran.returncode)
        if not pattern(expected).fullmatch(output):
            wanted = "\n".join(expected)
            wrong.append(f"$ {Path(program).name} {shlex.join(arguments)}\n--- expected\n{wanted}\n--- printed\n{output}")
    return wrong


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    wrong = differences(Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2])
    print("\n".join(wrong) if wrong else "as written")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
