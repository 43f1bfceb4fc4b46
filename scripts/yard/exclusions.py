"""What coverage does not count of allocators/, and why: for the tests' coverage and the fuzzers'."""

# The folders and files of allocators/ that are not counted: a regular expression over paths, and why.
FILES = [
    (r".*_test\.c", "tests: they are what counts the others"),
    (r".*/testdata/", "what the tests read and load"),
    (r"allocators/conformance/dies\.h", "a helper of tests, whose failures are its other branches"),
    (r"allocators/strategies/strict_child\.h", "a helper of tests"),
    (r"allocators/history/sample_history\.h", "a helper of tests"),
    (r"allocators/trace/recorder/exercise\.c", "a program for tests to record"),
    (r"allocators/examples/", "programs that show the use; tests compare what they print"),
    (r"allocators/outside/", "the project that tests build outside this tree"),
]  # fmt: skip

# Lines that are not counted: a regular expression over the whole line, and why.
LINES = []

# Lines whose branches are not counted (the lines themselves are).
BRANCHES = [
    (r".*\bHY_ASSERT\(.*", "facts about our own structures: that one is false is a bug, for which there is no test"),
    (r".*\bHY_ASSUME\(.*", "promises to the optimiser, which nobody looks at again"),
    (r".*\bHY_EXPECT\(.*", "the conformance suite's checks: every row passes; broken_test shows on broken rows that they fail"),
]
