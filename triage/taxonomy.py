"""The policy file, read and checked: categories, teams, times, and the words that raise a priority."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("taxonomy.yml")
PRIORITIES = ("P1", "P2", "P3", "P4")


class TaxonomyError(ValueError):
    """The policy file is wrong; the message names the key."""


@dataclass(frozen=True)
class Category:
    """类别 and the team 班组 that acts first."""

    name: str
    team: str


@dataclass(frozen=True)
class Promise:
    """时限 of a priority: `resolve` in time, or in working days."""

    name: str
    first_response: timedelta
    resolve: timedelta | None
    working_days: int | None


@dataclass(frozen=True)
class Raise:
    """Words that raise the priority to `to`, and why, as an agent reads it."""

    to: str
    reason: str
    words: re.Pattern[str]


@dataclass(frozen=True)
class Taxonomy:
    """Everything the policy file says."""

    categories: Mapping[str, Category]
    teams: Mapping[str, str]
    priorities: Mapping[str, Promise]
    raises: tuple[Raise, ...]
    waiting: timedelta

    @classmethod
    def load(cls, file: Path = FILE) -> Taxonomy:
        """Read and check; raises `TaxonomyError`."""
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        try:
            found = cls(
                {key: Category(**value) for key, value in data["categories"].items()},
                data["teams"],
                {key: _promise(value) for key, value in data["priorities"].items()},
                tuple(Raise(r["to"], r["reason"], re.compile(r["words"])) for r in data["raises"]),
                timedelta(minutes=data["waiting_first_response"]),
            )
        except (KeyError, TypeError, re.error) as error:
            raise TaxonomyError(f"{file.name}: {error!r}") from error
        for key, category in found.categories.items():
            if category.team not in found.teams:
                raise TaxonomyError(f"{file.name}: category {key} names the unknown team {category.team!r}")
        if tuple(found.priorities) != PRIORITIES:
            raise TaxonomyError(f"{file.name}: priorities must be {', '.join(PRIORITIES)}")
        return found


def _promise(value: Mapping[str, Any]) -> Promise:
    minutes = value.get("resolve")
    return Promise(
        value["name"],
        timedelta(minutes=value["first_response"]),
        timedelta(minutes=minutes) if minutes is not None else None,
        value.get("resolve_working_days"),
    )
