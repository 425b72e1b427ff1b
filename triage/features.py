"""What the classifier sees: hashed n-grams of characters and words, encoder vectors, the safety rules' verdict."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from opencc import OpenCC

from bot import safety
from models.encoder import Encoder
from triage.words import tokenizer

BUCKETS = 2**19  # _SHIFT keeps as many bits
LONGEST_GRAM = 3
LONGEST_TEXT = 4000
LEAD = 60
FLAGS = 3
GROUPS = (1.0, 0.25, 0.5, 0.125)  # weights of the groups of `counts`, each brought to length 1
READS = f"characters 1 to {LONGEST_GRAM}, words 1 to 2, {BUCKETS} columns, {GROUPS}"  # a model reads these alone

_PRIME, _SPREAD, _SHIFT = np.uint64(1_000_003), np.uint64(0x9E3779B97F4A7C15), np.uint64(64 - 19)
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


def character_buckets(text: str) -> list[NDArray[np.int64]]:
    """The columns of the 1- to 3-grams that begin at each character; the longer, the fewer places they begin at."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    found, rolling = [], np.zeros(len(codes), dtype=np.uint64)
    for size in range(1, LONGEST_GRAM + 1):
        rolling = (rolling[: len(codes) - size + 1] * _PRIME + codes[size - 1 :]) if size <= len(codes) else rolling[:0]
        found.append((((rolling + np.uint64(size)) * _SPREAD) >> _SHIFT).astype(np.int64))
    return found


@lru_cache(2**16)
def word_bucket(words: str) -> int:
    """The column of a word or a pair of words."""
    return zlib.crc32(words.encode()) % BUCKETS


def counts(text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Distinct buckets (n,) of a normal text, rising, and 1 + log of their counts in each group (GROUPS, n).

    Groups: characters of the whole text and of its lead, words (jieba's, singly and in pairs) of both.
    """
    first = lead(text)
    characters = character_buckets(text)
    words = np.array([word_bucket(word) for word in _words(text)], dtype=np.int64)
    groups = [
        np.concatenate(characters),
        np.concatenate([row[: max(0, len(first) - size)] for size, row in enumerate(characters)]),
        words,
        words if first == text else np.array([word_bucket(word) for word in _words(first)], dtype=np.int64),
    ]
    buckets, places = np.unique(np.concatenate(groups), return_inverse=True)
    values = np.zeros((len(GROUPS), len(buckets)), dtype=np.float32)
    at = 0
    for row, group in zip(values, groups, strict=True):
        np.add.at(row, places[at : at + len(group)], 1)
        at += len(group)
    found = values > 0
    values[found] = 1 + np.log(values[found])
    return buckets, values


def _words(text: str) -> Iterator[str]:
    words = tokenizer().lcut(text, HMM=False)
    yield from (f"{word} " for word in words)
    yield from (f"{a} {b} " for a, b in pairwise(words))


def flags(text: str) -> NDArray[np.float32]:
    """Danger now by the safety rules, danger only mentioned, how likely it is now: shape (FLAGS,)."""
    now = safety.danger(text) is not None
    return np.array([now, not now and safety.mentioned(text) is not None, safety.likelihood(text)], dtype=np.float32)


def dense(texts: Sequence[str], encoder: Encoder | None) -> NDArray[np.float32]:
    """Encoder vectors of each normal text and of its lead, then the flags: shape (texts, 2 * width + FLAGS)."""
    found = np.array([flags(text) for text in texts], dtype=np.float32).reshape(len(texts), FLAGS)
    if encoder is None:
        return found
    return np.hstack([encoder.encode(texts), encoder.encode([lead(text) for text in texts]), found])
