# The short way to everything. Meson and Ninja do the building; tools/deps.sh installs what a target lacks and does
# nothing when all is there, so every target works in a fresh checkout. CC and CFLAGS are honoured at first set-up.

PREFIX ?= /usr/local

# T picks scenarios or unit tests by name, F one fuzz target, SECONDS how long it runs (0: only replay its corpus).
T ?=
F ?=
SECONDS ?= 60

# A sanitizer's finding ends the program at once: a report that scrolls by is a report that nobody reads.
# -O1 compiles in two thirds of the time of -O2, and the tests take as long.
SANITIZED = --werror -Dbuildtype=debugoptimized -Doptimization=1 -Dc_args=-fno-sanitize-recover=all -Dcontrol=true -Ddebug_checks=true

.NOTPARALLEL:
.PHONY: all dev tsan deps demo test unit scenario stress conformance e2e e2e-apps sites fuzz faults differential crash sim sim-faults systemd upgrades bench bench-programs floods slowhttptest cover check format tidy install clean

# The release build: build/freshet. Optimised over all files at once: the rooms call each other in small steps (8 % fewer
# instructions a hit).
all: build/build.ninja
	ninja -C build
	@ln -sfn src/freshet build/freshet
	@ln -sfn build/compile_commands.json compile_commands.json

build/build.ninja:
	@tools/deps.sh build
	meson setup build -Dbuildtype=release -Db_lto=true --prefix "$(PREFIX)"

# The build for daily work: address and undefined-behaviour sanitizers, slow checks, the control socket, unit tests.
dev: build-dev/build.ninja
	ninja -C build-dev
	@ln -sfn build-dev/compile_commands.json compile_commands.json

build-dev/build.ninja:
	@tools/deps.sh build test
	meson setup build-dev $(SANITIZED) -Db_sanitize=address,undefined -Dtests=true

# The thread sanitizer's build.
tsan: build-tsan/build.ninja
	ninja -C build-tsan

build-tsan/build.ninja:
	@tools/deps.sh build test
	meson setup build-tsan $(SANITIZED) -Db_sanitize=thread -Dtests=true

# Everything that the build and the tests need; says first what it will install.
deps:
	@tools/deps.sh build test demo

# The tutorial's site behind freshet, in one command.
demo: all
	@tools/deps.sh demo
	node examples/astro-bookshelf/demo.mjs

# All tests. The last line is "N passed, N failed, N skipped".
test:
	@tools/test.sh

unit: dev
	@node tools/unit.mjs $(T)

scenario: dev
	@node tests/scenario/run.mjs $(T)

# Many things at once, and what is promised then (tests/stress/run.sh); T for some of them by name.
stress: dev
	@tests/stress/run.sh build-dev/src/freshet $(T)

conformance: all
	@tools/deps.sh test
	node tests/conformance/run.mjs

e2e: all
	@tools/deps.sh test
	bash tests/e2e/run.sh

# Guides and integrations with the software itself (WordPress, MediaWiki, Rails, Next.js, Astro, Nuxt, SvelteKit): no part of `make test`, since
# it takes longer than that, after a gigabyte of packages. CONTRIBUTING.md says what is where.
e2e-apps: sites
sites: all
	@tools/deps.sh sites
	@tests/sites/run.sh

# All targets without F: each replays its corpus, then runs SECONDS.
fuzz:
	@tools/deps.sh build test
	@tests/fuzz/run.sh --seconds $(SECONDS) $(F)

# Killed at random moments amid stores and purges, ROUNDS times (make test: 50): about a second each.
ROUNDS_OF_CRASHES = $(or $(ROUNDS),1000)
crash: dev
	CRASH_ROUNDS=$(ROUNDS_OF_CRASHES) FRESHET=build-dev/src/freshet node tests/stress/crash.mjs

# The n-th call of each function of the system fails, and the n-th allocation, as many as fit into SECONDS (all but mem_alloc and malloc: some ten
# minutes; those two, of which there are tens of thousands, are taken by dice). make test: a few of each, spread.
faults: dev all
	@tools/deps.sh build test
	node tests/faults/faults.mjs --seconds $(SECONDS) build-dev/src/freshet
	node tests/faults/faults.mjs --upgrade --seconds $(SECONDS) build-dev/src/freshet
	node tests/faults/faults.mjs --seconds $(SECONDS) --call malloc build/freshet

# Our reading of streams of requests against Node's, for SECONDS (make test: 20).
differential: dev
	DIFFERENTIAL_SECONDS=$(SECONDS) FRESHET=build-dev/src/freshet node tests/stress/differential.mjs

# One upgrade after the other under load, ROUNDS times (make test: 10): about a second each.
ROUNDS_OF_UPGRADES = $(or $(ROUNDS),100)
upgrades: dev
	UPGRADE_ROUNDS=$(ROUNDS_OF_UPGRADES) FRESHET=build-dev/src/freshet node tests/stress/upgrade.mjs

# The unit under a real systemd, in a small machine of its own; no part of `make test` (tests/systemd/run.sh says what it needs).
systemd: all
	@tests/systemd/run.sh build/freshet

# Simulated worlds, one a seed, for SECONDS; with SEED that one only, or WORLDS from it on (docs/decisions/066-a-simulated-world.md).
sim: build-sim/build.ninja
	@ninja -C build-sim tests/sim/sim
	@build-sim/tests/sim/sim --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(WORLDS),--worlds $(WORLDS)) $(if $(LENGTH),--length $(LENGTH))

# Puts faults into a copy of the sources, one by one, and says how long each takes to be found.
sim-faults:
	@tools/deps.sh build test
	@node tests/sim/faults.mjs $(T)

build-sim/build.ninja:
	@tools/deps.sh build test
	meson setup build-sim --werror -Dbuildtype=debugoptimized -Ddebug_checks=true -Dsim=true

# Measures freshet beside its peers and writes docs/BENCHMARKS.md: about half an hour on an idle machine.
# TABLES=hits,purges: only these; QUICK=1: a minute, bare and freshet only, nothing is written.
bench: all
	@tools/deps.sh bench
	@$(MAKE) --no-print-directory bench-programs
	@node tests/bench/run.mjs $(if $(TABLES),--tables $(TABLES)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick)

# A thousand hostile connections beside a hundred honest clients, and what they cost (tests/bench/floods.mjs). Some minutes each.
# slowhttptest: the same with Debian's slowhttptest in its four modes.
floods: all bench-programs
	@node tests/bench/floods.mjs $(T)
	@node tests/bench/floods.mjs --alone $(T)

slowhttptest: all bench-programs
	@tools/deps.sh floods
	@node tests/bench/floods.mjs slow-heads slow-bodies slow-ranges slow-reads

# What the bench measures with.
bench-programs: build-bench/build.ninja
	ninja -C build-bench bench-programs

build-bench/build.ninja:
	@tools/deps.sh build test
	meson setup build-bench --werror -Dbuildtype=release -Dbench=true

# Which lines the unit tests and scenarios reach: build-cover/index.html
cover:
	@tools/deps.sh build test cover
	@tools/cover.sh

# The checks of the sources, which `make test` runs too.
check:
	@tools/deps.sh check
	@node tests/check/run.mjs

# The same, and the reports: the longest functions, and how often the code checks itself.
tidy: check
	@node tests/check/functions.mjs --report
	@node tests/check/checks.mjs --report

format:
	@tools/deps.sh check
	@node tests/check/format.mjs --write

# A DESTDIR that is no absolute path is seen from here, not from Meson's folder.
install: all
	meson configure build --prefix "$(PREFIX)"
	meson install -C build $${DESTDIR:+--destdir "$$(realpath -m -- "$$DESTDIR")"}

clean:
	rm -rf build build-dev build-tsan build-fuzz build-cover build-bench build-sim build-test compile_commands.json
