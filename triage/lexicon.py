"""jieba's dictionary 词典 in 8 MB instead of 70: what `jieba` asks of it, by hashes that lie in a row."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache

import jieba
import numpy as np


class Frequencies:
    """How often each word occurs, 0 for what only begins a word; reads as jieba's own dict does, and never changes.

    Two of its texts having one hash is as likely as one in ten million processes.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        """`lines` of a word, its count and more, with spaces between, as `dict.txt` has them."""
        hashes, counts, ranks = array("q"), array("q"), array("q")
        self.total = 0
        for rank, line in enumerate(lines, 1):
            word, count = line.decode().split(" ")[:2]
            self.total += int(count)
            hashes.append(_key(word))
            counts.append(int(count))
            ranks.append(rank)  # of a word that stands twice the last line counts
            for end in range(1, len(word)):
                hashes.append(_key(word[:end]))
                counts.append(0)
                ranks.append(0)
        keys, values = np.array(hashes), np.array(counts)
        order = np.lexsort((np.array(ranks), keys))
        keys, values = keys[order], values[order]
        last = np.append(keys[1:] != keys[:-1], True)
        self._keys, self._values = array("q", keys[last].tobytes()), array("i", values[last].astype("i").tobytes())

    def get(self, text: str, otherwise: int | None = None) -> int | None:
        """The count of a text, or `otherwise`."""
        key = _key(text)
        at = bisect_left(self._keys, key)
        return self._values[at] if at < len(self._keys) and self._keys[at] == key else otherwise

    def __contains__(self, text: str) -> bool:
        """Whether it is a word or begins one."""
        return self.get(text) is not None

    def __getitem__(self, text: str) -> int:
        """The count of a text; raises `KeyError`."""
        found = self.get(text)
        if found is None:
            raise KeyError(text)
        return found


def _key(text: str) -> int:
    # Python hashes what lies in memory, where QQ looks like 兑: the length tells them apart
    return hash(text) ^ len(text)


@cache
def prepare() -> None:
    """Give jieba its dictionary; takes a second, once; a sentence is then cut in 0.2 ms, not 0.05."""
    with jieba.get_module_res("dict.txt") as lines:
        known = Frequencies(lines)
    jieba.dt.FREQ, jieba.dt.total, jieba.dt.initialized = known, known.total, True
