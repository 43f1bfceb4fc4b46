"""What is wrong with the shape of JSON that was read from a file: an earlier run wrote it, but a disk, an editor or
another version may have changed it."""

import math


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e18


def is_count(value):
    return is_number(value) and isinstance(value, int) and value >= 0


def is_text(value):
    return isinstance(value, str)


def of(*kinds):
    """One of these."""
    return lambda value: any(kind(value) for kind in kinds)


def is_none(value):
    return value is None


def each(kind):
    """A list of such."""
    return lambda value: isinstance(value, list) and all(map(kind, value))


def by_name(kind):
    """Such values by names."""
    return lambda value: isinstance(value, dict) and all(map(is_text, value)) and all(map(kind, value.values()))


def fields(**kinds):
    """A dictionary with these fields, and others; a field whose kind takes None may be missing."""
    return lambda value: isinstance(value, dict) and all(kind(value.get(name)) for name, kind in kinds.items())


TEXT_OR_NONE = of(is_none, is_text)
COUNT_OR_NONE = of(is_none, is_count)
NUMBER_OR_NONE = of(is_none, is_number)
