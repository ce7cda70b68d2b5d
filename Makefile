# The one runner: people and continuous integration use these targets and nothing else.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo wheel test test-long check lint fast engines chaos chaos-model fmt golden bench up down clean java

BIN := .venv/bin
UV = $(or $(shell command -v uv),.tools/bin/uv)
# Maven stays off the network once everything that the pom names was fetched.
OFFLINE = $(shell [ kernel/target/.fetched -nt kernel/pom.xml ] && echo -o)
# How many tests at a time use the servers, which they share.
WORKERS ?= 2
# How many draws engines makes.
SEEDS ?= 10
# How many schedules chaos-model runs; its six properties share them.
SCHEDULES ?= 100000
MVN = JAVA_HOME="$$(scripts/java_home)" mvn -q -B --strict-checksums $(OFFLINE) -f kernel/pom.xml

# They share the servers; the longest files begin first, and a run that takes too long says where it is.
ON_SERVERS = -v --durations=60 -n $(WORKERS) --dist loadfile --no-loadscope-reorder --session-timeout=4300

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.synced native/target/.built ## install what is missing (git, JDK 17, Maven, cc, uv), all Python packages as locked; compile native/

.venv/.synced: pyproject.toml uv.lock
	@scripts/setup
	$(UV) sync --all-extras --locked --compile-bytecode
	@$(BIN)/python -m compileall -q feature_platform backfill streaming tests
	@touch $@

native/target/.built: native/tiles.c native/varints.h scripts/build_native .venv/.synced
	scripts/build_native
	@touch $@

demo: setup ## replay 336,776 real flights through the whole platform and watch features change
	$(BIN)/fp demo $(ARGS)

test: setup ## checks, the kernel's tests, all tests on real servers but those of test-long
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint java
	$(MAKE) --no-print-directory fast
	@scripts/nginx >/dev/null
	$(BIN)/pytest -m "(integration or slow) and not long" $(ON_SERVERS)

test-long: setup ## tests on real servers that take minutes each and are left out of test
	$(BIN)/pytest -m long $(ON_SERVERS)

check: lint fast ## what a pull request needs: lint, format, types, fast tests; no servers

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fast: setup
	$(MVN) spotless:check
	$(BIN)/pytest -m "not integration and not slow" -n $(WORKERS) --dist worksteal

java: setup ## build the kernel and run its tests
	$(MVN) verify
	@touch kernel/target/.fetched

wheel: setup ## build dist/feature_platform-*.whl, which brings the kernel's jar along
	$(MVN) package -Dmaven.test.skip=true
	@touch kernel/target/.fetched
	$(UV) build --wheel --out-dir dist

engines: setup ## both engines and the oracle on thousands of drawn expressions, SEEDS (10) times 300
	for seed in $$(seq 1 $(SEEDS)); do \
		RING_SEED=$$seed RING_EXPRESSIONS=300 $(BIN)/pytest -q -n 0 -k random tests/unit/definition/test_engines_agree.py || exit 1; \
	done

chaos-model: setup ## the kernel between faked failures, SCHEDULES (100,000) random ones, and every rule switched off
	$(MVN) test -Dtest='ExactnessModelTest,BrokenRulesTest,SweepModelTest,RareRules' -Djqwik.tries=$$(( $(SCHEDULES) / 6 ))

fmt: setup ## format all code and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(MVN) spotless:apply

golden: setup ## renew the golden files; the diff is the review
	$(MVN) test -Dgolden.write=true -Dtest=GoldenRowsTest
	GOLDEN_WRITE=1 $(BIN)/pytest -m "not slow" tests/unit/definition tests/unit/plan tests/unit/registry tests/unit/engines/test_job_spec.py
	git diff --stat tests/golden

bench: setup ## the whole job's speed; what jobs do to rankers; what exactness and looking inside cost; backfill, serving and training sets beside others
	$(BIN)/python bench/stream.py
	$(BIN)/python bench/isolation.py
	$(BIN)/python bench/recovery.py
	$(BIN)/python bench/inside.py
	$(UV) run --all-extras --locked --group bench python bench/backfill.py
	$(UV) run --all-extras --locked --group bench python bench/serving.py
	$(UV) run --all-extras --locked --group bench python bench/training_set.py
	$(BIN)/python bench/capacity.py

chaos: setup ## faults at random moments under load; every row is judged (CHAOS_SEED, CHAOS_FAULTS, ARGS)
	$(BIN)/python -m tests.chaos.run $(ARGS)

up: setup ## start Kafka, Cassandra, Flink and Dagster on loopback
	$(BIN)/fp up

down: ## stop them; their data stays in .fp/
	$(BIN)/fp down

clean: down ## stop the servers and delete their data and everything built
	rm -rf .fp .venv .tools kernel/target
