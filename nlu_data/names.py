"""The Chinese names of intents and entities, and the key that marks each entity: `names.yml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import yaml

from nlu_data import ENTITIES, HERE, TOPICS, DataError

FALLBACK = "nlu_fallback"


@dataclass(frozen=True)
class Names:
    """`intents`: name → Chinese, in the taxonomy's order; `entities`: name → Chinese; `keys`: entity → its letter."""

    intents: dict[str, str]
    entities: dict[str, str]
    keys: dict[str, str]


@cache
def names() -> Names:
    """Read `names.yml`; raises `DataError` if an intent or entity has no name, or two share a name or a key."""
    found = yaml.safe_load((HERE / "names.yml").read_text("utf-8"))
    intents, entities = found["intents"], found["entities"]
    every = [*(intent for group in TOPICS.values() for intent in group), FALLBACK]
    for kind, wanted, given in (("intent", every, intents), ("entity", ENTITIES, entities)):
        if set(wanted) != set(given):
            wrong = sorted(set(wanted) ^ set(given))
            raise DataError(f"names.yml: {kind} {wrong[0]!r} is missing or not in the taxonomy")
    read = Names(
        {name: intents[name] for name in every},
        {name: entities[name]["name"] for name in ENTITIES},
        {name: entities[name]["key"] for name in ENTITIES},
    )
    for group in (read.intents, read.entities, read.keys):
        if len(set(group.values())) != len(group):
            raise DataError("names.yml: a name or a key stands twice")
    return read
