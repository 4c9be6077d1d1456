# Every task of the project. CI and the pre-commit hooks run these same targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(shell command -v uv 2>/dev/null)

JOBS ?= 2
ARGS ?=
PYTEST := $(BIN)/pytest -n $(JOBS) --dist loadfile

# The first Python that really starts and is new enough: a name on PATH may be a shim for a version that is not there.
FITS := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1
FIND_PYTHON := for python in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	if $$python $(FITS); then echo $$python; break; fi; done

.PHONY: help install try demo test test-slow test-long test-airflow test-compose test-browser docs test-docs notebook picture audit explore lint types check format contract dictionary queries attribution false-alarms fault-matrix mutations chaos lock hooks clean

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv from the lock file (uv where present, pip otherwise)

try: $(STAMP) ## Publish a simulated market without Airflow, offline: some two minutes to the first query
	$(BIN)/tidemark demo --nights 0 $(ARGS)

demo: $(STAMP) ## Run two nights on a simulated market, offline, through Airflow
	$(BIN)/tidemark demo $(ARGS)

test: $(STAMP) ## Run the tests but the slow ones (ARGS="-k size" for some)
	$(PYTEST) -m "not slow and not long and not compose and not services and not browser and not docs" $(ARGS)

test-slow: $(STAMP) ## Run the slow tests
	$(PYTEST) -m slow $(ARGS)

test-long: $(STAMP) ## Run the tests that take longest: noise, wild nights, kills
	$(PYTEST) -m long $(ARGS)

test-airflow: $(STAMP) ## Run a night through Airflow's services on PostgreSQL, killing them (needs postgresql)
	$(BIN)/pytest -m services tests/airflow $(ARGS)

test-compose: $(STAMP) ## Run docker-compose.yml through a night and crashes (needs an engine)
	@$(install_browser)
	$(BIN)/pytest -m compose tests/compose $(ARGS)

docs: $(STAMP) ## Build the docs site into build/site, offline; every link and anchor must hold
	@$(install_docs)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html opens from disk"

test-docs: $(STAMP) ## Build the docs site and run the notebook, and look at both
	@$(install_docs)
	$(BIN)/pytest -m docs $(ARGS)

notebook: $(STAMP) ## Replay the two articles on TIDEMARK_HOME (the demo's by default), into build/
	@$(install_docs)
	$(BIN)/python -m docs.notebooks.run $(ARGS)

test-browser: $(STAMP) ## Open the report in Chromium (Debian: apt-get install chromium)
	@$(install_browser)
	$(BIN)/pytest -m browser tests/browser $(ARGS)

picture: $(STAMP) ## Take the README's picture of the report that `make demo` made
	@$(install_browser)
	$(BIN)/python tests/browser/picture.py demo/home/published/report/index.html docs/images/report.png

audit: $(STAMP) ## Look the images' packages up among known vulnerabilities (needs the network)
	@failed=; for lock in requirements-image.lock requirements-superset.lock; do \
		echo "Auditing $$lock"; \
		$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$lock || failed=yes; \
	done; [ -z "$$failed" ] || { \
		echo "The audit failed: either a package above has a known vulnerability, or, where it says" >&2; \
		echo "'not found' or 'failed to resolve', the advisories cannot be reached and nothing was audited." >&2; \
		exit 1; }

explore: $(STAMP) ## Draw other examples than the tests do (ARGS="--hypothesis-seed=7")
	$(PYTEST) --hypothesis-profile=other -m "not long" tests/sandbox/test_sources_read_mutated_answers.py tests/sources $(ARGS)

lint: $(STAMP) ## Check style: ruff, its formatter, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/sqlfluff lint sql docs/queries

types: $(STAMP) ## Check types: mypy
	$(BIN)/mypy

check: lint types test ## Do all that a change must pass

format: $(STAMP) ## Rewrite Python and SQL in house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix sql docs/queries

contract: $(STAMP) ## Accept added tables and columns in sql/contract.json (MAJOR=1 also removed and retyped ones)
	$(BIN)/python -m pipeline.accepting sql $(if $(MAJOR),--major)

dictionary: contract ## Write the generated parts of docs/ from the models and the registry
	$(BIN)/python -m pipeline.exposing sql docs/queries
	$(BIN)/python -m pipeline.dictionary docs/data_dictionary.md
	$(BIN)/python -m pipeline.sources.feed_table docs/sources.md
	$(BIN)/python -m pipeline.signal_docs docs/signals
	$(BIN)/python -m pipeline.cli_docs docs
	$(BIN)/python -m pipeline.quality.rule_table docs/runbook.md

queries: $(STAMP) ## Rewrite the output of the example queries in docs/bi.md (a minute)
	PYTHONPATH=tests:tests/bi nice $(BIN)/python tests/bi/query_pages.py docs/bi.md

attribution: $(STAMP) ## Rebuild the tables of docs/attribution.md from the market archive, where it is present
	nice $(BIN)/python tests/archive/attribution.py

false-alarms: $(STAMP) ## Rewrite docs/false_alarms.md: every published p-value on noise, 500 times (minutes)
	nice $(BIN)/python tests/statistics/false_alarms.py

fault-matrix: $(STAMP) ## Rewrite docs/fault_matrix.md from every fault at every endpoint (minutes)
	PYTHONPATH=tests $(BIN)/python tests/faults/fault_matrix.py

mutations: $(STAMP) ## Rewrite docs/mutations.md: every corruption, and 200 wild nights of good data (minutes)
	PYTHONPATH=tests:tests/mutations nice $(BIN)/python tests/mutations/rates.py

chaos: $(STAMP) ## Kill nights and commands at random, 200 times (ARGS="--kills 20 --seed 7")
	PYTHONPATH=tests:tests/chaos nice $(BIN)/python tests/chaos/run_chaos.py $(ARGS)

lock: ## Renew the lock files from pyproject.toml (UPGRADE=1 also raises pins; needs uv)
	@[ -n "$(UV)" ] || { echo "make lock needs uv, which one 'pip install uv' brings" >&2; exit 1; }
	@$(call compile,requirements.lock,)
	@$(call compile,requirements-dev.lock,--extra dev --constraints requirements.lock)
	@$(call compile,requirements-browser.lock,--extra browser --constraints requirements-dev.lock)
	@$(call compile,requirements-docs.lock,--extra docs --constraints requirements-dev.lock)
	@$(call compile,requirements-image.lock,--extra airflow-postgres --extra celery --constraints requirements.lock)

# What drives the browser is 40 MB, what makes the docs site 30 MB, which no other test needs.
install_browser = $(call also,requirements-browser.lock)
install_docs = $(call also,requirements-docs.lock)
also = if [ -n "$(UV)" ]; then \
		$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $(1); \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); \
	fi

hooks: $(STAMP) ## Have git run the checks before each commit
	$(BIN)/pre-commit install

clean: ## Remove what building and testing left (.venv and data stay)
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# One resolution for every supported Python and platform, each file with its hash and no address of where it was found.
# hatchling and editables build the project itself, so that installing it asks no registry.
compile = printf 'editables\nhatchling\n' | $(UV) pip compile pyproject.toml - --output-file $(1) $(2) \
	$(if $(UPGRADE),--upgrade) --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" --quiet

$(STAMP): requirements-dev.lock pyproject.toml
	@if [ -e $(VENV) ] && ! $(BIN)/python $(FITS); then rm -rf $(VENV); fi
	@set -e; if [ ! -e $(VENV) ]; then \
		python=$$($(FIND_PYTHON)); \
		if [ -n "$(UV)" ]; then \
			$(UV) venv --quiet --python "$${python:-3.13}" $(VENV); \
		elif [ -z "$$python" ]; then \
			echo "Tidemark needs Python 3.11, 3.12 or 3.13, and none of them runs here. Install one" >&2; \
			echo "(Debian 12 or newer: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3.12" >&2; \
			exit 1; \
		elif ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "$$python cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
			exit 1; \
		else \
			$$python -m venv $(VENV); \
		fi; \
	fi
	@echo "Installing the locked packages into $(VENV)"
	@set -e; if [ -n "$(UV)" ]; then \
		$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock; \
		$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .; \
	else \
		$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	fi
	@touch $@
