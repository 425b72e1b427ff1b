"""Whole dialogues: those that must hold with any model, and those that trainers corrected. They are never learnt from.

A dialogue is a list of turns; a turn says what the customer does (`say` or `tap`) and what must come of it, in the
words of `frozen/dialogues/`. Accounts of the sample city stand as `{plain}` … until a dialogue is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from nlu_data import HERE

Turn = Mapping[str, Any]
_ACCOUNT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Fault:
    """Where a dialogue went wrong: `turn` counts from 1; `why` tells it in Chinese, `heard` is what was answered."""

    turn: int
    said: str
    why: Sequence[str]
    heard: str


@dataclass(frozen=True)
class Dialogue:
    """`name` for people; `corrected`: its last turn is one that a trainer corrected."""

    name: str
    turns: Sequence[Turn]
    corrected: bool = False


def day(root: Path = HERE) -> date:
    """The day of the sample city on which the dialogues take place."""
    found: date = _sample(root)["day"]
    return found


def frozen(root: Path = HERE) -> Iterator[Dialogue]:
    """Those that must hold, by topic."""
    accounts = _sample(root)["accounts"]
    for file in sorted((root / "frozen" / "dialogues").glob("*.yml")):
        for one in yaml.safe_load(file.read_text("utf-8")):
            for name, turns in one.items():
                yield Dialogue(name, [_filled(turn, accounts) for turn in turns])


def corrected(file: Path = HERE / "regressions.jsonl", root: Path = HERE) -> Iterator[Dialogue]:
    """What the customer did before each corrected message, and the message with how it must be read."""
    accounts = _sample(root)["accounts"]
    for line in file.read_text("utf-8").splitlines() if file.exists() else ():
        if line.strip() and "intent" in (row := json.loads(line)):
            last = {"say": row["text"], "read": row["intent"], "entities": row["entities"]}
            turns = [*(_filled(turn, accounts) for turn in row.get("before", ())), last]
            yield Dialogue(row["text"], turns, corrected=True)


def _sample(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((root / "frozen" / "dialogues.yml").read_text("utf-8"))
    return found


def _filled(turn: Turn, accounts: Mapping[str, str]) -> Turn:
    """The turn with account numbers in place of their names."""
    said = _ACCOUNT.sub(lambda hit: accounts.get(hit[1], hit[0]), turn.get("say", ""))
    return {**turn, "say": said} if "say" in turn else turn
