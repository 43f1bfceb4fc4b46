"""What the README of the allocators says of tests, examples and names is so.

Between the marks "proofs" and "end" each line names what is ours and the tests that prove it: every name must
exist, and every allocator of the registry must be named. Its code is that of the examples, or compiled by
scripts/docs_test.py where a mark says so.
"""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
README = (HERE / "README.md").read_text(encoding="utf-8")
PROOFS = re.search(r"<!-- proofs -->\n(.*?)<!-- end -->", README, re.DOTALL).group(1)
LINES = [
    [cell.strip() for cell in line.strip("| ").split(" | ")] + [""]
    for line in PROOFS.splitlines()
    if line.startswith("| ") and not line.endswith("| proved by |")
]
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
HEADERS = "\n".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("**/include/heapyard/*.h")))
LISTED = re.findall(r"^HY_ROW\((\w+)\)$", (HERE / "rows.def").read_text(encoding="utf-8"), re.MULTILINE)
NOT_FOR_USE = re.compile(r"^floor_|_again$")


def proves(name, path):
    """Whether the file has a test, or is an example, of that name."""
    file = HERE / path
    if path.startswith("examples/"):
        return file.stem == name and file.is_file()
    return file.is_file() and re.search(rf"^static void {name}\(void \*\*|^def {name}\(|^{name}\(\) ->", file.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_what_is_claimed_is_proved(line):
    _, ours, proof = line[:3]
    links = LINK.findall(proof)
    assert links or ours == "not yet", "nothing proves it"
    for name, path in links:
        assert proves(name, path), f"{path} has no test {name}"


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_what_is_named_exists(line):
    for name in re.findall(r"`(\w+)`", line[1]):
        if name.lower().startswith("hy_"):
            assert re.search(rf"\b{name}\b", HEADERS), f"no public header has {name}"
        else:
            header = HERE / "include/heapyard" / f"{name}.h"
            assert name in LISTED or header.is_file(), f"there is no allocator {name}"


@pytest.mark.parametrize("name", [name for name in LISTED if not NOT_FOR_USE.search(name)])
def test_every_allocator_has_its_proof(name):
    assert any(f"`{name}`" in line[1] for line in LINES), f"no line of the table is about {name}"


@pytest.mark.parametrize("code", re.findall(r"(?<! -->\n)```c\n(.*?)```", README, re.DOTALL))
def test_the_code_is_an_examples(code):
    examples = [path.read_text(encoding="utf-8") for path in sorted((HERE / "examples").rglob("*.c"))]
    assert any(code in text for text in examples)


@pytest.mark.parametrize("path", sorted((HERE / "examples").rglob("*.c")), ids=lambda path: path.name)
def test_every_example_is_reached(path):
    assert f"({path.relative_to(HERE)})" in README, "no line of the README leads there"


@pytest.mark.parametrize("name", [name for name in LISTED if (HERE / f"include/heapyard/{name}.h").is_file()])
def test_every_header_tells_of_threads(name):
    text = (HERE / f"include/heapyard/{name}.h").read_text(encoding="utf-8")
    assert re.search(r"\bthread", text.split("*/", 1)[0], re.IGNORECASE), "nothing on top says whether threads may share it"


def test_an_own_allocator_is_as_short_as_promised():
    text = (HERE / "examples/own_allocator.c").read_text(encoding="utf-8")
    code = text[text.index("typedef struct stack") : text.index("int main")].rstrip().split("\n")
    assert f"{len(code)} lines. */" in text and len(code) <= 40
