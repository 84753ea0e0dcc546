# Two commands are all a newcomer needs: `make demo` and `make test`. Each sets up what it needs the first time.
# PYTHON may name another interpreter (3.11 or newer).

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := anomaly models training tests benchmarks alembic

.PHONY: demo test check bench benchmark-detection clean lock

demo: $(VENV)/.runtime
	$(BIN)/anomaly demo

test: $(VENV)/.develop
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

check: $(VENV)/.develop
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/anomaly rules test --quiet

bench: $(VENV)/.develop
	@for bench in benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python -m benchmarks.$$(basename $$bench .py) || exit 1; done

# LOGS may name any folder with audit logs and labels.jsonl, SETS one with public sets (npz).
LOGS ?= anomaly/demo
SCALE ?= 60
SETS ?=

benchmark-detection: $(VENV)/.develop
	$(BIN)/python -m anomaly benchmark detection $(LOGS) --time-scale $(SCALE)
	$(BIN)/python -m anomaly benchmark detection $(LOGS) --time-scale $(SCALE) --rules-off
	$(BIN)/python -m benchmarks.quality_public $(SETS)

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# Pinned with hashes; holds no address of any registry. Needs uv: $(PYTHON) -m pip install uv
lock:
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate requirements/build.in -o requirements/build.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --group dev pyproject.toml -c requirements/runtime.txt -o requirements/dev.txt

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No virtual environment could be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: $(VENV)/bin/python requirements/build.txt requirements/runtime.txt pyproject.toml
	@echo "Setting up (once; some minutes on a slow network) ..."
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.develop: $(VENV)/.runtime requirements/dev.txt
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
