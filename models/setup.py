"""Which model a start uses: what a trainer put in use stays, else it is the model of the data as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models import SETUP, NoModel, Registry


def ensure(registry: Registry, source: str, code: str, train: Callable[[], str], again: bool = False) -> Path:
    """The folder of the model to use, in use from now on; says in one line which it is.

    `source` stands for all that a model is made from now, `code` for the part of it that trainers do not write;
    both are compared with the model's card. `train` makes a version and returns its name; `again` asks for a new one.
    """
    version, why = (None, "asked for") if again else _choose(registry, source, code)
    if version is None:
        print(f"      {registry.kind}: training a model ({why}) ...", flush=True)
        version = train()
        why = "made from the data as they are"
    if _current(registry) != version:
        registry.promote(version, SETUP, why)
    print(f"      {registry.kind}: model {version}, {why}", flush=True)
    return registry.path(version)


def trainer(registry: Registry) -> str | None:
    """The last person who put a version in use, or made one since; None where only set-ups did."""
    history, versions, current = registry.history(), registry.versions(), _current(registry)
    since = versions[versions.index(current) + 1 :] if current in versions else []
    authors = [history[-1].author] if history else []
    authors += [str(registry.card(version).get("author", SETUP)) for version in since]
    return next((author for author in reversed(authors) if author != SETUP), None)


def _choose(registry: Registry, source: str, code: str) -> tuple[str | None, str]:
    current = _current(registry)
    if current is None:
        return None, "there is none"
    card = registry.card(current)
    if card.get("source") == source:
        return current, "made from the data as they are"
    person = trainer(registry)
    if person is not None and card.get("code") == code:
        return current, f"kept as {person} works on it; the data changed since"
    made = [v for v in registry.versions() if (one := registry.card(v)).get("source") == source and one["code"] == code]
    if made and person is None:
        return made[-1], "made from the data as they are"
    return None, "the data changed" if card.get("code") == code else "rules or code changed"


def _current(registry: Registry) -> str | None:
    try:
        return registry.current().name
    except NoModel:
        return None
