"""Rasa's own validator finds nothing to say about domain, rules and training data."""

from __future__ import annotations

import subprocess

import pytest

from bot.dialogue.environment import QUIET, VENV
from bot.settings import ROOT, child_environment

pytestmark = pytest.mark.rasa


def test_rasas_validator_is_content() -> None:
    done = subprocess.run(
        [
            *(str(VENV / "bin" / "rasa"), "data", "validate", "--fail-on-warnings", "--config", "config.yml"),
            *("--domain", "bot/dialogue/domain", "--data", "nlu_data/intents", "bot/dialogue/rules"),
        ],
        cwd=ROOT,
        env=child_environment(QUIET) | {"PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert [line for line in said.splitlines() if "UserWarning" in line and "rasa/shared" in line] == []
