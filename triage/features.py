"""What the classifier sees of a text: hashed character n-grams, the encoder's vectors, and the safety rules' verdict."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from opencc import OpenCC

from bot import safety
from models.encoder import Encoder

BUCKETS = 2**18
LONGEST_GRAM = 4
LONGEST_TEXT = 4000
LEAD = 60
FLAGS = 3

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
    """The column of a character n-gram."""
    return zlib.crc32(gram.encode()) % BUCKETS


def counts(text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Distinct buckets of a normal text's 1- to 4-grams and 1 + log of their counts; the lead counts once more."""
    total: dict[int, float] = {}
    for part in (text, lead(text)):
        grams = Counter(
            part[at : at + size] for size in range(1, LONGEST_GRAM + 1) for at in range(len(part) - size + 1)
        )
        for gram, count in grams.items():
            place = bucket(gram)
            total[place] = total.get(place, 0.0) + 1 + np.log(count)
    return np.fromiter(total, np.int64, len(total)), np.fromiter(total.values(), np.float32, len(total))


def flags(text: str) -> NDArray[np.float32]:
    """Danger now by the safety rules, danger only mentioned, and the length (0 to 1): shape (FLAGS,)."""
    now = safety.danger(text) is not None
    named = not now and safety.mentioned(text) is not None
    return np.array([now, named, np.log1p(len(text)) / 10], dtype=np.float32)


def dense(texts: Sequence[str], encoder: Encoder | None) -> NDArray[np.float32]:
    """Encoder vectors of each normal text and of its lead, then the flags: shape (texts, 2 * width + FLAGS)."""
    found = np.array([flags(text) for text in texts], dtype=np.float32).reshape(len(texts), FLAGS)
    if encoder is None:
        return found
    return np.hstack([encoder.encode(texts), encoder.encode([lead(text) for text in texts]), found])
