# Two commands are all a newcomer needs: `make demo` and `make test`. Each sets up what it needs the first time.
# PYTHON may name another interpreter (3.11 or newer).

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
LOUD_PIP := $(BIN)/python -m pip --disable-pip-version-check
PIP := $(LOUD_PIP) --quiet
# Minutes of silence look like a fault.
COUNTED := awk '/^Collecting/ { printf "\r%d packages ... ", ++n; fflush() } /^Installing/ { printf "installing them ... "; fflush() } END { print "done." }'
SOURCES := anomaly models training tests benchmarks alembic

.PHONY: demo test check check-deploy audit bench benchmark-detection screenshots faults fuzz clean lock

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

# What is in deploy/, without a cluster or a container engine: against Kubernetes' schemas, and by the linters of its formats.
check-deploy: $(VENV)/.deploy
	@for file in $(filter-out %/kustomization.yaml,$(wildcard deploy/kustomize/base/*.yaml)); do \
		$(VENV)/deploy/bin/kubernetes-validate --strict --quiet $$file || exit 1; done
	$(VENV)/deploy/bin/hadolint deploy/Containerfile
	@if command -v systemd-analyze >/dev/null 2>&1; then \
		sed 's#/opt/anomaly/bin/anomaly#/bin/true#' deploy/systemd/anomaly.service > $(VENV)/anomaly-check.service && \
		systemd-analyze verify $(VENV)/anomaly-check.service; else echo "systemd-analyze is not here: the unit was not checked"; fi

# Known vulnerabilities of what is locked; says so when no source of advisories can be reached.
audit: $(VENV)/.develop
	@$(BIN)/python .ci/audit.py requirements/runtime.txt

bench: $(VENV)/.develop
	@for bench in benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python -m benchmarks.$$(basename $$bench .py) || exit 1; done

# Kills the service and its database KILLS times at random under load, and holds what is stored against the senders' ledgers.
KILLS ?= 20
SEED ?=
FAULTS ?=

faults: $(VENV)/.develop
	$(BIN)/python -m tests.acceptance.faults --kills $(KILLS) $(if $(SEED),--seed $(SEED)) $(FAULTS)

# Fuzzes every decoder so many SECONDS each, guided by coverage; DECODERS may name some. What is found stays in tests/fuzz/found.
SECONDS ?= 60
DECODERS ?=

fuzz: $(VENV)/.fuzz
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(DECODERS)

# LOGS may name any folder with audit logs and labels.jsonl, SETS one with public sets (npz).
LOGS ?= anomaly/demo
SCALE ?= 480
SPAN ?= 60s
BUDGET ?= 3
SETS ?=

benchmark-detection: $(VENV)/.develop
	$(BIN)/python -m anomaly benchmark detection $(LOGS) --time-scale $(SCALE) --span $(SPAN) --budget $(BUDGET)
	$(BIN)/python -m anomaly benchmark detection $(LOGS) --time-scale $(SCALE) --span $(SPAN) --budget $(BUDGET) --rules-off
	$(BIN)/python -m benchmarks.quality_public $(SETS)

# Needs Debian's chromium.
screenshots: $(VENV)/.develop
	$(BIN)/python docs/screenshots.py

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# Pinned with hashes; holds no address of any registry. Needs uv: $(PYTHON) -m pip install uv
lock:
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate requirements/build.in -o requirements/build.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate requirements/deploy.in -o requirements/deploy.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate requirements/fuzz.in -o requirements/fuzz.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --group dev pyproject.toml -c requirements/runtime.txt -o requirements/dev.txt

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No virtual environment could be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: $(VENV)/bin/python requirements/build.txt requirements/runtime.txt pyproject.toml
	@echo "Setting up (once; some minutes on a slow network) ..."
	@rm -f $@
	@{ $(LOUD_PIP) install --require-hashes -r requirements/build.txt -r requirements/runtime.txt && \
		$(PIP) install --no-build-isolation --no-deps --editable . && touch $@; } | $(COUNTED)
	@test -f $@

$(VENV)/.develop: $(VENV)/.runtime requirements/dev.txt
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.fuzz: $(VENV)/.develop requirements/fuzz.txt
	@$(PIP) install --require-hashes -r requirements/fuzz.txt
	@touch $@

# Apart from the rest: the schemas of all versions of Kubernetes are large.
$(VENV)/.deploy: $(VENV)/bin/python requirements/deploy.txt
	@$(PYTHON) -m venv $(VENV)/deploy
	@$(VENV)/deploy/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/deploy.txt
	@touch $@
