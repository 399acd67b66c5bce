# Every target builds .venv by itself when it is missing or older than what defines it.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.up-to-date

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml setup.py constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# the tests' references for Grad-CAM and for image sets, without their dependencies: those needed are there already
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps grad-cam ttach \
		imagenet-w imagenet-x
	@touch $@

environment: $(STAMP)  ## .venv alone

quickstart: $(STAMP)  ## the main job on the embedded models and images, then its leaderboard
	$(BIN)/python run.py
	@echo "Open reports/default/leaderboard.html in a browser."

test: $(STAMP)  ## the whole test suite
	@# one core a process; tests of one file share their fixtures
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

proofs: $(STAMP)  ## the long tests that the suite leaves out: killed sweeps, memory
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m proof

check: lint test  ## lint, types, layers and tests

lint: $(STAMP)  ## lint, format, types and layers alone
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

report: $(STAMP)  ## tables, plots and page from what the store holds
	$(BIN)/python run.py task=report

perf: $(STAMP)  ## side-by-side speed table
	$(BIN)/python -m perf

gpu-check: $(STAMP)  ## what only a CUDA device can show: its tests, agreement with the CPU, speed; reports/gpu-check.md
	$(BIN)/python -m perf.gpu_check

soak: $(STAMP)  ## sweeps killed, damaged and resumed at random for ten minutes
	$(BIN)/python -m tests.soak

docs: $(STAMP)  ## documentation into site/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/mkdocs build --strict

clean:  ## remove the environment and caches; results and reports stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist site *.egg-info

.PHONY: help environment quickstart test proofs check lint report perf gpu-check soak docs clean
