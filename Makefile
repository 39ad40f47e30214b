# Each target sets up what it needs, from nothing but python3 (with venv), make and git.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test test-all bench lock change notes check release changelog .venv

PYTHON ?= python3
PYTHON_FILES := benchmarks hooks local_extensions.py locks.py ship.py tests
WORKERS ?= 2
# they look at the clock or share an engine, so nothing runs beside them
ALONE := tests/containers tests/faults tests/test_compare.py
PROJECT := {{cookiecutter.project_slug}}
# The project's packages too: tests/ops runs the project's own ops.
LOCKS := requirements.txt $(PROJECT)/requirements-dev.txt
# The machine's own uv first, else the one that requirements-uv.txt pins.
export PATH := $(PATH):$(CURDIR)/.venv/bin
COMPILE := uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header

##@ See it
help: ## Print this
	@awk -F ':.*## ' '/^##@ /{print "\n" substr($$0, 5)} /^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: .venv/ready ## Generate a service with the defaults into build/demo/, start it, send it traffic, serve until Ctrl-C
	@.venv/bin/python -m benchmarks.demo

##@ Before a change is shared
test: .venv/ready ## Run the fast tests: questions, the template as it lies, bakes, make check of two variants
	.venv/bin/ruff check --quiet $(PYTHON_FILES) && .venv/bin/ruff format --quiet --check $(PYTHON_FILES)
	cd '$(PROJECT)' && ../.venv/bin/pyrefly check --config pyproject.toml --python-interpreter-path ../.venv/bin/python \
	  --search-path .. --search-path . ../tests/ops
	.venv/bin/pytest -n $(WORKERS) --dist loadgroup -m "not slow" --cov --cov-report=

test-all: test ## Run the slow tests too: every kind of project on each Python, on its oldest and newest packages
	.venv/bin/pytest -n $(WORKERS) --dist loadgroup -m slow $(ALONE:%=--ignore=%)
	.venv/bin/pytest -m slow $(ALONE)

bench: .venv/ready ## Compare what it costs to watch a request, here and elsewhere; needs valgrind and wrk, takes many minutes
	@.venv/bin/python -m benchmarks.bench && build/bench/bin/python -m benchmarks.vitals

##@ When it is released, by the very script that projects get
change: .venv/ready ## Write a record of a change, to fill in; TITLE="Refuse a name in brackets"
	@.venv/bin/python ship.py change

notes: .venv/ready ## See whether each change since the last release has a record, and whether the records are whole
	@.venv/bin/python ship.py notes

check: .venv/ready ## Run all tests and remember the tree that passed: make release asks for it
	@.venv/bin/python ship.py check

release: .venv/ready ## Tag a version, all or nothing; LEVEL=patch, minor or major; DRY=1 shows it, YES=1 asks nothing
	@.venv/bin/python ship.py release

changelog: .venv/ready ## Print the notes of all releases; VERSION=v1.2.0 prints one
	@.venv/bin/python ship.py changelog

##@ When dependencies change
lock: .venv/ready ## Renew the hash locks: the template's own, and those of every variant
	echo uv | $(COMPILE) - --output-file requirements-uv.txt > /dev/null
	.venv/bin/python locks.py
	$(COMPILE) --constraint '$(PROJECT)/requirements-dev.txt' pyproject.toml --output-file requirements.txt > /dev/null
	echo cookiecutter | $(COMPILE) - --constraint requirements.txt --output-file requirements-generate.txt > /dev/null
	$(COMPILE) --constraint '$(PROJECT)/requirements.txt' benchmarks/peers.in --output-file benchmarks/requirements-peers.txt > /dev/null

# Holds the text of the locks that .venv was made from, and is written last.
.venv/ready: $(LOCKS) requirements-uv.txt
	@if cat $^ | cmp -s - $@; then touch $@; else $(MAKE) --no-print-directory .venv; fi

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "found $$($(PYTHON) --version 2>&1); expected Python 3.11 or newer: make PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "$(PYTHON) has no venv module: install python3-venv, then repeat the command"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@command -v uv > /dev/null || .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	uv pip install --quiet --python .venv/bin/python --require-hashes $(LOCKS:%=-r %)
	@cat $(LOCKS) requirements-uv.txt > .venv/ready
