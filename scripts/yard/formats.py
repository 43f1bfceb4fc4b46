"""Numbers and names as people read them on the page."""

from yard.verdicts import figure


def brief(value):
    """A ratio in a sentence: 0.12, 0.088, 1.04."""
    if value >= 9.995:
        return figure(value)
    return f"{value:.2f}" if value >= 0.0995 else f"{value:.2g}"


def mebibytes(value):
    if value is None:
        return ""
    return f"{value / 2**20:.1f}" if value < 100 * 2**20 else f"{value / 2**20:.0f}"


def spoken(name):
    """A name of the registry in a sentence."""
    return name.replace("_", " ")


def extent(values):
    """"6", or "6 to 12" where the values differ."""
    return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"
