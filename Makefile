# make demo and make test work from a bare checkout with Python >= 3.11: each does all of its set-up.
PYTHON ?= python3
BIN := .venv/bin

OLDEST := tests/test_storage.py tests/test_extras.py tests/test_dependencies.py tests/kernels tests/chain tests/networks \
	tests/integrations tests/evaluation/test_metrics.py tests/evaluation/test_cache.py tests/evaluation/test_pictures.py tests/cli

.PHONY: help venv demo test slow site oldest peers rivals page studio wheel check format bench strong clean

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

oldest: .venv-oldest/ready ## the fast tests with the oldest versions that pyproject.toml allows
	.venv-oldest/bin/python -m pytest $(OLDEST)

.venv-oldest/ready: pyproject.toml tools/oldest.py
	$(PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python tools/oldest.py > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --constraint .venv-oldest/constraints.txt --editable '.[test]'
	@touch $@

peers: venv ## .venv-peers, with the other libraries that benchmarks/speed.py compares with
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all]' accelerate
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement benchmarks/peers.txt

rivals: venv ## .venv-rivals, with the other libraries that benchmarks/mixed_tables.py compares with
	$(PYTHON) -m venv .venv-rivals
	.venv-rivals/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all]'
	.venv-rivals/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement benchmarks/rivals.txt

page: venv ## test the page of `saltus export --format web` in a browser (needs Chromium and npm)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt playwright
	test -d node_modules/onnxruntime-web || npm install --prefix . --no-save --no-package-lock --ignore-scripts onnxruntime-web@1.30.0
	$(BIN)/python -m pytest -n 0 -m slow tests/integrations/test_web_page.py

site: venv ## the site of docs/, with its tutorials run, in docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx --jobs auto --fail-on-warning --keep-going --quiet -b html docs docs/_build/html

studio: .venv-studio/ready ## the studio in a browser, through every tab, and through its API (installs Chromium if it may); see studio-screenshots/
	@command -v chromium > /dev/null || command -v chromium-browser > /dev/null || command -v google-chrome > /dev/null || { \
		test "$$(id -u)" = 0 || { echo "the studio's tests need Chromium; install it, with: sudo apt-get install chromium"; exit 1; }; \
		apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; }
	.venv-studio/bin/python -m pytest -n 0 -m slow tests/studio

.venv-studio/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear .venv-studio
	sed 's/^pillow==.*/pillow==12.3.0/' constraints.txt > .venv-studio/constraints.txt # Gradio asks for one below 13
	.venv-studio/bin/python -m pip install --quiet --disable-pip-version-check --constraint .venv-studio/constraints.txt --editable '.[test,studio]' playwright
	@touch $@

wheel: venv ## build a wheel, and use it in an environment that has nothing of this folder
	$(BIN)/python tools/wheel.py

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

strong: venv ## kernels and rivals on MNIST and Fashion-MNIST (hours, continues; DATA=folder of mnist.npz and fashion_mnist.npz)
	$(BIN)/python benchmarks/strong.py train $(DATA)
	$(BIN)/python benchmarks/strong.py compare $(DATA)
	$(BIN)/python benchmarks/strong.py report

clean: ## remove what the other targets made
	rm -rf .venv .venv-oldest .venv-peers .venv-rivals .venv-studio studio-screenshots node_modules demo build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis docs/_build docs/api
