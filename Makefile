# Two commands for everyone: `make demo` and `make test`. Both build .venv from the hashed lock first.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
CHECK ?=
PORT ?= 8000
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --upgrade

.PHONY: demo test check lint bench bench-import bench-faults bench-reading lock clean vendor

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
	FSF_ENV=production FSF_SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))') FSF_HOSTS=fsf.example.org EMAIL_URL=smtp://127.0.0.1:25 $(BIN)/python manage.py check --deploy --fail-level WARNING

lint: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev
	@$(BIN)/python -m bench.peers

bench-import: .venv/.dev
	@$(BIN)/python -m bench.import_logs

bench-faults: .venv/.dev
	@PYTHONPATH=client $(BIN)/python -m bench.faults

bench-reading: .venv/.dev
	@$(BIN)/python -m bench.reading

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
	$(call install,requirements.lock)
	@touch $@

.venv/.dev: requirements-dev.lock .venv/bin/python
	$(call install,requirements-dev.lock)
	@touch $@ .venv/.run

# Shows each package as it is fetched; the whole log stays in .venv/install.log and its end is shown where it failed.
define install
	@echo "Installing from $(1), every hash checked:"
	@{ $(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes -r $(1) 2>&1; echo "exit $$?"; } \
	  | tee .venv/install.log | sed -n -e 's/^Collecting \([^ ]*\).*/  \1/p' -e 's/^Installing collected.*/  installing them .../p'
	@test "$$(tail -n 1 .venv/install.log)" = "exit 0" || { tail -n 20 .venv/install.log; echo "Installing failed; the lines above say why."; exit 1; }
endef
