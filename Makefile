PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DURATION ?= 60
SEED ?= 0

.PHONY: demo test test-compose test-install test-qdrant faults crash check format bench bench-quick clean
.DELETE_ON_ERROR:

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,figures,map,dev]'
	touch $@

demo: $(STAMP)  ## Watch the example photographs, drop pictures in, ask with one
	$(BIN)/python examples/demo.py

test: $(STAMP)  ## Every test
	$(BIN)/python -m tests

test-compose: $(STAMP)  ## The containers: built, started, asked, killed one by one, taken down
	$(BIN)/python -m tests.compose

test-install:  ## The base installation in an environment of its own: sizes, times, the first commands
	$(PYTHON) -m tests.install

test-qdrant: $(STAMP)  ## Contract, fault and end-to-end suites with the Qdrant at QDRANT_URL
	@test -n "$${QDRANT_URL:-}$${QDRANT_URLS:-}" || { echo "set QDRANT_URL, such as http://127.0.0.1:6333" >&2; exit 2; }
	$(BIN)/python -m pytest tests/contract
	$(BIN)/python -m pytest -m "any_store and not embedded" tests/e2e tests/faults

faults: $(STAMP)  ## Every case of fault and bad input, with a table of the outcomes
	$(BIN)/python -m pytest tests/faults

crash: $(STAMP)  ## Files change and the daemon dies at random for DURATION seconds, from SEED
	$(BIN)/python -m tests.faults.crasher --duration $(DURATION) --seed $(SEED)

check: $(STAMP)  ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

BENCH_STAMP := .venv/.installed-bench

$(BENCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	touch $@

bench: $(BENCH_STAMP)  ## Speed and memory against limits and peers: benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks $(BENCH)

bench-quick: $(BENCH_STAMP)  ## Every benchmark with little, to see that it runs
	$(BIN)/python -m benchmarks --quick

clean:  ## Remove what the targets made
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
