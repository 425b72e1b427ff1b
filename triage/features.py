"""What the classifier sees: hashed n-grams of characters and words, encoder vectors, the safety rules' verdict."""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

import jieba
import numpy as np
from numpy.typing import NDArray
from opencc import OpenCC

from bot import safety
from models.encoder import Encoder

BUCKETS = 2**18
LONGEST_GRAM = 4
LONGEST_TEXT = 4000
LEAD = 60
FLAGS = 2
GROUPS = (1.0, 1.0, 0.5, 0.5)  # weights of the groups of `counts`, each brought to length 1

jieba.setLogLevel(60)
_SENTENCE_END = re.compile("[。！？!?；]")


@cache
def _simplified() -> OpenCC:
    return OpenCC("t2s")


def normal(text: str) -> str:
    """Simplified, NFKC, lower case, without white space, at most `LONGEST_TEXT` characters."""
    plain = "".join(unicodedata.normalize("NFKC", text[:LONGEST_TEXT]).lower().split())
    return str(_simplified().convert(plain))


def lead(text: str) -> str:
    """The first sentence of a normal text, 12 to `LEAD` characters: letters say there what they want."""
    end = _SENTENCE_END.search(text, 12)
    return text[: min(LEAD, end.end() if end else LEAD)]


def bucket(gram: str) -> int:
    """The column of an n-gram."""
    return zlib.crc32(gram.encode()) % BUCKETS


def counts(text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Distinct buckets (n,) of a normal text and 1 + log of their counts in each group (GROUPS, n).

    Groups: characters of the whole text and of its lead, words (jieba's, singly and in pairs) of both.
    """
    first = lead(text)
    places: dict[int, int] = {}
    found: list[tuple[int, int, float]] = []
    for group, grams in enumerate((_characters(text), _characters(first), _words(text), _words(first))):
        for gram, count in Counter(grams).items():
            found.append((group, places.setdefault(bucket(gram), len(places)), 1 + math.log(count)))
    values = np.zeros((len(GROUPS), len(places)), dtype=np.float32)
    for group, place, value in found:
        values[group, place] += value
    return np.fromiter(places, np.int64, len(places)), values


def _characters(text: str) -> Iterator[str]:
    return (text[at : at + size] for size in range(1, LONGEST_GRAM + 1) for at in range(len(text) - size + 1))


def _words(text: str) -> Iterator[str]:
    words = jieba.lcut(text, HMM=False)
    yield from (f"{word} " for word in words)
    yield from (f"{a} {b} " for a, b in pairwise(words))


def flags(text: str) -> NDArray[np.float32]:
    """Danger now by the safety rules, danger only mentioned: shape (FLAGS,)."""
    now = safety.danger(text) is not None
    return np.array([now, not now and safety.mentioned(text) is not None], dtype=np.float32)


def dense(texts: Sequence[str], encoder: Encoder | None) -> NDArray[np.float32]:
    """Encoder vectors of each normal text and of its lead, then the flags: shape (texts, 2 * width + FLAGS)."""
    found = np.array([flags(text) for text in texts], dtype=np.float32).reshape(len(texts), FLAGS)
    if encoder is None:
        return found
    return np.hstack([encoder.encode(texts), encoder.encode([lead(text) for text in texts]), found])
