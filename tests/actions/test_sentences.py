"""Every response that an action names is a sentence of the dialogue's files: Rasa would say nothing instead."""

import re
from pathlib import Path

import pytest

from actions.follow import APPLIED
from bot.dialogue.responses import Responses

SAID = Responses().now()
ACTIONS = Path(__file__).parents[2] / "actions"
NAMED = sorted(
    {name for file in ACTIONS.glob("*.py") for name in re.findall(r'"((?:say|utter)_\w+)"', file.read_text())}
)
PREFIXES = ("say_tou_", "say_tou_on_")


@pytest.mark.parametrize("name", [name for name in NAMED if name not in (*PREFIXES, "utter_action")])
def test_a_response_that_an_action_names_exists(name: str) -> None:
    assert name in SAID


@pytest.mark.parametrize("subject", sorted(APPLIED))
def test_a_service_is_told_with_its_time(subject: str) -> None:
    assert {f"say_{subject}", f"say_how_long_{subject}"} <= SAID.keys()
