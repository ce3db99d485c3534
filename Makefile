# Two commands do everything: `make demo` and `make test`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# numpy's threads stand in each other's way on small matrices, and in the way of brokers and databases.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test chaos record check format schemas metrics clean

demo: $(INSTALLED)
	@$(BIN)/drift-aware demo $(ARGS)

# Each process has brokers and a database of its own, and takes whole files.
test: check
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# CHAOS_RUNS seeds of every scenario, from CHAOS_SEED on; about a minute each.
chaos: export CHAOS_RUNS ?= 5
chaos: export CHAOS_EVENTS ?= 40000
chaos: $(INSTALLED)
	$(BIN)/python -m pytest tests/chaos $(ARGS)

# 200,000 events into Postgres with RECORD_RUNS seeds, from RECORD_SEED on; two minutes each.
record: export RECORD_RUNS ?= 5
record: export RECORD_EVENTS ?= 200000
record: export RECORD_OUTAGE_SECONDS ?= 30
record: $(INSTALLED)
	$(BIN)/python -m pytest tests/record $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

schemas: $(INSTALLED)
	$(BIN)/python -m drift_aware.schema.json_schemas
	PYTHONPATH=docs $(BIN)/python -m writers

metrics: $(INSTALLED)
	$(BIN)/python -m drift_aware.schema.metrics.page > docs/metrics.md

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python 3.11, 3.12 or 3.13 found; set PYTHON=/path/to/python"; exit 2; }
	@# To stderr: what `make demo ARGS=--json` prints on stdout is read by machines.
	@echo "making the environment in $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV) >&2
	@$(BIN)/python -m pip install --quiet --editable '.[all,dev]' >&2
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
