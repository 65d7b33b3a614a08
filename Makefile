# Everything here starts from nothing but a Python >= 3.11: the first target that needs it makes
# .venv and installs what constraints.txt pins.

MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The first of these that runs and is new enough; `make PYTHON=/path/to/python …` overrides.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
WHEELS := .cache/wheel
# The share of lines and branches that tests reach; it only ever goes up. Less where no Kafka
# broker can be started.
COVERAGE_PERCENT := 90
# A file of tests stays in one process, and shares its servers.
TEST_PROCESSES := 2

PACKAGED := $(shell find consumer schemas sql dashboards -type f -not -name '*.pyc') \
	pyproject.toml README.md LICENSE

.PHONY: demo test lint types format bench constraints clean help

demo: $(VENV)/duckpost.stamp ## Simulated SES traffic through the whole path: make demo ARGS="--messages 5000"
	$(BIN)/duckpost demo $(ARGS)

# Against the wheel as users get it, not the checkout: PYTHONSAFEPATH keeps the working folder
# out of sys.path, here and in every process the tests start.
test: $(VENV)/duckpost.stamp $(VENV)/dev.stamp ## All tests, against the built wheel: make test ARGS="tests/decode -k bounce"
	PYTHONSAFEPATH=1 WHEEL_UNDER_TEST=1 $(BIN)/python -m pytest \
		--numprocesses $(TEST_PROCESSES) --dist loadfile \
		--import-mode=importlib -ra --durations=15 --cov --cov-report=term-missing:skip-covered \
		--cov-fail-under=$(if $(ARGS),0,$(COVERAGE_PERCENT)) $(ARGS)

# The linters read the checkout, and need to see what it imports.
lint: $(VENV)/duckpost.stamp $(VENV)/dev.stamp ## ruff, sqlfluff and the one-way rooms
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar sql
	$(BIN)/lint-imports

types: $(VENV)/duckpost.stamp $(VENV)/dev.stamp ## mypy, strict, code and tests
	$(BIN)/mypy consumer schemas tests benchmarks

format: $(VENV)/dev.stamp ## Let ruff and sqlfluff mend what they can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/sqlfluff fix --disable-progress-bar sql

bench: $(VENV)/duckpost.stamp $(VENV)/dev.stamp ## Speed and memory on this machine: make bench ARGS="--events 200000"
	$(BIN)/python benchmarks/bench.py $(ARGS)

# Resolved with the oldest Python there is to support, so that no pin asks for a newer one.
constraints: ## Pin anew what there is today: make constraints PYTHON=python3.11
	rm -rf .cache/resolve
	$(PYTHON) -m venv .cache/resolve
	.cache/resolve/bin/python -m pip --quiet install --upgrade pip
	.cache/resolve/bin/python -m pip --quiet install . --group dev
	.cache/resolve/bin/python -m pip freeze --all --exclude duckpost --exclude setuptools | sort --ignore-case > constraints.txt

clean: ## Remove everything made here
	rm -rf $(VENV) .cache build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS=$$'\t' read -r name does; do \
		printf '  make %-12s %s\n' "$$name" "$$does"; done

# Three stamps: the environment, duckpost as a wheel in it with what it needs to run, and the
# tools. Nothing is installed that constraints.txt doesn't pin, build backend included.
$(VENV)/venv.stamp: constraints.txt
	@[[ -n "$(PYTHON)" ]] || { echo "duckpost needs Python >= 3.11 and found none: install one, or say make PYTHON=/path/to/python" >&2; exit 1; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt pip hatchling
	touch $@

$(VENV)/dev.stamp: $(VENV)/venv.stamp pyproject.toml
	$(PIP) install --constraint constraints.txt --group dev
	touch $@

$(VENV)/duckpost.stamp: $(VENV)/venv.stamp $(PACKAGED)
	rm -rf $(WHEELS)
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir $(WHEELS) .
	$(PIP) install --constraint constraints.txt $(WHEELS)/*.whl
	$(PIP) install --no-deps --force-reinstall $(WHEELS)/*.whl
	touch $@
