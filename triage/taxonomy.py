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

_SENTENCE_END = re.compile("[。！？!?；\n]+")


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
    """A fact in so many words: its points, and why, as an agent reads it; not in a sentence with words of `unless`."""

    points: int
    reason: str
    words: re.Pattern[str]
    unless: re.Pattern[str] | None

    def holds(self, text: str) -> bool:
        """Whether a sentence of the text states the fact."""
        return any(
            self.words.search(sentence) and not (self.unless and self.unless.search(sentence))
            for sentence in _SENTENCE_END.split(text)
        )


@dataclass(frozen=True)
class Points:
    """The sum that makes a priority: `base` of the model's opinion, `least` sum of each priority, most urgent first."""

    base: Mapping[str, int]
    least: Mapping[str, int]
    ceiling: int
    danger: int
    third_contact: int


@dataclass(frozen=True)
class Taxonomy:
    """Everything the policy file says."""

    categories: Mapping[str, Category]
    teams: Mapping[str, str]
    priorities: Mapping[str, Promise]
    raises: tuple[Raise, ...]
    points: Points
    calm: frozenset[str]
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
                tuple(_raise(row) for row in data["raises"]),
                _points(data["points"]),
                frozenset(data["calm"]),
                timedelta(minutes=data["waiting_first_response"]),
            )
        except (KeyError, TypeError, re.error) as error:
            raise TaxonomyError(f"{file.name}: {error!r}") from error
        for key, category in found.categories.items():
            if category.team not in found.teams:
                raise TaxonomyError(f"{file.name}: category {key} names the unknown team {category.team!r}")
        strange = found.calm - set(found.categories)
        if strange:
            raise TaxonomyError(f"{file.name}: calm names the unknown category {min(strange)!r}")
        for name, given in (("base", found.points.base), ("from", found.points.least)):
            if tuple(given) != PRIORITIES or list(given.values()) != sorted(given.values(), reverse=True):
                raise TaxonomyError(f"{file.name}: points.{name} must fall from P1 to P4")
        if tuple(found.priorities) != PRIORITIES:
            raise TaxonomyError(f"{file.name}: priorities must be {', '.join(PRIORITIES)}")
        return found


def _raise(row: Mapping[str, Any]) -> Raise:
    unless = row.get("unless")
    return Raise(row["points"], row["reason"], re.compile(row["words"]), re.compile(unless) if unless else None)


def _points(row: Mapping[str, Any]) -> Points:
    return Points(row["base"], row["from"], row["ceiling"], row["danger"], row["third_contact"])


def _promise(value: Mapping[str, Any]) -> Promise:
    minutes = value.get("resolve")
    return Promise(
        value["name"],
        timedelta(minutes=value["first_response"]),
        timedelta(minutes=minutes) if minutes is not None else None,
        value.get("resolve_working_days"),
    )
