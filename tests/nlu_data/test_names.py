"""Every intent and entity has a Chinese name of its own."""

from __future__ import annotations

import re

from nlu_data import ENTITIES, TOPICS
from nlu_data.names import names


def test_every_label_has_a_short_chinese_name_and_every_entity_a_key() -> None:
    every = [intent for intents in TOPICS.values() for intent in intents]
    assert [*names().intents][: len(every)] == every and [*names().entities] == [*ENTITIES]
    assert all(re.fullmatch(r"[一-鿿]{2,9}", name) for name in names().intents.values())
    assert all(re.fullmatch("[a-z]", key) for key in names().keys.values())
