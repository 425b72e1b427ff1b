"""Labelled messages for training and measuring, read from JSONL and cleaned."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.features import normal


@dataclass(frozen=True)
class Example:
    """One labelled message; `priority` is None where the file gives none."""

    text: str
    category: str
    priority: str | None = None


class ExamplesError(ValueError):
    """A file of examples is wrong; the message names file and line."""


def read(files: Sequence[Path]) -> list[Example]:
    """Examples of JSONL files; raises `ExamplesError` naming the line. A text may be empty, a label may not."""
    found = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ExamplesError(f"{file}: {error}") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                example = Example(row["text"], row["category"], row.get("priority") or None)
                if not isinstance(example.text, str) or not isinstance(example.priority, str | None):
                    raise TypeError("text and priority must be words")
                if not isinstance(example.category, str) or not example.category:
                    raise TypeError("category must be a word")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ExamplesError(f"{file}, line {number}: {error!r}") from error
            found.append(example)
    if not found:
        raise ExamplesError("there are no examples to learn from")
    return found


def clean(examples: Sequence[Example]) -> tuple[list[Example], list[str]]:
    """The examples without empty, doubled and contradicting rows, in order, and what was left out, in words.

    Of rows with the same text and different categories none is kept, unless most of them agree.
    """
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[normal(example.text)].append(example)
    kept, notes = [], []
    empty = groups.pop("", [])
    if empty:
        notes.append(f"{len(empty)} empty texts left out")
    doubled = 0
    for rows in groups.values():
        votes = Counter(row.category for row in rows).most_common(2)
        if len(votes) > 1 and votes[0][1] == votes[1][1]:
            labels = ", ".join(sorted({row.category for row in rows}))
            notes.append(f"left out, its rows contradict each other ({labels}): {rows[0].text[:60]!r}")
            continue
        kept.append(next(row for row in rows if row.category == votes[0][0]))
        doubled += len(rows) - 1
    if doubled:
        notes.append(f"{doubled} doubled texts left out")
    if not kept:
        raise ExamplesError("there are no examples to learn from: every text is empty or contradicts another")
    return kept, notes


def digest(examples: Sequence[Example]) -> str:
    """SHA-256 of texts and labels, in order."""
    rows = "\n".join(f"{e.text}\t{e.category}\t{e.priority}" for e in examples)
    return hashlib.sha256(rows.encode()).hexdigest()
