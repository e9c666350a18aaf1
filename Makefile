# make demo and make test work from a bare checkout with Python >= 3.11: each does all of its set-up.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help venv demo test slow check format bench images clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

venv: .venv/ready ## make .venv and install the pinned packages

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "saltus needs Python 3.11 or newer; set PYTHON=python3.11, for instance"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: venv ## train three kernels on handwritten digits and compare them (minutes); see demo/
	$(BIN)/saltus demo --out demo

test: venv ## the tests
	$(BIN)/python -m pytest

slow: venv ## the tests that take long
	$(BIN)/python -m pytest -m slow

check: venv ## lint, format, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 0 tests/test_house.py

format: venv ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: venv ## the five-seed comparison of the kernels on digits (continues where it was interrupted)
	$(BIN)/python benchmarks/kernels_on_digits.py

images: venv ## kernels and rivals on digits, MNIST and Fashion-MNIST (hours, continues; DATA=folder of mnist.npz and fashion_mnist.npz)
	$(BIN)/python benchmarks/images.py train $(DATA)
	$(BIN)/python benchmarks/images.py compare $(DATA)
	$(BIN)/python benchmarks/images.py report

clean: ## remove what the other targets made
	rm -rf .venv demo build src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
