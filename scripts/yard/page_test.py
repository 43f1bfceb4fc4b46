"""The page as text: complete without scripts, never a winner without an interval, nothing from elsewhere."""

import html.parser
import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import charts, fuzzing, looks, mutants, mutants_run, mutants_table, overnight, page, samples, stats, targets, verdicts, wasm  # noqa: E402
from yard.answer import answer  # noqa: E402
from yard.sections import SECTIONS, answers, table  # noqa: E402
from yard.testdata import synthetic  # noqa: E402
from yard.view import View  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return samples.load(synthetic.write(folder, row_count=30, processes=8, rounds=10))


@pytest.fixture(scope="module")
def text(run):
    return page.render(run)


class Seen(html.parser.HTMLParser):
    """Collects elements with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def section(run, name):
    """One section of the page."""
    return page.body(View(run), next(section for section in SECTIONS if section.name == name))


def said(run, verdict, macro="sentence(it)"):
    """A verdict as the page says it."""
    view = View(run)
    source = '{% from "macros.html" import sentence, tie with context %}{{ ' + macro + " }}"
    template = page.environment().from_string(source)
    return plain(template.render(it=answer(verdict), looks=view.looks, reference="libc"))


def standing(run, name, median, width=0.01):
    return verdicts.Standing(run.rows[name], stats.Estimate(median, median - width, median + width, 9), 1)


def plain(text):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text)).replace("&nbsp;", " ")


def test_a_section_is_a_line_a_function_and_a_template():
    names = [section.name for section in SECTIONS]
    functions = Path(answers.__file__).parent.glob("*.py")
    assert sorted(names) == sorted(path.stem for path in functions if path.stem != "__init__")
    assert sorted(names) == sorted(path.stem for path in (page.TEMPLATES / "sections").iterdir())


def test_what_comforts_cost_is_held_to_its_bound(run):
    told = plain(section(run, "overheads"))
    assert re.search(r"ambient, over doing without ?one call ?2\.\d\d \[.*?\] ?0\.30 \[0\.30, 0\.30\] ?1\.5, holds", told)
    assert re.search(r"handle, over doing without.*\] ?1\.20 \[1\.20, 1\.20\] ?1\.0, does not hold", told)
    assert re.search(r"defer, over doing without.*\] ?0\.00 \[0\.00, 0\.00\] ?—", told)


def test_nothing_is_loaded_from_elsewhere(text):
    for tag, attrs in Seen(text).tags:
        for name in ("src", "href", "data", "action"):
            assert attrs.get(name, "#")[:1] == "#" or attrs[name].startswith("data:"), (tag, attrs)
    assert "@import" not in text and "url(" not in text


def test_every_link_has_its_target(text):
    tags = Seen(text).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids)), "an id stands twice"
    links = [attrs.get("href", "") for tag, attrs in tags if tag in ("a", "use")]
    wanted = {link[1:] for link in links if link.startswith("#")}
    assert wanted <= set(ids)


def test_charts_have_words(text):
    charts_seen = [attrs for tag, attrs in Seen(text).tags if tag == "svg" and attrs.get("role") == "img"]
    assert len(charts_seen) > 5 and all(len(attrs["aria-label"]) > 60 for attrs in charts_seen)


def test_winner_is_the_one_that_leads(run, text):
    for cells in ([cell] for cell in run.cells.values()):
        verdict = verdicts.verdict(run, cells)
        assert verdict.leaders and not any(leader.row.floor or leader.row.twin for leader in verdict.leaders)
        best = verdict.leaders[0].ratio
        assert all(leader.ratio.lo <= best.hi for leader in verdict.leaders)
        others = [entry for entry in verdicts.standings(run, cells) if verdicts.candidate(entry.row)]
        assert all(entry.ratio.lo > best.hi for entry in others if entry not in verdict.leaders)


def test_no_winner_without_an_interval(tmp_path):
    run = samples.load(synthetic.write(tmp_path, row_count=15, cell_count=3, processes=4, rounds=5))
    text = plain(section(run, "answers"))
    assert "no winner is named" in text and "×" not in text
    cells = [cell for row in table.data(View(run))["rows"] for cell in row.cells]
    assert cells and not any("b" in cell.css.split() for cell in cells)
    assert not re.search(r'class="b[ "]', section(run, "table"))


def test_touching_intervals_are_no_clear_difference(run):
    names = [row.name for row in run.chosen() if not row.base and row.name != "libc"]
    near = [standing(run, name, median, 0.02) for name, median in zip(names, (0.50, 0.53, 0.60))]
    found = verdicts.leaders(near)
    assert [leader.ratio.median for leader in found] == [0.50, 0.53]
    text = said(run, verdicts.Verdict(found, [], [], [], ""), "tie(it.best, true)")
    one, other = "0.50 × libc [0.48, 0.52]", "0.53 × libc [0.51, 0.55]"
    assert text == f"no clear difference between {names[0]}, {one} and {names[1]}, {other}"


def test_more_than_three_without_a_clear_difference_are_counted(run):
    names = [row.name for row in run.chosen() if not row.base and row.name != "libc"][:5]
    verdict = verdicts.Verdict([standing(run, name, 0.5) for name in names], [], [], [], "")
    shown = "; ".join(f"{name}, 0.50 × libc [0.49, 0.51]" for name in names[:3])
    assert said(run, verdict, "tie(it.best, true)") == f"no clear difference between {shown} and 2 more"
    shown = "; ".join(f"{name}, 0.50 ×" for name in names[:3])
    assert said(run, verdict, "tie(it.best, false)") == f"{shown}; or 2 more"


def test_one_sentence_a_workload(run):
    view = View(run)
    uses = answers.data(view)["uses"]
    assert [use.workload for use in uses] == list(view.works)
    text = section(run, "answers")
    assert text.count("<dt>") == len(view.works)
    assert "with 2 threads: " in plain(text)


def test_sentence_names_the_best_and_the_best_for_general_purpose(run):
    arena = [standing(run, "arena", 0.12)]
    verdict = verdicts.Verdict(arena, arena, [standing(run, "jemalloc", 0.61)], [], "")
    expected = "arena, 0.12 × libc [0.11, 0.13]; best general-purpose: jemalloc, 0.61 ×"
    assert said(run, verdict) == expected


def test_other_forms_of_a_leader_are_no_rivals(run):
    leaders = [standing(run, name, 0.6) for name in ("jemalloc", "jemalloc_sized")]
    verdict = verdicts.Verdict(leaders, [], leaders, [], "")
    assert said(run, verdict) == "jemalloc (or jemalloc_sized), 0.60 × libc [0.59, 0.61]"


def test_failed_cells_and_missing_rows_are_told(run, text):
    failure = next(failure for cell in run.cells.values() for failure in cell.failures.values())
    assert failure["command"] in text.replace("&#39;", "'")
    missing = run.missing()[0]
    assert f"<td>{missing.missing}" in text and ">failed</a>" in text


def test_unfinished_run_says_so(tmp_path):
    folder = synthetic.write(tmp_path, row_count=12, cell_count=4, processes=6, rounds=5, finished=False)
    run = samples.load(folder)
    assert "This run is not finished." in page.render(run)


def test_empty_run_still_makes_a_page(tmp_path):
    folder = synthetic.write(tmp_path, row_count=5, cell_count=2, processes=6, rounds=5, finished=False)
    (folder / "samples.ndjson").write_text("")
    assert "nothing to compare with" in page.render(samples.load(folder))


def test_targets_of_the_same_commit_are_shown(run, tmp_path, monkeypatch):
    cell = targets.Cell("pair", "size=64")
    target = targets.Target("ours", cell, "floor", cell, 1.1, "<so>", "below")
    short = targets.Outcome(target, stats.Estimate(1.25, 1.2, 1.3, 9))
    monkeypatch.setattr(targets, "RECORD", tmp_path / "targets.json")
    monkeypatch.setattr(targets.context, "git", lambda *arguments: run.context["commit"])
    targets.keep([short])
    shown = page.render(run)
    assert "What our own must reach" in shown and "0 of 1 held" in shown
    assert "ours beyond below" in shown and "&lt;so&gt;" in shown
    assert "1.25 [1.20, 1.30] × floor" in plain(shown)
    monkeypatch.setattr(targets.context, "git", lambda *arguments: "another")
    targets.keep([short])
    assert "What our own must reach" not in page.render(run)


def test_full_size_page_is_at_most_a_megabyte(tmp_path):
    run = samples.load(synthetic.write(tmp_path, row_count=50, cell_count=40, processes=12, rounds=5))
    assert page.write(run).stat().st_size <= page.LIMIT_BYTES


def test_page_above_the_limit_loses_points_of_its_memory_curves(run, monkeypatch):
    whole, less, least = (len(page.render(run, detail).encode()) for detail in (1, *page.LESS_DETAIL))
    assert whole > less > least
    for limit, size in ((whole, whole), (whole - 1, less), (less - 1, least)):
        monkeypatch.setattr(page, "LIMIT_BYTES", limit)
        assert page.write(run).stat().st_size == size


def test_data_of_the_script_is_the_runs(run, text):
    pattern = r'<script type="application/json" id="data">(.*?)</script>'
    data = json.loads(re.search(pattern, text, re.S).group(1))
    assert [row[0] for row in data["rows"]] == [row.name for row in run.chosen()]
    assert len(data["cells"]) == len(run.cells)


def test_names_with_markup_stay_text(tmp_path):
    folder = synthetic.write(tmp_path, row_count=4, cell_count=1, processes=6, rounds=5)
    context = json.loads((folder / "run.json").read_text())
    for row in context["rows"]:
        row["summary"] = "</script><script>alert(1)</script>"
    context["machine"] = "</script><script>alert(1)</script>"
    context["workloads"][0]["summary"] = "<b onclick=x>"
    (folder / "run.json").write_text(json.dumps(context))
    text = page.render(samples.load(folder))
    assert "alert(1)</script>" not in text and "<b onclick" not in text


@pytest.mark.parametrize("values", [[0.1, 40], [0.98, 1.03], [1e-3, 1e3], [1.0], []])
def test_axis_shows_one_and_few_ticks(values):
    axis = charts.Axis(values, always=1)
    ticks = axis.ticks(6)
    assert 1 in [value for _, value in ticks] and len(ticks) <= 7
    assert all(0 <= axis.at(value) <= 100 for value in [*values, 1])


def test_linear_axis_begins_at_zero():
    axis = charts.Axis([0, 37.2], log=False)
    assert axis.at(0) == 0 and axis.ticks()[0] == (0, 0) and 3 <= len(axis.ticks()) <= 7


def test_labels_keep_apart():
    places = charts.spread([10, 11, 12, 90, 91], 14, 100)
    assert all(b - a >= 13.99 for a, b in zip(places, places[1:])) and max(places) <= 100
    labels = charts.place_labels([(50, 50, "one"), (52, 50, "two"), (300, 50, "three")], 400, 100)
    assert labels[0] and labels[0] != labels[1]


def test_one_look_an_allocator(run):
    assigned = looks.assign(run.chosen(), "libc")
    assert len({look.css for look in assigned.values()}) == len(assigned)
    assert assigned["jemalloc_sized"].colour == assigned["jemalloc"].colour
    assert assigned["jemalloc_sized"].hollow
    assert assigned["arena"].shape != assigned["jemalloc"].shape
    general = [look for name, look in assigned.items() if look.colour < looks.HUES and not look.hollow]
    assert len({(look.colour, look.shape) for look in general}) == len(general)


def contrast(one, other):
    def light(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        parts = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_stand_out_in_both_themes(theme):
    style = (page.TEMPLATES / "page.css").read_text()
    colours = dict(re.findall(r"--(\w+):(#[0-9a-f]+)", style.split(f"set {theme}")[1].split("endset")[0]))
    for name, colour in colours.items():
        if re.fullmatch(r"c\d|mute|accent|fg", name):
            assert contrast(colour, colours["bg"]) >= 4.5, name
        if re.fullmatch(r"[mp]\d", name):
            assert contrast(colour, colours["fg"]) >= 4.5, name


def hunt(folder, monkeypatch):
    """A long hunt's state and course, the last line of which was cut by a kill."""
    monkeypatch.setattr(fuzzing, "OUT", folder)
    tally = overnight.new_tally() | {"executions": 700, "afl_executions": 34, "edges": 90, "findings": [["a/b", "overlap <here>"]]}
    overnight.save_state(overnight.fresh_state(8) | {"used_seconds": 7200.0, "cells": {"conform arena": tally}})
    lines = [f"{second},conform arena,10,{100 * i},5,50,10,{30 * i},20,3,0" for i, second in enumerate((10, 20, 30))]
    overnight.progress_path().write_text("\n".join([",".join(overnight.PROGRESS_FIELDS), *lines, "40,conf"]))


def test_a_long_hunt_is_a_section(run, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzzing, "OUT", tmp_path / "nothing")
    assert "No long hunt has run here" in plain(section(run, "fuzzing"))
    hunt(tmp_path, monkeypatch)
    text = section(run, "fuzzing")
    assert text.count("<polyline") == 2 and "overlap &lt;here&gt;" in text
    assert "2.0 of 8 hours so far, 734 executions" in plain(text) and "1 finding" in plain(text)


def planted(name, class_, **more):
    return mutants.Mutant(name, "a.c", "x", "y", "glibc 1", ["arena"], "model", class_=class_, **more)


def test_planted_bugs_are_a_section(run, tmp_path, monkeypatch):
    monkeypatch.setattr(mutants_table, "MATRIX", tmp_path / "none.csv")
    assert "Nothing was measured here" in plain(section(run, "mutants"))
    entries = [planted("found", "bounds"), planted("left", "bounds"), planted("same", "leak", equivalent="for a reason"), planted("not_run", "leak")]
    outcomes = [
        mutants_run.Outcome("found", entries[0].digest, "corpus", killed=True, oracle="model", seconds=0.5, executions=1234),
        mutants_run.Outcome("found", entries[0].digest, mutants_run.ALONE, without="model"),
        mutants_run.Outcome("left", entries[1].digest, "corpus"),
        mutants_run.Outcome("left", entries[1].digest, "fuzz", seed=1),
        mutants_run.Outcome("same", entries[2].digest, "corpus"),
    ]
    monkeypatch.setattr(mutants_table, "MATRIX", tmp_path / "matrix.csv")
    mutants_table.write_matrix(entries, mutants_run.known(outcomes, entries), mutants_table.MATRIX)
    with open(mutants_table.MATRIX, "a") as out:
        out.write("cut,bou")
    text = plain(section(run, "mutants"))
    assert "3 bugs" in text and "corpus alone finds 1 of 3" in text and "0 of 1" in text and "1 survives; of 1 nobody" in text
    assert "equivalent: for a reason" in text
    assert "model, 0.5 s, 1,234 runs" in text and "not_run" not in text
    assert "model110" in text  # told first, nobody else, by fuzzing
    assert text.index("leftbounds") < text.index("foundbounds")


def test_webassembly_is_a_section(tmp_path):
    folder = synthetic.write(tmp_path, row_count=8, processes=7, rounds=5)
    assert "Not measured in this run" in plain(section(samples.load(folder), "wasm"))
    lines = [["same_size", name, number, ns, 2**20] for number in range(8) for name, ns in (("wasm", 8.0), (wasm.REFERENCE, 10.0))]
    raw = {"processes": [lines] * 7, "sizes": {"wasm": 3456, wasm.REFERENCE: 12345}, "versions": {"node": "v20.1"}}
    (folder / wasm.RAW).write_text(json.dumps(raw))
    text = plain(section(samples.load(folder), "wasm"))
    assert "Node v20.1" in text and "3,456 bytes" in text and "12,345" in text
    assert "same size" in text and "8.0 ns" in text and "0.80 [0.80, 0.80]" in text and "8.0 MiB" in text
