# What a person or CI asks of this repository. Every target first sets up what it needs; repeats are instant.
#
#   make demo       run workflows/refactor.yaml on a scratch copy, its models replayed unless a server has them
#   make test       everything that CI judges: check, then pytest with coverage
#   make check      lint, types, the floors of the house, our own workflows
#   make fix        format, and repair what the linter can repair
#   make snapshots  accept the command lines that the stories now show (read the diff before you commit it)
#   make bench      measure speed and size, write benchmarks/RESULTS.md
#   make docs       write the pages that are made from tools, signatures and docstrings
#   make wheel      build dist/*.whl
#   make setup      only the set-up; make clean forgets it
#
# PYTHON=python3.13 make setup chooses the interpreter; PYTEST_ARGS="-k edit" is passed on to pytest.

SHELL       := /bin/sh
VENV        := .venv
BIN         := $(VENV)/bin
READY       := $(VENV)/.ready
SERVERS     := tests/servers
PYTEST_ARGS ?=
# The rooms that touch nothing outside: per cent of their lines and branches that the whole suite must run.
PURE        := runner/words/*,runner/workflow/*,runner/chat/*,runner/plan/*,runner/record/*,runner/show/*
PURE_COVERED := 99
JOBS        ?= 2

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The examples name mcp-server-git, which the set-up puts beside our own command.
demo test check bench snapshots: export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := test
.PHONY: setup node demo test check fix bench snapshots docs wheel clean

setup: $(READY) node

# The first interpreter that is new enough; its own words if none is, or if Debian split the venv module off.
$(READY): pyproject.toml constraints.txt
	@set -e; found=; \
	for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	test -n "$$found" || { echo 'make: Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3' >&2; exit 1; }; \
	"$$found" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: $$found has no venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; \
	echo "setting up $(VENV) with $$("$$found" --version)"; \
	test -x $(BIN)/python || "$$found" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

# The npm servers are only tested against; without node those tests say that they are skipped.
node:
	@set -e; test -f $(SERVERS)/package.json || exit 0; \
	if ! command -v npm >/dev/null 2>&1; then \
	  echo 'make: node and npm are not installed, so the tests against the npm MCP servers are skipped'; exit 0; \
	fi; \
	if [ $(SERVERS)/node_modules/.ready -nt $(SERVERS)/package.json ]; then exit 0; fi; \
	echo 'installing the npm MCP servers that the tests talk to'; \
	if npm install --prefix $(SERVERS) --no-audit --no-fund --no-package-lock --loglevel=error \
	    --fetch-timeout=60000 --fetch-retries=1; then \
	  touch $(SERVERS)/node_modules/.ready; \
	else \
	  echo 'make: npm install failed, so the tests against the npm MCP servers are skipped' >&2; \
	fi

demo: $(READY)
	@sh workflows/demo.sh

test: setup check
	$(BIN)/pytest -n $(JOBS) --cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)
	$(if $(PYTEST_ARGS),,$(BIN)/coverage report --include='$(PURE)' --skip-covered --fail-under=$(PURE_COVERED))

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bridge-run check --offline --strict workflows

fix: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup
	$(BIN)/python benchmarks/run.py

snapshots: setup
	$(BIN)/pytest -n $(JOBS) --snapshot-update $(PYTEST_ARGS)

docs: $(READY)
	$(BIN)/python docs/reference/make.py

wheel: $(READY)
	$(BIN)/hatchling build -t wheel
	@ls -l dist/*.whl

clean:
	rm -rf $(VENV) $(SERVERS)/node_modules dist .demo .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache
