"""The table of mutants, the copy of the sources that holds them, and what is made of their measurements."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import common, mutants, mutants_run, mutants_table, mutants_tree

SOURCE = "int half(int n) {\n    if (n < 0) return 0;\n    n = n / 2;\n    return n + 1;\n}\n"
PROGRAM = '#include <stdio.h>\nint half(int n);\nint main(void) {\n    printf("%d %d\\n", half(-3), half(8));\n    return 0;\n}\n'
ENTRY = """
[[mutant]]
id = '{id}'
file = 'allocators/half.c'
find = '{find}'
replace = '{replace}'
kind = '{kind}'
class = 'rounding'
models = 'mechanical'
rows = ['arena']
oracle = 'model'
"""


def entry(name, find, replace, kind="expression"):
    return ENTRY.format(id=name, find=find, replace=replace, kind=kind)


@pytest.fixture
def root(tmp_path):
    """A small checkout with one source file and three mutants, one within another."""
    root = tmp_path / "root"
    for folder in ("allocators/include/heapyard", "fuzz/mutants"):
        (root / folder).mkdir(parents=True)
    (root / "allocators/half.c").write_text(SOURCE)
    (root / "allocators/main.c").write_text(PROGRAM)
    (root / "allocators/rows.def").write_text("HY_ROW(arena)\n")
    (root / "fuzz/properties.def").write_text("HY_PROPERTY(conform)\n")
    (root / "fuzz/oracles.def").write_text("HY_ORACLE(model)\n")
    (root / "fuzz/mutants/half.toml").write_text(
        entry("statement_gone", "n = n / 2;", "", "statement") + entry("not_halved", "n / 2", "n") + entry("quartered", "n / 2", "n / 4")
    )
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def add(root, text):
    with open(root / "fuzz/mutants/half.toml", "a") as table:
        table.write(text)


def refusal(root):
    with pytest.raises(common.Failure) as caught:
        mutants_tree.check(mutants.read(root), root)
    assert caught.value.code == common.Exit.USAGE
    return str(caught.value)


def run_half(tree, number):
    program = tree / "program"
    sources = [tree / "allocators" / name for name in ("half.c", "main.c")]
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", f"-I{tree}/allocators/include", "-o", program, *sources], check=True)
    return subprocess.run([program], env={"HEAPYARD_MUTANT": str(number)}, capture_output=True, text=True, check=True).stdout.split()


def test_one_build_holds_them_all_and_the_number_chooses(root, tmp_path):
    chosen = {mutant.id: mutant.number for mutant in mutants.read(root)}
    tree = tmp_path / "tree"
    mutants_tree.make(mutants.read(root), root, tree)
    assert run_half(tree, 0) == ["0", "5"]
    assert run_half(tree, chosen["statement_gone"]) == ["0", "9"]
    assert run_half(tree, chosen["not_halved"]) == ["0", "9"]
    assert run_half(tree, chosen["quartered"]) == ["0", "3"]
    assert (root / "allocators/half.c").read_text() == SOURCE


def test_only_what_changed_is_written_again(root, tmp_path):
    tree = tmp_path / "tree"
    assert "allocators/half.c" in mutants_tree.make(mutants.read(root), root, tree)
    before = (tree / "allocators/half.c").stat().st_mtime_ns
    assert mutants_tree.make(mutants.read(root), root, tree) == []
    add(root, entry("one_more", "n + 1", "n + 2"))
    assert mutants_tree.make(mutants.read(root), root, tree) == ["allocators/half.c", "fuzz/mutants/half.toml"]
    assert (tree / "allocators/half.c").stat().st_mtime_ns != before


def test_a_file_that_went_leaves_the_copy_and_builds_stay(root, tmp_path):
    tree = tmp_path / "tree"
    mutants_tree.make(mutants.read(root), root, tree)
    (tree / "build").mkdir()
    (tree / "build/object").write_text("")
    (root / "allocators/main.c").unlink()
    assert mutants_tree.make(mutants.read(root), root, tree) == ["allocators/main.c"]
    assert (tree / "build/object").exists() and not (tree / "allocators/main.c").exists()


def test_numbers_stay_when_others_are_added(root):
    before = {mutant.id: mutant.number for mutant in mutants.read(root)}
    (root / "fuzz/mutants/aaa.toml").write_text(entry("first", "n + 1", "n"))
    after = {mutant.id: mutant.number for mutant in mutants.read(root)}
    assert before.items() < after.items()


def test_a_text_that_does_not_stand_once_names_its_entry(root):
    add(root, entry("twice", "return", "break"))
    assert "half.toml: twice: its find stands 2 times in allocators/half.c" in refusal(root)


def test_a_text_that_is_not_there_names_its_entry(root):
    add(root, entry("gone", "n * 3", "n"))
    assert "gone: its find stands 0 times" in refusal(root)


def test_texts_that_lap_over_each_other_are_refused(root):
    add(root, entry("laps", "/ 2;", "/ 4;"))
    assert "laps over" in refusal(root)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (entry("Big", "n + 1", "n"), "an id is of a-z"),
        (entry("quartered", "n + 1", "n"), "the name is taken"),
        (entry("same", "n + 1", "n + 1"), "replace is what find is"),
        (entry("kind", "n + 1", "n", "macro"), "kind must be one of"),
        (entry("class", "n + 1", "n").replace("rounding", "colour"), "no class colour"),
        (entry("more", "n + 1", "n") + "colour = 'red'\n", "no such key: colour"),
        (entry("less", "n + 1", "n").replace("oracle = 'model'\n", ""), "less: no oracle"),
        (entry("rows", "n + 1", "n").replace("['arena']", "'arena'"), "rows must be a list"),
        (entry("why", "n + 1", "n") + "equivalent = 'a'\nunseen = 'b'\n", "equivalent and unseen exclude each other"),
        ("[[mutant]]\nid = ", "half.toml: "),
        (entry("file", "n + 1", "n").replace("half.c", "none.c"), "no such file: allocators/none.c"),
    ],
)
def test_a_wrong_entry_is_one_line_that_names_it(root, text, said):
    add(root, text)
    told = refusal(root)
    assert said in told and "\n" not in told


def test_a_row_that_does_not_exist_is_refused(root):
    add(root, entry("row", "n + 1", "n").replace("'arena'", "'arean'"))
    with pytest.raises(common.Failure, match="row: no row or property arean"):
        mutants.check_names(mutants.read(root), root)


def test_an_oracle_that_does_not_exist_is_refused(root):
    add(root, entry("who", "n + 1", "n").replace("'model'", "'modle'"))
    with pytest.raises(common.Failure, match="who: no oracle modle; there are asan, check"):
        mutants.check_names(mutants.read(root), root)


def test_a_pattern_chooses_by_id_class_or_table(root):
    everything = mutants.read(root)
    assert [m.id for m in mutants.choose(everything, "quart*")] == ["quartered"]
    assert mutants.choose(everything, "rounding") == mutants.choose(everything, "half") == everything
    with pytest.raises(common.Failure, match="no mutant nothing"):
        mutants.choose(everything, "nothing")


@pytest.mark.parametrize(
    ("said", "oracle"),
    [
        ("finding: overlap: block 3 lies on block 1 (row arena, operation 17 resize)", "overlap"),
        ("FOUND conform on arena in x\n  finding: refusal: it was served", "refusal"),
        ("==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x1", "asan"),
        ("a.c:3:4: runtime error: member access within misaligned address", "ubsan"),
        ("WARNING: ThreadSanitizer: data race (pid=7)", "race"),
        ("heapyard: hy_free: 0x0 must be a block of this arena", "check"),
        ("ALARM: x\n==1== ERROR: libFuzzer: timeout after 10 seconds", "hang"),
        ("==1== ERROR: libFuzzer: deadly signal", "crash"),
        ("executions 40, operations 1000, findings 0", ""),
    ],
)
def test_who_told_is_read_from_the_words(said, oracle):
    assert mutants_run.oracle_of(said)[0] == oracle


def outcome(mutant, way="corpus", killed=True, seed=0, limit=0.0, seconds=0.5):
    return mutants_run.Outcome(mutant.id, mutant.digest, way, seed, limit, killed, "model" if killed else "", "conform arena", "", seconds, 10)


def test_results_last_until_the_mutant_changes_and_a_cut_line_does_no_harm(root, tmp_path):
    first, second, third = mutants.read(root)
    path = tmp_path / "results.jsonl"
    for one in (first, second):
        mutants_run.append_result(outcome(one), path)
    with open(path, "a") as out:
        out.write('{"mutant": "thi')
    changed = dataclasses.replace(second, replace="n * 7")
    known = mutants_run.known(mutants_run.read_results(path), [first, changed, third])
    assert list(known) == [(first.id, "corpus", 0)]


def test_a_result_behind_a_cut_line_is_kept(root, tmp_path):
    first, second, _ = mutants.read(root)
    path = tmp_path / "results.jsonl"
    path.write_text('{"mutant": "thi')
    mutants_run.append_result(outcome(second), path)
    assert [one.mutant for one in mutants_run.read_results(path)] == [second.id]


def test_a_survivor_of_a_shorter_hunt_is_hunted_again(root):
    mutant = mutants.read(root)[0]
    assert not mutants_run.is_done(None, 1)
    assert not mutants_run.is_done(outcome(mutant, "fuzz", killed=False, limit=10), 60)
    assert mutants_run.is_done(outcome(mutant, "fuzz", killed=False, limit=60), 60)
    assert mutants_run.is_done(outcome(mutant, "fuzz", killed=True, limit=10), 60)


def test_a_survivor_is_measured_again_when_what_looks_for_it_changed(root):
    mutant = mutants.read(root)[0]
    lives, dead = (dataclasses.replace(outcome(mutant, killed=killed), yard="before") for killed in (False, True))
    assert mutants_run.is_done(lives, 0, "before") and not mutants_run.is_done(lives, 0, "now")
    assert mutants_run.is_done(dead, 0, "now")
    assert not mutants_run.is_done(dead, 0, "now", "model")


def test_the_digest_of_what_looks_follows_the_corpus_and_the_fuzzer(root, tmp_path):
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    (root / "fuzz/model.c").write_text("int a;")
    seen = {mutants_run.yard_digest(seeds, root)}
    (seeds / "one").write_bytes(b"1")
    seen.add(mutants_run.yard_digest(seeds, root))
    (root / "fuzz/model.c").write_text("int b;")
    seen.add(mutants_run.yard_digest(seeds, root))
    (root / "fuzz/mutants/half.toml").write_text("")
    seen.add(mutants_run.yard_digest(seeds, root))
    assert len(seen) == 3


def by_key(outcomes):
    return {(o.mutant, o.way, o.seed): o for o in outcomes}


def test_the_status_says_whether_one_survived(root):
    first, second, third = everything = mutants.read(root)
    assert mutants_table.status(everything, {}) == common.Exit.NOTHING_MEASURED
    killed = [outcome(first), outcome(second, killed=False), outcome(second, "fuzz", seed=1)]
    assert mutants_table.status(everything, by_key([*killed, outcome(third)])) == common.Exit.GOOD
    lives = by_key([*killed, outcome(third, killed=False)])
    assert mutants_table.status(everything, lives) == common.Exit.CONFIRMED
    argued = [first, second, dataclasses.replace(third, equivalent="nobody can see it")]
    assert mutants_table.status(argued, lives) == common.Exit.GOOD


def test_the_table_prints_what_each_survivor_is(root, capsys):
    first, second, third = everything = mutants.read(root)
    mutants_table.print_table(everything, by_key([outcome(first), outcome(second), outcome(third, killed=False)]))
    said = capsys.readouterr().out
    assert "corpus      2 of 3 killed (67 %)" in said and "told by model 2" in said
    assert f"  {third.id} (rounding, after mechanical; arena; expected: model)\n      allocators/half.c: n / 2\n" in said
    assert "nobody has said why" in said
    third = dataclasses.replace(third, unseen="only a weaker machine shows it")
    mutants_table.print_table([first, second, third], by_key([outcome(third, killed=False)]))
    assert "only a weaker machine shows it" in capsys.readouterr().out


def test_a_mutant_must_be_found_on_every_seed(root, capsys):
    first, second, _ = everything = mutants.read(root)
    lucky = [outcome(second, "fuzz", killed=seed > 1, seed=seed) for seed in (1, 2)]
    mutants_table.print_table(everything, by_key([outcome(first, "fuzz", seed=1), outcome(first, "fuzz", seed=2), *lucky]))
    assert "fuzz        2 of 2 killed (100 %), median 0.50 s, 95th percentile 0.50 s, 1 on every seed" in capsys.readouterr().out


def test_the_matrix_has_a_line_for_each(root, tmp_path):
    first, *_ = everything = mutants.read(root)
    mutants_table.write_matrix(everything, by_key([outcome(first)]), tmp_path / "matrix.csv")
    lines = (tmp_path / "matrix.csv").read_text().splitlines()
    assert lines[0].startswith("id,class,models,fate,corpus_killed,corpus_measured,corpus_oracle,corpus_seconds")
    assert lines[1].startswith("statement_gone,rounding,mechanical,killed,1,1,model,0.50,10,0,0")
    assert lines[2].startswith("not_halved,rounding,mechanical,unmeasured,0,0,,,")


def again(mutant, without, killed):
    return dataclasses.replace(outcome(mutant, mutants_run.ALONE, killed), without=without)


def test_what_an_oracle_adds_is_what_nobody_else_tells_of(root, tmp_path, capsys):
    first, second, third = everything = mutants.read(root)
    told = [outcome(one) for one in everything]
    known = by_key([*told, again(first, "model", False), again(second, "model", True), again(third, "drain", False)])
    assert [mutants_table.told_alone(one, known) for one in everything] == [True, False, None]  # the third: of another oracle
    mutants_table.print_table(everything, known)
    assert "nobody else: model 1\n" in capsys.readouterr().out
    mutants_table.write_matrix(everything, known, tmp_path / "matrix.csv")
    lines = (tmp_path / "matrix.csv").read_text().splitlines()
    assert [line.split(",")[-2:] for line in lines] == [["alone", "reason"], ["yes", ""], ["no", ""], ["", ""]]
    assert mutants_table.fate(dataclasses.replace(second, id="x"), by_key([dataclasses.replace(again(second, "model", True), mutant="x")])) == "unmeasured"


@pytest.fixture
def yard(root, tmp_path, monkeypatch):
    """A fuzzer that finds something with one mutant only, and hangs with another."""
    chosen = {mutant.id: mutant.number for mutant in mutants.read(root)}
    fuzzer = tmp_path / "heapyard-fuzz"
    fuzzer.write_text(
        "#!/bin/sh\n"
        f"[ $HEAPYARD_MUTANT = {chosen['quartered']} ] && echo 'finding: overlap: x' && exit 3\n"
        f"[ $HEAPYARD_MUTANT = {chosen['not_halved']} ] && sleep 30\n"
        "echo 'executions 7, operations 9, findings 0'\n"
    )
    fuzzer.chmod(0o755)
    monkeypatch.setattr(mutants_run, "OUT", tmp_path)
    monkeypatch.setattr(mutants_run.fuzzing, "OUT", tmp_path)
    monkeypatch.setattr(mutants_run, "REPLAY_SECONDS", 1)
    listing = mutants_run.fuzzing.Listing(properties={"conform": "rows"}, cells=[("conform", "arena"), ("conform", "pool")])
    return mutants_run.Yard(fuzzer, tmp_path, listing, words={"overlap": "model"})


def test_the_corpus_kills_survives_and_hangs(root, yard):
    found = {mutant.id: mutants_run.by_corpus(yard, mutant) for mutant in mutants.read(root)}
    assert (found["quartered"].killed, found["quartered"].oracle, found["quartered"].where) == (True, "model", "conform arena")
    assert (found["statement_gone"].killed, found["statement_gone"].executions) == (False, 7)
    assert (found["not_halved"].killed, found["not_halved"].oracle) == (True, "hang")


def test_an_oracle_can_be_off(root, yard):
    yard.fuzzer.write_text("#!/bin/sh\n[ $HEAPYARD_ORACLES = -model ] && exit 0\necho 'finding: overlap: x'; exit 3\n")
    mutant = mutants.read(root)[0]
    with_all, without = mutants_run.by_corpus(yard, mutant), mutants_run.by_corpus(yard, mutant, "model")
    assert (with_all.killed, with_all.way, with_all.without) == (True, "corpus", "")
    assert (without.killed, without.way, without.without) == (False, mutants_run.ALONE, "model")


def test_all_are_measured_and_kept(root, yard, tmp_path):
    jobs = [(mutants_run.by_corpus, mutant) for mutant in mutants.read(root)]
    seen = []
    mutants_run.run_all(jobs, yard, 2, seen.append, tmp_path / "results.jsonl")
    assert len(seen) == 3 and len(mutants_run.read_results(tmp_path / "results.jsonl")) == 3


def test_a_finding_without_a_mutant_stops_the_measurement(root, yard):
    mutants_run.check_clean(yard, mutants.read(root))
    yard.fuzzer.write_text("#!/bin/sh\necho 'finding: overlap: x'; exit 3\n")
    with pytest.raises(common.Failure, match="the corpus finds something without a mutant: model"):
        mutants_run.check_clean(yard, mutants.read(root))


@pytest.mark.parametrize("status", [1, 2, 5])
def test_a_fuzzer_that_can_not_run_is_no_kill(root, yard, status):
    yard.fuzzer.write_text(f"#!/bin/sh\necho 'no such property' >&2; exit {status}\n")
    with pytest.raises(common.Failure, match="no such property"):
        mutants_run.by_corpus(yard, mutants.read(root)[0])


def test_fuzzing_stops_at_the_first_finding(root, yard):
    found = {m.id: mutants_run.by_fuzzing(yard, m, 1, 4) for m in mutants.read(root) if m.id != "not_halved"}
    assert (found["quartered"].killed, found["quartered"].oracle, found["quartered"].seed) == (True, "model", 4)
    assert not found["statement_gone"].killed and found["statement_gone"].limit == 1


def test_cells_take_turns_that_grow_and_keep_what_they_found(root, yard, tmp_path):
    log = tmp_path / "log"
    yard.fuzzer.write_text(
        "#!/bin/sh\n"  # the last word is the corpus
        'for word; do case $word in -max_total_time=*) seconds=${word#*=};; -runs=*) runs=${word#*=};; -seed=*) chance=${word#*=};; esac; done\n'
        f'echo "$seconds $runs $chance $(ls $word | wc -l)" >> {log}; touch $word/$chance\n'
        f"[ $(wc -l < {log}) -lt 7 ] || {{ echo 'finding: overlap: x'; exit 3; }}\n"
    )
    mutant = dataclasses.replace(mutants.read(root)[0], rows=["arena", "pool"])
    found = mutants_run.by_fuzzing(yard, mutant, 60, 4)
    assert (found.killed, found.where) == (True, "conform arena")
    assert log.read_text().splitlines() == ["1 2000 4 1"] * 2 + ["1 -1 1004 2"] * 2 + ["2 -1 2004 3"] * 2 + ["4 -1 3004 4"]


def test_a_mutant_of_a_row_that_nothing_fuzzes_survives(root, yard):
    mutant = dataclasses.replace(mutants.read(root)[0], rows=["not_in_this_build"])
    found = mutants_run.by_fuzzing(yard, mutant, 60, 1)
    assert not found.killed and not found.seconds


def test_threads_kill_where_a_row_is_shared(root, yard, tmp_path):
    by_id = {mutant.id: mutant for mutant in mutants.read(root)}
    yard.threads = tmp_path / "heapyard-threads"
    yard.threads.write_text(
        "#!/bin/sh\n"
        "[ $1 = --row=arena ] || exit 2\n"
        f"[ $HEAPYARD_MUTANT = {by_id['quartered'].number} ] && echo 'WARNING: ThreadSanitizer: data race (pid=1)' && exit 66\n"
        "exit 0\n"
    )
    yard.threads.chmod(0o755)
    racy, sound = (mutants_run.by_threads(yard, by_id[name]) for name in ("quartered", "statement_gone"))
    assert (racy.killed, racy.oracle, racy.where, racy.way) == (True, "race", "threads arena", "threads")
    assert not sound.killed
    assert not mutants_run.by_threads(yard, dataclasses.replace(by_id["quartered"], rows=["pool"])).killed


def test_the_tests_of_a_file_are_those_beside_it(root):
    mutant = mutants.read(root)[0]
    (root / "allocators/half_test.c").write_text("")
    (root / "allocators/half_more_test.c").write_text("")
    assert mutants_run.test_programs(mutant, root) == ["half_test"]
    (root / "allocators/half_test.c").unlink()
    assert mutants_run.test_programs(mutant, root) == ["half_more_test"]
    assert mutants_run.test_programs(dataclasses.replace(mutant, tests=["other_test"]), root) == ["other_test"]
