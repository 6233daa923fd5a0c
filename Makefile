# All commands of the project. The two most important: make demo, make test.
#
#   PYTHON=...  the Python to build the environment on, as PYTHON=3.10 or a path (default: 3.11, else 3.12 or 3.13)
#   JOBS=...    processes that run the tests (default: one a core, at most four)
#   VENV=...    the environment's folder (default .venv; .venv-3.10 for PYTHON=3.10)

PYTHON ?=
VENV ?= .venv$(if $(filter 3.%,$(PYTHON)),-$(PYTHON))
FRAMEWORKS_VENV ?= .venv-frameworks
DATA ?=
OUT := out
PYTEST_ARGS ?=
JOBS ?= auto
TESTS ?=
# Tests whose coverage CI measures: measuring makes tests a third slower, so it is not done for all.
COVERED := tests/nodes tests/hardware tests/estimates tests/compilers/placement
CASES ?= 2000
SEED ?= 0
FORMAT ?=
CASE ?=
KILLS ?= 200
BIN := $(VENV)/bin
# A worker a core, at most four: each imports torch and holds its own compiled models.
PYTEST = $(BIN)/python -m pytest --numprocesses $(JOBS) --maxprocesses 4 --dist worksteal
ENVIRONMENT := PYTHON="$(PYTHON)" VENV="$(VENV)" scripts/bootstrap

# On 3.10 numpy is 1.26 and torch 2.3, whose type hints say less: what mypy lets pass there and nowhere else.
FEWER_TYPES := --allow-any-generics --allow-untyped-calls --no-warn-return-any --no-warn-unused-ignores

.DEFAULT_GOAL := help
.PHONY: help demo pictures gallery browser docs test test-all frameworks coverage fuzz kills lint types train-digits train-ecg bench clean dist environment

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

environment: ## make the environment, or update it (the other commands do this themselves)
	@$(ENVIRONMENT)

demo: environment ## compile the trained digits model for Loihi 2, compare it with Lava, print the energy report
	$(BIN)/bim-compile examples/digits.pt --target loihi2 --samples 8 --verify lava -o $(OUT)/digits

test: environment ## run the quick tests, some minutes (PYTHON=3.10 for another Python)
	$(PYTEST) -m "not slow" $(TESTS) $(PYTEST_ARGS)

test-all: environment ## run every test (TESTS="-m slow": only those that make test skips; TESTS=FILE: one file)
	$(PYTEST) $(TESTS) $(PYTEST_ARGS)

coverage: environment ## print which lines some quick tests run (TESTS= for others); it sets no minimum
	@rm -f .coverage
	$(BIN)/python -m coverage run -m pytest -q -m "not slow and not lava" $(or $(TESTS),$(COVERED))
	$(BIN)/python -m coverage report
	@echo "not measured: kernels compiled by numba, and code in child processes (commands, Lava, readers of files)"

frameworks: ## norse, snnTorch, SpikingJelly beside us, and NeuroBench as judge, in an environment of its own
	@scripts/frameworks "$(FRAMEWORKS_VENV)"
	PYTHONPATH=. $(FRAMEWORKS_VENV)/bin/python scripts/make_imported_runs.py --check
	PYTHONPATH=. $(FRAMEWORKS_VENV)/bin/python scripts/check_live_nets.py
	PYTHONPATH=. $(FRAMEWORKS_VENV)/bin/python scripts/run_pages.py
	PYTHONPATH=. $(FRAMEWORKS_VENV)/bin/python scripts/run_neurobench.py

fuzz: environment ## damage files at random and read them: CASES=2000 a format, SEED=0; FORMAT=pt CASE=17 repeats one
	$(BIN)/python scripts/fuzz.py --cases $(CASES) --seed $(SEED) $(if $(FORMAT),--format $(FORMAT)) $(if $(CASE),--case $(CASE))

kills: environment ## kill the commands at random moments, then run them again: KILLS=200, SEED=0; CASE=17 repeats one
	$(BIN)/python scripts/kills.py --kills $(KILLS) --seed $(SEED) --jobs 2 $(if $(CASE),--case $(CASE))

browser: ## install Chromium from the system's packages, for the tests of report.html
	@scripts/browser

pictures: demo browser ## take docs/report-light.png and -dark.png of the demo's report
	$(BIN)/python scripts/screenshots.py $(OUT)/digits/report.html

gallery: environment browser ## run what docs/gallery.md shows, and take its pictures again (minutes)
	$(BIN)/python scripts/gallery.py

docs: environment ## build the documentation as a site that opens offline: site/index.html
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint scripts/constraints.txt --editable '.[docs]'
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

lint: environment ## style, import order, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: environment ## mypy, strict
	$(BIN)/mypy $(if $(filter 3.10,$(PYTHON)),$(FEWER_TYPES))

train-digits: environment ## train the digits model again (minutes)
	$(BIN)/bim-train digits --final -o $(OUT)/digits.pt

train-ecg: environment ## train on MIT-BIH heartbeats: make train-ecg DATA=FOLDER
	@test -n "$(DATA)" || { echo "give the folder that holds the recordings: make train-ecg DATA=FOLDER" >&2; exit 2; }
	$(BIN)/bim-train ecg --final --data "$(DATA)" -o $(OUT)/ecg.pt

bench: environment ## run the benchmarks; each prints its ratios and the machine
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.learning
	$(BIN)/python -m benchmarks.placement
	$(BIN)/python -m benchmarks.million
	$(BIN)/python -m benchmarks.maps

dist: environment ## build the wheel and the source archive into dist/
	$(BIN)/python -m build --no-isolation

clean: ## remove what the commands above made, except the environment
	rm -rf build dist site out out-* .pytest_cache .mypy_cache .ruff_cache .coverage .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
