"""Synonyms 同义词 and the power dictionary 电力词典: `lookups/synonyms.txt` and `lookups/power.txt`, a word a line.

A line of synonyms is the standard word and what else is said for it; a line of the dictionary is a word and how often
it counts when a text is cut into words. The first line of a word is the one that is edited; every other line stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nlu_data import HERE
from nlu_data.files import Change
from nlu_data.rows import DataError

SYNONYMS = "lookups/synonyms.txt"
POWER = "lookups/power.txt"
LONGEST = 20
MOST = 10_000_000


def synonyms(root: Path = HERE) -> dict[str, list[str]]:
    """What else is said for each standard word, in file order."""
    found: dict[str, list[str]] = {}
    for line in _lines(_read(root / SYNONYMS)):
        if words := line.split():
            found.setdefault(words[0], words[1:])
    return found


def power(root: Path = HERE) -> dict[str, int]:
    """How often each word of the dictionary counts, in file order."""
    found: dict[str, int] = {}
    for line in _lines(_read(root / POWER)):
        if words := line.split():
            found.setdefault(words[0], int(words[1]))
    return found


def put_synonyms(change: Change, standard: str, others: Sequence[str] | None) -> None:
    """Set what else is said for a word; None removes its line. Raises `DataError` for words that are none."""
    for word in (standard, *(others or ())):
        check_word(word)
    _put(change, SYNONYMS, standard, None if others is None else " ".join((standard, *others)))


def put_power(change: Change, word: str, times: int | None) -> None:
    """Set how often a word counts; None removes it. Raises `DataError` for a word or number that is none."""
    check_word(word)
    if times is not None and not 1 <= times <= MOST:
        raise DataError(f"“{word}”的词频要在1到{MOST}之间")
    _put(change, POWER, word, None if times is None else f"{word} {times}")


def check_word(word: str) -> None:
    """Raise `DataError` for what is no single word."""
    if not word or len(word) > LONGEST or re.search(r"\s", word) or not word.isprintable():
        raise DataError(f"“{word}”不是一个词：不能为空、不能有空格，最多{LONGEST}个字")


def _put(change: Change, name: str, word: str, line: str | None) -> None:
    file = change.root / name
    lines = _lines(change.read(file))
    place = next((i for i, one in enumerate(lines) if one.split()[:1] == [word]), None)
    if place is None:
        if line is None:
            raise DataError(f"{file.name}：没有“{word}”这一行，可能已被别人改过")
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.append(f"{line}\n")
    elif line is None:
        del lines[place]
    else:
        lines[place] = line + lines[place][len(lines[place].rstrip("\r\n")) :]
    change.write(file, "".join(lines))


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _read(file: Path) -> str:
    return file.read_bytes().decode("utf-8")
