"""The frozen dialogues with a real Rasa, through the door that customers use."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.message import Button
from bot.rehearsal import Heard, choose, lacks
from nlu_data import dialogues
from nlu_data.dialogues import Turn
from tests.product import Customer, Product

pytestmark = pytest.mark.rasa
FROZEN = list(dialogues.frozen())


def test_there_are_at_least_120_dialogues_of_different_names() -> None:
    assert len({one.name for one in FROZEN}) == len(FROZEN) >= 120


@pytest.mark.parametrize("turns", [pytest.param(one.turns, id=one.name) for one in FROZEN])
def test_dialogue(product: Product, turns: Sequence[Turn]) -> None:
    customer = Customer(product)
    offered: list[Button] = []
    for turn in turns:
        chosen = choose(turn, offered)
        assert chosen is not None, f"no button {turn['tap']} among {[button.title for button in offered]}"
        answers = customer.ask(*chosen)
        offered = [Button(button["title"], button["payload"]) for answer in answers for button in answer["buttons"]]
        if customer.owner != turn.get("owner", customer.owner):
            customer.look(0.5)
        cards = [answer["card"]["kind"] for answer in answers if answer["card"]]
        heard = Heard([answer["text"] for answer in answers], cards, offered, customer.owner)
        assert not lacks(turn, heard), f"{turn}: {heard}"
