# The verbs of heapyard. Each one sees to what it needs (scripts/bootstrap), then calls the script or
# the build that does the work; the variables below become that script's flags. make turns every
# failure into its own status 2: who needs a script's exit code calls the script.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help bench programs test coverage fuzz fuzz-overnight reproduce trace trace-stats mutants report targets gate \
        gate-proof docs install tidy clean

# $(call flag,NAME,--flag): "--flag value" where NAME was given; $(call switch,NAME,--flag): "--flag" where
# it was given and is not 0.
quoted = '$(subst ','\'',$(1))'
flag = $(if $($(1)),$(2) $(call quoted,$($(1))))
switch = $(if $(filter-out 0,$($(1))),$(2))
# $(call each,NAME,--flag): the same for each word of NAME.
each = $(foreach word,$($(1)),$(2) $(call quoted,$(word)))
# $(call need,NAME,example): stops with a usage line where NAME was not given.
need = $(if $($(1)),,$(error $@ needs $(1)=…, for example: make $@ $(2)))

tier = $(call switch,QUICK,--quick) $(call switch,FULL,--full)
filters = $(call flag,ALLOCATORS,--allocators) $(call flag,WORKLOADS,--workloads) $(call flag,THREADS,--threads)

help:
	@echo 'make bench            compare all allocators that are installed; QUICK=1 (90 s), FULL=1 (hours), FRESH=1,'
	@echo '                      ALLOCATORS=a,b WORKLOADS=a,b THREADS=1,2 PLUGIN=label=path'
	@echo "                      PRELOAD='name=/path/lib.so …' any malloc library; TRACE=file … your own program alone"
	@echo 'make programs         real programs over our malloc and others; PROGRAMS=a,b ROUNDS=5 FRESH=1'
	@echo 'make test             build with and without sanitizers, run every test; TESTS=regex'
	@echo 'make coverage         lines and branches of allocators/ that the tests run'
	@echo 'make fuzz             hunt for FUZZ_SECONDS=60; ALLOCATORS=a,b PROPERTIES=p,q PLUGIN=label=path'
	@echo "                      PRELOAD='name=/path/lib.so …' any malloc library: what it breaks, by kind"
	@echo 'make fuzz-overnight   both engines on all cores; HOURS=8 ENGINES=libfuzzer,afl'
	@echo 'make mutants          planted bugs, and who finds them; FULL=1 (hours),'
	@echo '                      MUTANTS=pool,arena_* FUZZ_SECONDS=60 SEEDS=1 FRESH=1'
	@echo 'make reproduce        run one input again and print it as C; INPUT=file'
	@echo "make trace            record a program; CMD='program arguments' OUT=file"
	@echo 'make trace-stats      sizes, lifetimes and threads of a trace; TRACE=file'
	@echo 'make report           HTML and CSV from the results that exist'
	@echo "make targets          measure the project's own targets"
	@echo 'make gate             the working tree against a commit; BASE=origin/main QUICK=1'
	@echo 'make docs             the manual, and the tables in the documents'
	@echo 'make install          library and headers; PREFIX=/usr/local DESTDIR='
	@echo 'make tidy             check layers, rows, form; with clang-tidy where it is installed'
	@echo 'make clean            delete what was built (reports/out/ stays)'
	@echo 'Every script in scripts/ has --help.'

bench:
	@scripts/bootstrap bench
	@scripts/bench $(tier) $(filters) $(call switch,FRESH,--fresh) $(call flag,PLUGIN,--plugin) $(call each,PRELOAD,--preload) $(call each,TRACE,--trace)

programs:
	@scripts/bootstrap programs
	@scripts/programs $(call flag,PROGRAMS,--programs) $(call flag,ROUNDS,--rounds) $(call switch,FRESH,--fresh)

test:
	@scripts/bootstrap test
	@scripts/test $(call flag,TESTS,--tests)

coverage:
	@scripts/bootstrap coverage
	@scripts/coverage

fuzz:
	@scripts/bootstrap fuzz
	@scripts/fuzz $(call flag,FUZZ_SECONDS,--seconds) $(call flag,ALLOCATORS,--allocators) $(call flag,PROPERTIES,--properties) $(call flag,PLUGIN,--plugin) $(call each,PRELOAD,--preload)

fuzz-overnight:
	@scripts/bootstrap fuzz-overnight
	@scripts/fuzz --overnight $(call flag,HOURS,--hours) $(call flag,ALLOCATORS,--allocators) $(call flag,PROPERTIES,--properties) $(call flag,ENGINES,--engines) $(call each,PRELOAD,--preload)

reproduce:
	$(call need,INPUT,INPUT=corpus/regressions/arena/name)
	@scripts/bootstrap reproduce
	@scripts/fuzz --reproduce $(call quoted,$(INPUT)) $(call flag,ALLOCATORS,--allocators) $(call each,PRELOAD,--preload)

trace:
	$(call need,CMD,CMD='ls -l' OUT=ls.hyt)
	$(call need,OUT,CMD='ls -l' OUT=ls.hyt)
	@scripts/bootstrap trace
	@scripts/trace record --out $(call quoted,$(OUT)) -- $(CMD)

trace-stats:
	$(call need,TRACE,TRACE=corpus/traces/NAME)
	@scripts/bootstrap trace-stats
	@scripts/trace stats $(call quoted,$(TRACE))

report:
	@scripts/bootstrap report
	@scripts/report

targets:
	@scripts/bootstrap targets
	@scripts/targets

BASE ?= origin/main
gate:
	@scripts/bootstrap gate
	@scripts/gate --base $(call quoted,$(BASE)) $(tier) $(filters)

mutants:
	@scripts/bootstrap mutants
	@scripts/mutants $(call switch,FULL,--corpus --alone --threads --tests --fuzz --seeds 10) $(call flag,MUTANTS,--mutants) $(call flag,FUZZ_SECONDS,--seconds) $(call flag,SEEDS,--seeds) $(call switch,FRESH,--fresh)

gate-proof:
	@echo 'make $@: not built yet' >&2; exit 2

docs:
	@scripts/bootstrap docs
	@scripts/docs

tidy:
	@scripts/bootstrap tidy
	@scripts/tidy --static-analysis

PREFIX ?= /usr/local
install:
	@scripts/bootstrap install
	@cmake -S . -B build/install -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DHY_YARD=OFF \
	    -DCMAKE_INSTALL_PREFIX=$(call quoted,$(PREFIX)) >/dev/null
	@cmake --build build/install
	@DESTDIR=$(call quoted,$(DESTDIR)) cmake --install build/install

clean:
	@rm -rf build
