# `make demo` and `make test` need Python 3.11 or newer and make; everything else is set up in .venv, from the lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo test test-faults test-again lint format wheel bench docs lock clean

help:  ## show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(STAMP)  ## set up .venv

$(STAMP): pyproject.toml requirements/dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q confsvc adapters
	@touch $(STAMP)

demo: $(STAMP)  ## run a web service in two environments from one artifact, then see it refused
	$(BIN)/python examples/exec/demo.py

test: $(STAMP)  ## run the tests, all but those of test-faults
	$(BIN)/python -m pytest -n auto --dist loadfile --ignore tests/faults

# They wait more than they work: twice as many workers as there are processors.
test-faults: $(STAMP)  ## run the tests of outages, broken networks and leaks
	$(BIN)/python -m pytest -n $$(($$(nproc) * 2)) tests/faults

test-again: $(STAMP)  ## run the tests that failed last time, one after the other
	$(BIN)/python -m pytest -n 0 --last-failed --last-failed-no-failures none

lint: $(STAMP)  ## check style, types and the architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## put the code into its one format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

wheel: $(STAMP)  ## build sdist and wheel, and try the wheel in an environment of its own
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/python tests/try_wheel.py dist/*.whl

bench: $(STAMP)  ## print what a start costs, as ratios
	$(BIN)/python tests/benchmarks/startup.py
	$(BIN)/python tests/benchmarks/vault.py
	$(BIN)/python tests/benchmarks/aws.py
	$(BIN)/python tests/benchmarks/gcp.py
	$(BIN)/python tests/benchmarks/staying.py
	$(BIN)/python tests/benchmarks/agent.py
	$(BIN)/python tests/benchmarks/pods.py
	$(BIN)/python tests/benchmarks/library.py
	$(BIN)/python tests/benchmarks/report.py
	$(BIN)/python tests/benchmarks/environments.py

docs: $(STAMP)  ## write the generated pages
	$(BIN)/python docs/generate.py

lock:  ## write the lock anew; needs uv
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --group dev pyproject.toml -o requirements/dev.txt

clean:  ## remove what was built
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
