"""The action server: what a failing action leaves Rasa to do."""

from __future__ import annotations

from typing import Any

import pytest
from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher
from starlette.applications import Starlette
from starlette.testclient import TestClient

from actions.server import routes


class Broken(Action):
    """An action or a form's validation that meets bad data."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Any:
        raise ZeroDivisionError


@pytest.mark.parametrize(("name", "ends"), [("action_broken", True), ("validate_broken_form", False)])
def test_a_failing_action_apologises_hands_over_and_ends_the_turn(name: str, ends: bool) -> None:
    client = TestClient(Starlette(routes=routes([Broken(name)], "key", {})))
    tracker = {"sender_id": "1", "slots": {}, "events": [], "latest_message": {"text": "那9月呢"}, "active_loop": {}}
    call = {"next_action": name, "sender_id": "1", "tracker": tracker, "domain": {}}
    answer = client.post("/actions?token=key", json=call).json()
    assert answer["responses"] == [{"response": "say_sorry"}, {"custom": {"handoff": "action failed"}}]
    followups = [event["name"] for event in answer["events"] if event["event"] == "followup"]
    assert followups == (["action_listen"] if ends else [])
    assert {"event": "active_loop", "name": None} in answer["events"]
