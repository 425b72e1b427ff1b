"""The trainers' verbs on the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.product import ROOT


def trainer(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "triage.trainer", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "dialogue", "nothing"),
        ("report", "dialogue", "nothing"),
        ("promote", "triage", "nothing"),
        ("cancel", "../nothing"),
        ("evaluate", "triage", "nothing"),
    ],
)
def test_what_is_not_there_is_told(arguments: tuple[str, ...]) -> None:
    found = trainer(*arguments)
    assert found.returncode == 2 and found.stderr.startswith("error: ") and "Traceback" not in found.stderr


def test_a_wrong_verb_is_refused() -> None:
    assert trainer("teach").returncode == 2
    assert trainer("train", "everything").returncode == 2


def test_versions_are_listed() -> None:
    found = trainer("models")
    assert found.returncode == 0 and "对话模型：" in found.stdout and "分类模型：" in found.stdout
