# Each target sets up what it needs, from nothing but python3 (with venv), make and git.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test test-all bench manifest engine lock change notes check release changelog .venv .venv/demo .venv/ready

PYTHON ?= python3
PYTHON_FILES := benchmarks hooks local_extensions.py locks.py ship.py template_origin.py tests
SLOW ?= slow
# they look at the clock or share an engine, so nothing runs beside them
ALONE := tests/containers tests/faults tests/test_compare.py
PROJECT := {{cookiecutter.project_slug}}
# what runs as programs, and what only real servers drive: tests/databases, slow
NOT_FAST := '*/vitals/ops/*,*/vitals/migrations.py,*/vitals/database_engine.py'
# The project's packages too: tests/ops runs the project's own ops.
LOCKS := requirements.txt $(PROJECT)/requirements-dev.txt
# The machine's own uv first, else the one that requirements-uv.txt pins.
export PATH := $(PATH):$(CURDIR)/.venv/bin
COMPILE := uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header

##@ See it
help: ## Print this
	@awk -F ':.*## ' '/^##@ /{print "\n" substr($$0, 5)} /^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: .venv/demo ## Generate a service with the defaults into build/demo/, start it, send it traffic, serve until Ctrl-C; BREAK=database stops its database
	@.venv/bin/python -m benchmarks.demo

##@ Before you share a change
test test-all: export PYTHONDONTWRITEBYTECODE := # hundreds of Pythons start: each module is compiled once
test: .venv/ready ## Check lint, format and types; run the fast tests
	.venv/bin/ruff check --quiet $(PYTHON_FILES) && .venv/bin/ruff format --quiet --check $(PYTHON_FILES)
	cd '$(PROJECT)/vitals' && ../../.venv/bin/ruff check --quiet . && \
	  ../../.venv/bin/ruff format --quiet --check --exclude '*.md' .
	cd '$(PROJECT)' && ../.venv/bin/pyrefly check --config pyproject.toml --python-interpreter-path ../.venv/bin/python \
	  --search-path .. --search-path . vitals ../tests/engine ../tests/ops
	.venv/bin/pytest -n $(or $(WORKERS),4) --dist loadgroup -m "not slow" --cov --cov-report= --durations=10
	@.venv/bin/coverage report --omit $(NOT_FAST) --skip-covered --fail-under 97

test-all: test ## Run the slow tests too: every kind of project on each Python, on its oldest and newest packages
	.venv/bin/pytest -n $(or $(WORKERS),2) --dist loadgroup -m '$(SLOW)' $(ALONE:%=--ignore=%) --durations=10
	.venv/bin/pytest -m '$(SLOW)' $(ALONE) --durations=10

bench: .venv/ready ## Compare the cost of observability with other packages; needs valgrind and wrk, takes 15 minutes
	@.venv/bin/python -m benchmarks.bench

##@ To release the template
change: .venv/ready ## Write a record of a change, to fill in; TITLE="Refuse a name in brackets"
	@.venv/bin/python ship.py change

notes: .venv/ready ## Check that each change since the last release has a complete record
	@.venv/bin/python ship.py notes

check: .venv/ready ## Run all tests and record that this tree passed: make release requires it
	@.venv/bin/python ship.py check

release: .venv/ready ## Tag a version, all or nothing; LEVEL=patch, minor or major; DRY=1 shows it, YES=1 asks nothing
	@.venv/bin/python ship.py release

changelog: .venv/ready ## Print the notes of all releases; VERSION=v1.2.0 prints one
	@.venv/bin/python ship.py changelog

##@ After a change of the engine or of dependencies
manifest: ## Renew vitals/MANIFEST, the engine's checksums: make test refuses a stale one
	@cd '$(PROJECT)' && $(PYTHON) -m vitals.ops.check.engine write

engine: .venv/ready ## Build the engine's wheel, for applications that exist already, into DEST=build/dist
	uv build --quiet --no-config --wheel --out-dir '$(or $(DEST),build/dist)'

lock: .venv/ready ## Renew the hash locks: the template's own, and those of every variant
	echo uv | $(COMPILE) - --output-file requirements-uv.txt > /dev/null
	.venv/bin/python locks.py
	.venv/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' | \
	  $(COMPILE) - --constraint '$(PROJECT)/requirements-dev.txt' --output-file requirements.txt > /dev/null
	echo cookiecutter | $(COMPILE) - --constraint requirements.txt --output-file requirements-generate.txt > /dev/null
	$(COMPILE) --constraint '$(PROJECT)/requirements.txt' benchmarks/peers.in --output-file benchmarks/requirements-peers.txt > /dev/null

# Each is written last and holds the locks that are installed, the first the folder too: .venv can't be
# moved. The demo needs one package and what that needs, the tests some 400 MB more.
GENERATE := requirements-generate.txt requirements-uv.txt
INSTALL := uv pip install --quiet --python .venv/bin/python --require-hashes
FAILED := { echo "set-up could not finish. Fix: repair what is reported above, then repeat the command"; exit 1; }

.venv/ready: .venv/demo
	@[ "$$(cat $(LOCKS) .venv/demo)" = "$$(cat $@ 2> /dev/null)" ] || { \
	  echo "installing what the tests need into .venv, some 400 MB …"; $(INSTALL) $(LOCKS:%=-r %) || $(FAILED); }
	@cat $(LOCKS) .venv/demo > $@

.venv/demo:
	@.venv/bin/python -c '' 2> /dev/null && [ "$$(cat $(GENERATE) && pwd)" = "$$(cat $@ 2> /dev/null)" ] || \
	  $(MAKE) --no-print-directory .venv

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "found $$($(PYTHON) --version 2>&1); expected Python 3.11 or newer: make PYTHON=python3.13"; exit 1; }
	@rm -rf .venv
	@command -v uv > /dev/null || $(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "$(PYTHON) has no venv module: install python3-venv, then repeat the command"; exit 1; }
	@echo "setting up .venv from requirements-generate.txt …"
	@if command -v uv > /dev/null; then \
	  uv venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv; else \
	  said=$$({ $(PYTHON) -m venv .venv && .venv/bin/pip install --disable-pip-version-check --require-hashes \
	    -r requirements-uv.txt; } 2>&1) || { echo "$$said"; false; }; fi || $(FAILED)
	@$(INSTALL) -r requirements-generate.txt || $(FAILED)
	@{ cat $(GENERATE) && pwd; } > .venv/demo
