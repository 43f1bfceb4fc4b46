"""Table 1 of scripts/programs: real programs, how each is run over a preloaded malloc, and how one sees that it ran right.

A program is a command, or a server and a client that loads it. What it prints is compared with what it prints over
the C library's malloc, unless it tests itself and says so by its exit status. Inputs are made here, or are this
checkout's own files. Adding a program is one entry of PROGRAMS.
"""

import dataclasses
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from yard import common

PORT_FIRST = 21700  # servers listen from here on, on the loopback device


@dataclasses.dataclass(frozen=True)
class Program:
    """How a program is run. Words may hold {folder}, a folder of the program's own, {root}, this checkout, and {port}."""

    name: str
    what: str
    needs: tuple  # of commands, which must be here
    command: tuple | Callable  # what the malloc is preloaded into; or a function that gives it
    environment: dict = dataclasses.field(default_factory=dict)
    prepare: Callable | None = None  # called once with the folder, without the malloc
    client: tuple = ()  # of a server: what loads it, without the malloc; its time counts
    self_tests: bool = False  # the exit status says whether it ran right, and what it prints differs each time
    missing: Callable | None = None  # what else is not here, as a phrase; None: nothing

    def absent(self):
        """What is not here for it, as a phrase; None: it can be run."""
        for command in self.needs:
            if not shutil.which(command):
                return f"not here: {command}"
        return self.missing() if self.missing else None

    def words(self, words, folder, port):
        """A command of the table as it is run."""
        words = words() if callable(words) else words
        places = {"{folder}": folder, "{root}": common.ROOT, "{port}": port}
        return [re.sub(r"\{(folder|root|port)\}", lambda found: str(places[found.group()]), word) for word in words]


# --- inputs --------------------------------------------------------------------------------------------

SQL = """
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, tags TEXT);
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 120000)
  INSERT INTO item SELECT x, hex(x * 7919 % 100003), x * 1.5, printf('%d,%d,%d', x % 7, x % 11, x % 13) FROM c;
CREATE INDEX by_name ON item(name);
CREATE INDEX by_tags ON item(tags, price);
SELECT tags, count(*), sum(price) FROM item GROUP BY tags ORDER BY 1 LIMIT 20;
SELECT a.id, b.id FROM item a JOIN item b ON a.name = b.name AND a.id < b.id ORDER BY 1, 2 LIMIT 50;
UPDATE item SET tags = tags || ',x' WHERE id % 3 = 0;
DELETE FROM item WHERE id % 5 = 0;
SELECT group_concat(substr(name, 1, 3)) FROM (SELECT name FROM item ORDER BY name LIMIT 5000);
SELECT count(*), sum(length(tags)) FROM item;
PRAGMA integrity_check;
"""

PERL = r"""
my (%count, @lines);
for my $i (1 .. 400000) { my $w = join '', map { chr(97 + ($i * $_) % 26) } 1 .. 4 + $i % 5; $count{$w}++; push @lines, "$w $i" if $i % 10 == 0; }
my @sorted = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
my $text = join "\n", @lines; my $n = 0; $n++ while $text =~ /([aeiou])(\w)\1/g;
my %tree; for (@sorted) { my $t = \%tree; $t = $t->{$_} //= {} for split //; }
print scalar(@sorted), " $n ", join(',', map { "$_=$count{$_}" } @sorted[0 .. 20]), " ", scalar(keys %tree), "\n";
"""

LUA = """
local t, n = {}, 0
for i = 1, 600000 do local k = 'k' .. (i * 7919) % 50021; t[k] = (t[k] or '') .. string.char(97 + i % 26) end
local keys = {} for k in pairs(t) do keys[#keys + 1] = k end table.sort(keys)
for _, k in ipairs(keys) do n = n + #t[k]:gsub('a', 'bb') end
local tree = nil for i = 1, 300000 do tree = {i, tree, i % 1000 == 0 and {} or nil} if i % 5000 == 0 then tree = nil end end
print(#keys, n)
"""

NODE = """
const m = new Map(); let n = 0;
for (let i = 0; i < 1500000; i++) { const k = 'k' + (i * 7919) % 50021; m.set(k, (m.get(k) || 0) + i % 13); }
const text = JSON.stringify([...m]); const again = JSON.parse(text);
for (let i = 0; i < 300; i++) n += Buffer.alloc(1 << 18, i).toString('base64').length;
const z = require('zlib'); console.log(again.length, n, z.inflateSync(z.deflateSync(text)).toString() === text, text.length);
"""

RUBY = """
h = Hash.new { |k, v| k[v] = [] }
400000.times { |i| h[(i * 7919) % 5003] << "#{i}" * (i % 4) }
s = h.values.flatten.sort.join(",")
puts h.size, s.size, s.scan(/11+/).size, s.sum
"""

PHP = """
$a = []; for ($i = 0; $i < 600000; $i++) { $a['k' . ($i * 7919) % 20011][] = str_repeat(chr(97 + $i % 26), $i % 40); }
ksort($a); $s = json_encode($a); echo count($a), ' ', strlen($s), ' ', md5($s), ' ', count(json_decode($s, true)), PHP_EOL;
"""

Z3 = "(set-option :smt.random_seed 1)\n(set-logic QF_UFLIA)\n" + "".join(
    f"(declare-const q{i} Int)\n(assert (and (>= q{i} 0) (< q{i} 9)))\n" for i in range(9)
) + "".join(
    f"(assert (and (distinct q{i} q{j}) (distinct (+ q{i} {i}) (+ q{j} {j})) (distinct (- q{i} {i}) (- q{j} {j}))))\n"
    for i in range(9) for j in range(i)
) + "(check-sat)\n(assert (= q0 4))\n(check-sat)\n(assert (= q1 4))\n(check-sat)\n"  # fmt: skip

PAGE = """<!doctype html><title>heap</title><body><script>
let list = document.createElement('ul');
for (let i = 0; i < 20000; i++) { let e = document.createElement('li'); e.textContent = 'item ' + (i * 7919) % 10007; list.append(e); }
document.body.append(list);
let sum = 0; for (let e of list.children) sum += e.offsetHeight > 0 ? e.textContent.length : 0;
document.body.textContent = 'sum ' + sum;
</script>"""

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; gzip on; gzip_types text/plain; gzip_min_length 100;
  server {{ listen 127.0.0.1:{port}; root {folder}; default_type text/plain; }}
}}
"""

# Regression tests of the interpreter that work its memory and are done in seconds.
PYTHON_TESTS = """test_bytes test_collections test_csv test_deque test_dict test_enum test_format test_generators test_heapq
test_json test_list test_memoryview test_queue test_re test_set test_str test_struct test_thread test_tuple test_unicode""".split()


def python():
    """An interpreter that has its own regression tests."""
    for path in ("/usr/bin/python3", shutil.which("python3") or ""):
        if path and subprocess.run([path, "-c", "import test.test_json"], capture_output=True, check=False).returncode == 0:
            asked = subprocess.run([path, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True, check=True)
            return asked.stdout.strip()
    return None


def untested():
    return None if python() else "not here: a python3 with its regression tests"


def python_tests():
    """Those of PYTHON_TESTS that this interpreter has."""
    interpreter = python()
    if not interpreter:
        return ()
    code = "import importlib.util as u, sys; print(*[t for t in sys.argv[1:] if u.find_spec('test.' + t)])"
    asked = subprocess.run([interpreter, "-c", code, *PYTHON_TESTS], capture_output=True, text=True, check=True)
    return (interpreter, "-m", "test", "-q", *asked.stdout.split())


def write(name, text):
    """A preparation that writes one file."""
    return lambda folder, _: (folder / name).write_text(text)


def prepare_git(folder, _):
    subprocess.run(["git", "clone", "-q", "--bare", "--no-local", str(common.ROOT), str(folder / "source")], check=True, capture_output=True)


def prepare_nginx(folder, port):
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    for number in range(50):
        (folder / f"page{number}").write_text(f"line {number}\n" * (number * 40 + 1))


def prepare_postgres(folder, _):
    """The server refuses to be root."""
    data = folder / "data"
    shutil.chown(folder, "nobody")
    for parent in [folder, *folder.parents]:
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 1:
            raise common.Failure(common.Exit.HARNESS, f"postgres runs as nobody, who may not pass {parent}")
    subprocess.run([*AS_NOBODY, "initdb", "-D", str(data), "-A", "trust", "-U", "nobody"], check=True, capture_output=True)


AS_NOBODY = ("setpriv", "--reuid=nobody", "--clear-groups")
LOADER = (sys.executable, str(Path(__file__).resolve().parent / "programs_load.py"))
GIT = "git clone -q --no-local {folder}/source {folder}/clone && cd {folder}/clone && git gc -q && git fsck --full && git log --stat --format=%H | cksum; rm -rf {folder}/clone"
GCC = "for f in {root}/allocators/strategies/{debug,arena,pool}*.c; do gcc -std=gnu17 -O2 -S -o - -D_GNU_SOURCE -DHY_TEST_TRACE='\"\"' -I{root} -I{root}/allocators/include -I{root}/allocators/plugin/include \"$f\" | cksum; done"

# --- the table -----------------------------------------------------------------------------------------

PROGRAMS = [
    Program("python", "regression tests of the interpreter, on malloc alone", (), python_tests, {"PYTHONMALLOC": "malloc"}, self_tests=True,
            missing=untested),
    Program("sqlite3", "tables, joins and indexes in memory", ("sqlite3",), ("sqlite3", ":memory:", SQL)),
    Program("git", "clone, gc and fsck of this checkout", ("git",), ("bash", "-c", GIT), prepare=prepare_git),
    Program("gcc", "compiles some strategies of this checkout", ("gcc",), ("bash", "-c", GCC)),
    Program("perl", "hashes, sorting, regular expressions", ("perl",), ("perl", "-e", PERL), {"PERL_HASH_SEED": "0"}),
    Program("lua", "strings and tables", ("lua5.4",), ("lua5.4", "{folder}/it.lua"), prepare=write("it.lua", LUA)),
    Program("node", "maps, JSON, buffers, zlib", ("node",), ("node", "-e", NODE)),
    Program("ruby", "arrays of strings", ("ruby",), ("ruby", "{folder}/it.rb"), prepare=write("it.rb", RUBY)),
    Program("php", "arrays and JSON", ("php",), ("php", "-n", "-d", "memory_limit=-1", "-r", PHP), {"USE_ZEND_ALLOC": "0"}),
    Program("z3", "queens on a board", ("z3",), ("z3", "{folder}/it.smt2"), prepare=write("it.smt2", Z3)),
    Program("imagemagick", "blurs and scales an image", ("convert-im6",),
            ("convert-im6", "-seed", "1", "-size", "900x900", "plasma:red-blue", "-blur", "0x4", "-resize", "60%", "rgb:-")),
    Program("ffmpeg", "encodes and decodes a moving picture", ("ffmpeg",),
            ("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=duration=6:size=640x360", "-c:v", "mpeg4", "-threads", "2", "-f", "md5", "-")),
    Program("stress-ng", "its malloc stressors, which verify what they wrote", ("stress-ng",),
            ("stress-ng", "--malloc", "2", "--malloc-ops", "4000", "--malloc-bytes", "16m", "--verify", "-q"), self_tests=True),
    Program("redis", "redis-benchmark", ("redis-server", "redis-benchmark"),
            ("redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--dir", "{folder}", "--daemonize", "no"),
            client=("redis-benchmark", "-p", "{port}", "-q", "-n", "60000", "-r", "20000", "-d", "100", "-P", "16", "-t", "set,get,lpush,lrange_100,hset,zadd,spop"),
            self_tests=True),
    Program("memcached", "values set, got, deleted by four clients", ("memcached",),
            ("memcached", "-l", "127.0.0.1", "-p", "{port}", "-U", "0", "-m", "256", "-u", "root"), client=(*LOADER, "memcached", "{port}")),
    Program("nginx", "pages, some compressed, for four clients", ("nginx",),
            ("nginx", "-c", "{folder}/nginx.conf", "-p", "{folder}"), prepare=prepare_nginx, client=(*LOADER, "http", "{port}", "{folder}")),
    Program("postgres", "pgbench", ("postgres", "initdb", "pgbench", "setpriv", "bash"),
            (*AS_NOBODY, "postgres", "-D", "{folder}/data", "-p", "{port}", "-k", "{folder}", "-h", "127.0.0.1"), prepare=prepare_postgres,
            client=("bash", "-c", "pgbench -q -i -s 2 -h 127.0.0.1 -p {port} -U nobody postgres && pgbench -c 4 -t 1500 -h 127.0.0.1 -p {port} -U nobody postgres"),
            self_tests=True),
    Program("chromium", "lays out a page without a screen", ("chromium",),
            ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir={folder}/profile", "--dump-dom", "file://{folder}/page.html"),
            prepare=write("page.html", PAGE)),
]  # fmt: skip

NAMES = [program.name for program in PROGRAMS]


def free_port():
    """A port of the loopback device that nobody listens on."""
    for port in range(PORT_FIRST + os.getpid() % 1000, PORT_FIRST + 5000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise common.Failure(common.Exit.HARNESS, "no port is free for a server")
