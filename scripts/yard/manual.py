#!/usr/bin/python3
"""A public header as Doxygen wants it: prints the file that it is given, comments turned into documentation.

The headers' comments are plain ones, and follow the house's conventions, which Doxygen can't know:
 - The first comment is about the file; a comment above a declaration or behind it is about that.
 - A comment also speaks for the declarations that follow without a blank line or a comment of their own; a
   blank line between two inline functions counts as none.
 - The functions of a vtable's slots, the vtable and the function that gives the two-word value keep the
   contract in allocator.h and need no words of their own.
"""

import re
import sys

SLOT = re.compile(r"\bhy_\w+(\(void \*self\b|_(alloc|resize|remap|free)\($)")
VTABLE = re.compile(r"\bconst hy_vtable hy_\w+_vtable\b")
VALUE = re.compile(r"\bhy_allocator hy_\w+_allocator\(")
CONVENTIONS = (
    (SLOT, "/** A function of the allocator's vtable: see hy_vtable. */"),
    (VTABLE, "/** What the allocator's two-word value points at: see hy_vtable. */"),
    (VALUE, "/** The allocator as a value to pass on: see hy_allocator. It lives no longer than what it is made of. */"),
)
TRAILING = re.compile(r"(\s*\S.*?)/\* ")
NEVER_ALONE = re.compile(r"#\s*(if|el|end|include|undef|error|pragma)|\s*(HY_BEGIN_DECLS|HY_END_DECLS|static_assert|_Static_assert)\b|[})]")


class Filter:
    """Goes through the lines once. depth: of braces; comment: what speaks for the next declaration."""

    def __init__(self):
        self.out = []
        self.depth = 0
        self.comment = []  # lines
        self.in_comment = False
        self.in_trailing = False
        self.in_declaration = False
        self.is_fresh = False  # the comment stands directly above
        self.after_body = False  # the last line ended a function's body

    def line(self, text):
        if self.in_comment or self.in_trailing:
            self._inside_comment(text)
        elif re.match(r"\s*/\*", text):
            self._begin_comment(text)
        elif not text.strip():
            self.comment, self.is_fresh = (self.comment if self.after_body else []), False
            self.out.append(text)
        else:
            self._code(text)

    def _inside_comment(self, text):
        if self.in_comment and self.depth == 0:
            self.comment.append(text)
        self.out.append(text)
        if "*/" in text:
            self.in_comment = self.in_trailing = False

    def _begin_comment(self, text):
        text = re.sub(r"^(\s*)/\*(?!\*)", r"\1/**", text)
        if self.depth == 0:
            self.comment, self.is_fresh, self.after_body = [text], True, False
        self.in_comment = "*/" not in text
        self.out.append(text)

    def _code(self, text):
        begins = self.depth == 0 and not self.in_declaration and not NEVER_ALONE.match(text)
        if begins and self.after_body and not text.startswith("HY_INLINE"):
            self.comment = []
        self.after_body = text == "}"
        match = TRAILING.match(text)
        if match and not text.rstrip().endswith("\\"):
            text = text[: match.end(1)] + "/**< " + text[match.end() :]
            self.in_trailing = "*/" not in text
        elif begins and not self.is_fresh:
            self.out += self._by_convention(text) or self.comment
        self.out.append(text)
        self.is_fresh = False
        code = re.sub(r"/\*.*", "", text).rstrip()
        if code.startswith("#"):
            self.in_declaration = code.endswith("\\")
            return
        self.depth += code.count("{") - code.count("}")
        self.in_declaration = self.depth > 0 or not code.endswith((";", "}", "_DECLS"))

    @staticmethod
    def _by_convention(text):
        return next(([words] for pattern, words in CONVENTIONS if pattern.search(text)), [])


def documented(text):
    """The header's text as Doxygen reads it."""
    text = re.sub(r"\A/\* \S+: ", "/** @file\n * ", text)
    head, _, rest = text.partition("*/\n") if text.startswith("/** @file") else ("", "", text)
    work = Filter()
    for line in rest.split("\n"):
        work.line(line)
    return (head + "*/\n" if head else "") + "\n".join(work.out)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as header:
        sys.stdout.write(documented(header.read()))
