"""Every sentence a customer reads is short, and its values exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actions.policy import PolicyError, facts
from bot import conversation, visits
from bot.dialogue.responses import Responses
from bot.safety import TICKET_LINE, words

ROOT = Path(__file__).parents[2]
LONGEST = 80
# a value takes about as much room as its name in braces, a list of lines stands in lines of its own
RESPONSES = {name: variant["text"] for name, variants in Responses().now().items() for variant in variants}


def test_the_files_hold_the_sentences() -> None:
    assert len(RESPONSES) > 100


@pytest.mark.parametrize("name", RESPONSES)
def test_a_sentence_is_at_most_80_characters(name: str) -> None:
    for sentence in re.split(r"[。！？\n]", RESPONSES[name]):
        shown = re.sub(r"\{(\w+)\}", lambda value: facts().get(value[1], value[1]), sentence)
        assert len(shown) <= LONGEST, f"{len(shown)}: {shown}"


def test_what_is_said_without_rasa_is_short_too() -> None:
    said = [conversation.BOT_UNAVAILABLE, conversation.BACK.text, TICKET_LINE, visits.FOURTH_LINE]
    said += [text for hazard in words().hazards for text in (hazard.advice, hazard.reminder)]
    for text in said:
        for sentence in re.split(r"[。！？\n]", text):
            assert len(sentence) <= LONGEST, sentence


def test_no_promise_or_price_stands_in_a_sentence() -> None:
    """Deadlines and prices come from policy.yml and the systems; what is left are places of figures."""
    for name, text in RESPONSES.items():
        for figure in re.findall(r"\d+(?:\.\d+)?(?=元|个工作日|小时内|分钟)", re.sub(r"“[^”]*”", "", text)):
            raise AssertionError(f"{name} holds {figure}")


@pytest.mark.parametrize(
    "broken",
    [
        "late_fee: {per_day: x, source: y}",
        "late_fee: {per_day: x, since: 2024-06-01}",
        "a: {b: 5, source: x, since: 2024-06-01}",
    ],
)
def test_a_rule_without_source_or_date_is_refused_by_name(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "policy.yml"
    file.write_text(broken, "utf-8")
    with pytest.raises(PolicyError, match=broken.split(":")[0]):
        facts(file)
