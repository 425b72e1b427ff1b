"""Which model a start uses: what a trainer put in use stays, else it is the model of the data as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models import SETUP, NoModel, Registry


def ensure(registry: Registry, source: str, code: str, train: Callable[[], str], again: bool = False) -> Path:
    """The folder of the model to use, in use from now on; says in one line which it is.

    `source` stands for all that a model is made from now; `code` for the part of it that trainers do not write, and
    without which a model cannot be used. Both are compared with the model's card. `train` makes a version and returns
    its name; `again` asks for a new one.
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


def _choose(registry: Registry, source: str, code: str) -> tuple[str | None, str]:
    current, fresh = _current(registry), "made from the data as they are"
    if current is None:
        return None, "there is none"
    card = registry.card(current)
    if card.get("source") == source:
        return current, fresh
    usable, history = card.get("code") == code, registry.history()
    if usable and history and history[-1].author != SETUP:
        return current, f"kept as {history[-1].author} decided; the data changed since"
    made = [v for v in registry.versions() if registry.card(v).get("source") == source]
    if not made:
        return None, "the data changed" if usable else "rules or code changed"
    author = registry.card(made[-1])["author"]
    if usable and author != SETUP:
        return current, f"kept until someone puts {made[-1]} in use, which {author} made from the data as they are"
    return made[-1], fresh


def _current(registry: Registry) -> str | None:
    try:
        return registry.current().name
    except NoModel:
        return None
