"""The page that people look at: a run as one self-contained HTML file.

Everything is there without scripts: sentences, tables, charts. The script at the end of the page only
re-computes against another reference, sorts, filters and copies. What a section shows is made by its
function (sections/) from what they share (view.py); how it looks is in reports/templates/.
"""

import functools

import jinja2
from markupsafe import Markup

from yard import charts, common, formats, script_data
from yard.sections import SECTIONS
from yard.verdicts import figure
from yard.view import REFERENCE, View

TEMPLATES = common.ROOT / "reports" / "templates"
LIMIT_BYTES = 1_000_000
# How much detail is left to memory curves where the page would be larger than that.
LESS_DETAIL = (0.4, 0.1)

FILTERS = {
    "brief": formats.brief,
    "figure": figure,
    "mebibytes": formats.mebibytes,
    "path": charts.path,
    "percent": charts.percent,
    "spoken": formats.spoken,
}


@functools.lru_cache(maxsize=1)
def environment():
    """The templates, with the filters that they use."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.filters.update(FILTERS)
    found.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return found


def show(template, view, **data):
    """A template with its data and what all templates know."""
    text = environment().get_template(template).render(looks=view.looks, reference=REFERENCE, **data)
    return Markup(text)


def body(view, section):
    return show(f"sections/{section.name}.html", view, **section.data(view))


def progress(view):
    """How many numbers of time are there of those planned."""
    planned = sum(len(cell.rows or []) for cell in view.cells)
    return sum(len(cell.measured("throughput") & set(cell.rows or [])) for cell in view.cells), planned


def render(run, detail=1.0):
    view = View(run, detail)
    text = show(
        "page.html",
        view,
        allocators=len(view.rows),
        day=(run.context.get("started") or "")[:10],
        css=show("page.css", view),
        js=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
        finished=run.finished,
        progress=progress(view),
        check_level=run.context.get("check_level") or 0,
        failed=len(view.failures()),
        sections=[(section, body(view, section)) for section in SECTIONS],
        folder=run.folder.name,
        data=script_data.data(view),
    )
    return str(text)


def write(run):
    """Writes index.html into the run's folder and returns its path. A page above the limit is made
    again with fewer points in its memory curves, which is where size goes that nobody sees."""
    text = render(run)
    for detail in LESS_DETAIL:
        if len(text.encode()) <= LIMIT_BYTES:
            break
        text = render(run, detail)
    path = run.folder / "index.html"
    with common.atomic_write(path) as out:
        out.write(text)
    return path
