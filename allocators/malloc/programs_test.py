"""Real programs print under the preloaded library what they print without it."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("HEAPYARD_BUILD", ROOT / "build" / "debug"))
SHARED = BUILD / "allocators" / "libheapyard-malloc.so"
SOURCE = ROOT / "allocators" / "strategies" / "debug.c"

PYTHON = "import json,re,threading as t\nd={i:[str(i)*(i%50)]*3 for i in range(30000)}\nw=[t.Thread(target=lambda: json.loads(json.dumps(d))) for _ in range(4)]\n[x.start() for x in w];[x.join() for x in w]\nprint(len(json.dumps(d)), len(re.findall('12', json.dumps(d))))"
PERL = 'my %h; $h{$_ % 977} .= "x$_" for 1..200000; print join(",", map { length $h{$_} } sort { $a <=> $b } keys %h), "\\n";'
SQL = "create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<40000) insert into t select x, hex(x*x) from c; create index i on t(b); select count(*), sum(length(b)), min(b), max(b) from t where b > '5';"
NODE = "const m=new Map(); for(let i=0;i<200000;i++) m.set('k'+i%5000,'v'.repeat(i%100)); console.log(m.size,[...m.values()].join('').length)"
AWK = 'BEGIN { for (i = 0; i < 200000; i++) a[i % 7919] = a[i % 7919] "y"; n = 0; for (k in a) n += length(a[k]); print n }'

# php -n: its extensions are opened so that they keep the C library's malloc (RTLD_DEEPBIND). The first word is the program;
PROGRAMS = {
    "python3": ["python3", "-c", PYTHON],
    "perl": ["perl", "-e", PERL],
    "sort": ["sort", "--parallel=4", "-r", str(SOURCE)],
    "awk": ["awk", AWK],
    "bash": ["bash", "-c", "for i in {1..3000}; do a[$i]=$i$i$i; done; echo ${#a[@]} $(echo ${a[@]} | cksum)"],
    "gcc": ["gcc", "-std=gnu17", "-O2", "-S", "-o", "-", f"-I{ROOT}", f"-I{ROOT}/allocators/include", str(SOURCE)],
    "g++": ["g++", "-O1", "-S", "-o", "-", f"-I{ROOT}", f"-I{ROOT}/allocators/include", str(ROOT / "allocators/outside/program.cc")],
    "git": ["git", "-C", str(ROOT), "log", "--stat", "-30", "--format=%H %s"],
    "sqlite3": ["sqlite3", ":memory:", SQL],
    "xz": ["xz", "--threads=2", "--stdout", str(SOURCE)],
    "node": ["node", "-e", NODE],
    "ruby": ["ruby", "-e", "h = Hash.new { |k, v| k[v] = [] }; 100000.times { |i| h[i % 991] << i.to_s * 3 }; puts h.values.map(&:size).sum"],
    "php": ["php", "-n", "-r", "$a = []; for ($i = 0; $i < 100000; $i++) $a[$i % 991][] = str_repeat('x', $i % 50); echo count($a), PHP_EOL;"],
    "lua5.4": ["lua5.4", "-e", "local t = {} for i = 1, 200000 do t[i % 997 + 1] = (t[i % 997 + 1] or '') .. i % 10 end print(#t, #t[5])"],
}


def answer(command, folder, library=None):
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "GIT_CONFIG_COUNT": "1",
                   "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}  # fmt: skip
    if library:
        environment |= {"LD_PRELOAD": str(library), "HEAPYARD_MALLOC": "check"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=120)
    return done.returncode, done.stderr.decode(errors="replace"), hashlib.sha256(done.stdout).hexdigest(), len(done.stdout)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_on_it(name, tmp_path):
    command = PROGRAMS[name]
    if not shutil.which(command[0]):
        pytest.skip(f"not here: {command[0]}")
    expected = answer(command, tmp_path)
    assert expected[0] == 0 and expected[3] > 0, expected[1]
    assert answer(command, tmp_path, SHARED) == expected
