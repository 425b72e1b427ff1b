PYTHON ?= python3.11
.DEFAULT_GOAL := help

help:  ## list the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

.venv/.installed: requirements.lock requirements-dev.lock
	@echo "Installing the service environment ..."
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

test: .venv/.installed  ## run every test
	.venv/bin/python -m pytest

check: .venv/.installed  ## ruff, mypy --strict, import-linter
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

lock:  ## renew the lock files
	uv pip compile --quiet --no-header --no-emit-index-url --python-version 3.11 requirements.in -o requirements.lock
	uv pip compile --quiet --no-header --no-emit-index-url --python-version 3.11 requirements-dev.in -o requirements-dev.lock

.PHONY: help test check lock
