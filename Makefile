# Two commands for everyone: `make demo` and `make test`. Both build .venv from the hashed lock first.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
CHECK ?=
PORT ?= 8000
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --upgrade

.PHONY: demo test check lint bench lock clean vendor

demo: .venv/.run
	@$(BIN)/python manage.py demo --port $(PORT) $(if $(CHECK),--check)

test: .venv/.dev
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python manage.py makemigrations --check --dry-run
	FSF_ENV=production FSF_SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))') FSF_HOSTS=fsf.example.org $(BIN)/python manage.py check --deploy --fail-level WARNING

lint: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev
	@$(BIN)/python -m bench.post_run

lock: .venv/.dev
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf .venv var staticfiles .mypy_cache .ruff_cache .pytest_cache

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "fsf needs Python 3.11 or newer on PATH; none was found. Install one, or name it: make PYTHON=/path/to/python3.11 demo"; exit 1; }
	@echo "Making the virtual environment .venv with $(PYTHON) ..."
	@$(PYTHON) -m venv .venv

.venv/.run: requirements.lock .venv/bin/python
	@echo "Installing from requirements.lock (hashes checked) ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --quiet --require-hashes -r requirements.lock
	@touch $@

.venv/.dev: requirements-dev.lock .venv/bin/python
	@echo "Installing from requirements-dev.lock (hashes checked) ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --quiet --require-hashes -r requirements-dev.lock
	@touch $@ .venv/.run
