# One way to do each thing. `make help` lists them.
PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin
SOURCES = src functions tests examples

.DEFAULT_GOAL := help
.PHONY: help install demo test test-unit check format clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/.installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Error: $(PYTHON) is not on the PATH"; echo "Fix: install Python 3.11 or newer, or say make PYTHON=python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

install: $(BIN)/.installed ## make the virtual environment in .venv

demo: install ## the whole loop on this machine: data, training, canary, prediction
	@$(BIN)/knoll demo

test: install ## every test, the loop with real parts included
	$(BIN)/python -m pytest

test-unit: install ## the tests that need seconds
	$(BIN)/python -m pytest -m "not loop"

check: install ## style, types and layers
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## write the style that check wants
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

clean: ## remove what make made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
