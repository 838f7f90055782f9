# Everything a user needs: `make demo` runs the main job, `make test` passes the tests. Both install first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help demo serve test test-core test-official-detectron2 lint types format architecture docs install doctor clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(INSTALLED)  ## make phantoms, train, evaluate, draw overlays (replaces output/demo)
	$(BIN)/segtumor demo --overwrite

serve: $(INSTALLED)  ## open the page with synthetic radiographs (keeps what it is given in output/page)
	$(BIN)/segtumor serve --samples --open

test: $(INSTALLED)  ## all tests, on all cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test-core: $(INSTALLED)  ## tests of single parts, without torch, on all cores, in half a minute
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m "not model and not command and not end_to_end and not fuzz and not browser"

# An official checkout, with its C++ parts or without: $(BIN)/python finds it before the build of the package index.
test-official-detectron2: $(INSTALLED)  ## model tests on the checkout that DETECTRON2_SOURCE names
	OMP_NUM_THREADS=1 PYTHONPATH="$(DETECTRON2_SOURCE)" $(BIN)/python -m pytest -n auto --dist loadfile -m "model or end_to_end"

# What users write into the folder is not ours to judge.
TRACKED = $(or $(shell git ls-files '*.py' 2>/dev/null),.)

lint: $(INSTALLED)  ## check style
	$(BIN)/ruff check $(TRACKED)
	$(BIN)/ruff format --check $(TRACKED)

types: $(INSTALLED)  ## check the types of the package
	$(BIN)/mypy

format: $(INSTALLED)  ## put style right
	$(BIN)/ruff check --fix $(TRACKED)
	$(BIN)/ruff format $(TRACKED)

architecture: $(INSTALLED)  ## check that imports only go downwards
	$(BIN)/python -m pytest tests/test_architecture.py

docs: $(INSTALLED)  ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

install: $(INSTALLED)  ## create .venv

doctor: $(INSTALLED)  ## say what is installed and what is missing
	$(BIN)/segtumor doctor

clean:  ## remove .venv; keeps data and runs
	rm -rf $(VENV)

# The order matters: Detectron2's setup.py imports torch. pip and setuptools are pinned in compat.py's INSTALL_COMMAND too.
$(INSTALLED): pyproject.toml constraints.txt requirements-detectron2.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'segtumor needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 4; }
	@$(PYTHON) -c 'import ensurepip' || \
	  { echo 'This Python lacks venv; install it (Debian, Ubuntu: apt install python3-venv)' >&2; exit 4; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "pip==26.2.1" "setuptools==84.2.1" wheel
	$(BIN)/python -m pip install --no-build-isolation -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --no-deps --no-build-isolation -r requirements-detectron2.txt
	@touch $@
