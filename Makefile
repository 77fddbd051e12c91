# The ways to run this project; `make` alone lists them.
#
# One flag set per build folder: the debug build in .build is always made with GOSSIP_STRICT=1 (warnings in our
# own targets are errors), the release build never, so that nothing is compiled twice. Fuzz/ and Benchmarks/ are
# packages of their own with build folders of their own.

.DEFAULT_GOAL := help
.NOTPARALLEL:

# Extra arguments: make demo ARGS="--nodes 20 --for 30s", make bench ARGS="w1 size=1024"
ARGS ?=
# Swift tests to run, a regular expression: make test-debug FILTER=Yamux
FILTER ?=
# Seconds of fuzzing per fuzz target.
FUZZ_SECONDS ?= 60
# Where fuzzing starts its dice: 0 is somewhere else each time.
FUZZ_SEED ?= 0
# How long random scenarios are tried, and the seed they begin with; none is somewhere else each time.
SWARM_TIME ?= 2m
SWARM_SEED ?=
SWARM_COUNT ?=
# Runs of each benchmark, of which the median counts.
RUNS ?= 3
# 1: make bench-compare fails if a figure is more than 10 % worse.
STRICT ?= 0

SWIFT_CODE := $(wildcard $(foreach at,. Fuzz Benchmarks Examples,$(at)/Package.swift $(at)/Sources $(at)/Tests))
GOSSIP := .build/release/gossip
LATEST := Benchmarks/.build/latest.jsonl
RESULTS := docs/benchmarks/results.jsonl
BENCH_ALL := Benchmarks/.build/release/bench all runs=$(RUNS) gossip=$(GOSSIP) \
  allocations=$(CURDIR)/Benchmarks/.build/allocations.so

build-tests test-debug: export GOSSIP_STRICT := 1

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## ten real nodes in one process, gossiping, with a live table (ARGS="--for 30s")
	@$(GOSSIP) dev $(ARGS)

build: ## the gossip binary, release: .build/release/gossip
	swift build -c release --product gossip

test: lint seeds interop test-debug test-release ## everything that must pass, with its own set-up

lint: ## formatting, as `make format` would leave it
	swift format lint --recursive --strict --parallel $(SWIFT_CODE)

format: ## format all Swift code in place
	swift format --in-place --recursive --parallel $(SWIFT_CODE)

seeds: ## docs/seeds.md agrees with the tests and the sources
	Scripts/seeds-check

interop: ## the Python environment of the interop peers; without it their tests are skipped, in CI it is a must
	@Interop/setup || { test -z "$$CI" && echo "make: the interop tests will be SKIPPED (see above)" >&2; }

build-tests: ## everything in debug, with tests; warnings are errors
	swift build --build-tests

test-debug: build-tests ## unit, property, simulation, host and interop tests (FILTER=name)
ifdef FILTER
	swift test --skip-build --filter '$(FILTER)'
else # those that wait for sockets and processes apart from those that keep the cores busy
	swift test --skip-build --skip 'HostTests|CommandTests|InteropTests'
	swift test --skip-build --filter HostTests --skip 'Twenty|A flood'
	swift test --skip-build --filter 'HostTests.*A flood'
	swift test --skip-build --filter 'HostTests.*Twenty'
	swift test --skip-build --filter CommandTests
	swift test --skip-build --filter InteropTests
endif

test-release: build ## the checks that want speed: a large simulation, alike in two processes; an hour's justice; attacks; a swarm
	Scripts/determinism $(GOSSIP)
	$(GOSSIP) simulate --scenario Scenarios/hour.yaml --check
	Scripts/attacks $(GOSSIP)
	Scripts/swarm $(GOSSIP) $(SWARM_TIME) $(SWARM_SEED) $(SWARM_COUNT)

gates: ## instruction counts of fixed small workloads against Benchmarks/instructions.tsv; needs valgrind
	Scripts/instructions $(ARGS)

fuzz: ## fuzz every decoder for FUZZ_SECONDS each (FUZZ_SECONDS=60)
	FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED) Scripts/fuzz $(ARGS)

bench-build: build # and the counter of allocations, where it can be built
	@cd Benchmarks && swift build -c release --product bench
	@cd Benchmarks && { clang -O2 -shared -fPIC -o .build/allocations.so Allocations/allocations.c 2>/dev/null || true; }

bench: bench-build build ## the standard set of benchmarks as tables, under ten minutes (RUNS=3, or ARGS="w1 m=1000" for one)
	@$(if $(ARGS),Benchmarks/.build/release/bench $(ARGS),$(BENCH_ALL) json=$(LATEST))
	@$(if $(ARGS),,echo; echo "Simulated, Scenarios/100.yaml:"; $(GOSSIP) simulate --scenario Scenarios/100.yaml --compare --runs 1)

bench-large: bench-build ## the 10,000-node simulation; takes minutes and gigabytes
	@$(BENCH_ALL) large=only

bench-compare: ## what `make bench` found last against the committed results (STRICT=1: worse is an error)
	@Benchmarks/.build/release/bench compare $(LATEST) $(RESULTS) strict=$(STRICT)

bench-save: ## makes what `make bench` found last the results to commit
	@mkdir -p $(dir $(RESULTS))
	cp $(LATEST) $(RESULTS)

.PHONY: help demo build test lint format seeds interop build-tests test-debug test-release gates fuzz bench-build bench \
  bench-large bench-compare bench-save
