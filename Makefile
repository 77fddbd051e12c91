# The ways to run this project; `make` alone lists them.
#
# One flag set per build folder: the debug build in .build is always made with GOSSIP_STRICT=1 (warnings in our
# own targets are errors), the release build never, so that nothing is compiled twice. Fuzz/ and Benchmarks/ are
# packages of their own with build folders of their own.

.DEFAULT_GOAL := help
.NOTPARALLEL:

# Extra arguments: make demo ARGS="--nodes 20 --for 30s", make bench ARGS="w1 --size 1024"
ARGS ?=
# Swift tests to run, a regular expression: make test-debug FILTER=Yamux
FILTER ?=
# Seconds of fuzzing per fuzz target.
FUZZ_SECONDS ?= 60

SWIFT_CODE := $(wildcard $(foreach at,. Fuzz Benchmarks Examples,$(at)/Package.swift $(at)/Sources $(at)/Tests))
GOSSIP := .build/release/gossip

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
	swift test --skip-build --filter HostTests --skip Twenty
	swift test --skip-build --filter "HostTests.*Twenty"
	swift test --skip-build --filter CommandTests
	swift test --skip-build --filter InteropTests
endif

test-release: build ## the checks that want speed: a large simulation, alike in two processes
	Scripts/determinism $(GOSSIP)

gates: ## instruction counts of fixed small workloads against Benchmarks/instructions.tsv; needs valgrind
	Scripts/instructions $(ARGS)

fuzz: ## fuzz every decoder for FUZZ_SECONDS each (FUZZ_SECONDS=60)
	FUZZ_SECONDS=$(FUZZ_SECONDS) Scripts/fuzz $(ARGS)

bench: ## run the benchmarks, one JSON line per run on stdout (ARGS="w1")
	@cd Benchmarks && swift run -c release bench $(ARGS)

.PHONY: help demo build test lint format seeds interop build-tests test-debug test-release gates fuzz bench
