PYTHON ?= python3.11
.DEFAULT_GOAL := help
BIN := .venv/bin

help:  ## list the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

.venv/.installed: requirements.lock requirements-dev.lock
	@echo "[1/4] Installing the service environment ..."
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or name it with PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv .venv
	@# the lock is complete: resolving it again takes minutes and may bring CUDA
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-dev.lock
	@touch $@

ready: .venv/.installed
	@$(BIN)/python -m bot.dialogue_model
	@$(BIN)/python -m triage.training

run: ready  ## set up what is missing and start the product
	@exec $(BIN)/python -m bot

test: ready  ## run every test
	$(BIN)/python -m pytest -n 2 --dist loadfile

fast: .venv/.installed  ## run the tests that need neither Rasa, PostgreSQL, a browser nor much time
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not rasa and not browser and not postgresql and not slow"

check: .venv/.installed  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

train: ready  ## write the trainers' labels into the files, train candidates, compare them with the models in use
	@$(BIN)/python -m triage.trainer train

sim: .venv/.installed  ## a WeChat and a Telegram to try the channels without an account
	@exec $(BIN)/python -m channels.simulator

bench: ready  ## measure beside a stock Rasa project
	$(BIN)/python -m tests.bench

lock: .venv/.installed  ## renew the lock files
	$(BIN)/uv pip compile --quiet --no-header --no-emit-index-url --python-version 3.11 requirements.in -o requirements.lock
	$(BIN)/uv pip compile --quiet --no-header --no-emit-index-url --python-version 3.11 --override requirements-overrides.txt requirements-dev.in -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --no-header --no-emit-index-url --python-version 3.10 --override bot/dialogue/overrides.txt bot/dialogue/requirements.in -o bot/dialogue/requirements.lock

.PHONY: help ready run test fast check train sim bench lock
