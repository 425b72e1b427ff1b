"""A message as it is compared: half-width, simplified, lower case, in words and in sounds.

Every change replaces one character by one, so an offset into what is compared is an offset into what was written.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import jieba
from opencc import OpenCC
from pypinyin import lazy_pinyin

LOOKUPS = Path(__file__).parents[3] / "nlu_data" / "lookups"
COMMON = 20
_SIMPLIFIED = OpenCC("t2s")


def normal(text: str) -> str:
    """`text`, as long as before, with full-width and traditional characters replaced and capitals lowered."""
    half = "".join(_half(character) for character in text)
    simple = str(_SIMPLIFIED.convert(half))
    return simple if len(simple) == len(half) else "".join(_one(_SIMPLIFIED.convert(c), c) for c in half)


def words(text: str) -> list[str]:
    """The words of a normal text, with punctuation and blanks; joined they are the text again."""
    return list(_dictionary().cut(text))


def sounds(text: str) -> list[str]:
    """One sound for each character: pinyin without tone, anything else as it is."""
    return [_sound(character) for character in text]


def lookup(name: str) -> frozenset[str]:
    """The names in `nlu_data/lookups/<name>.txt`."""
    lines = (LOOKUPS / f"{name}.txt").read_text("utf-8").splitlines()
    return frozenset(line.split()[0] for line in lines if line.strip())


@lru_cache(maxsize=1)
def place_words() -> frozenset[str]:
    """Words that jieba's dictionary knows as places."""
    with Path(jieba.__file__).with_name("dict.txt").open(encoding="utf-8") as lines:
        return frozenset(word for word, _, kind in map(str.split, lines) if kind == "ns" and 2 <= len(word) <= 6)


@lru_cache(maxsize=20_000)
def _half(character: str) -> str:
    return _one(unicodedata.normalize("NFKC", character).lower(), character)


def _one(changed: str, character: str) -> str:
    return changed if len(changed) == 1 else character


@lru_cache(maxsize=20_000)
def _sound(character: str) -> str:
    return str(lazy_pinyin([character])[0]) if "一" <= character <= "鿿" else character


@lru_cache(maxsize=1)
def _dictionary() -> jieba.Tokenizer:
    """Jieba with its commoner words and ours; the 260,000 rare ones, mostly names, would take 60 MB."""
    with Path(jieba.__file__).with_name("dict.txt").open(encoding="utf-8") as lines:
        common = [line for line in lines if int(line.split()[1]) >= COMMON]
    dictionary = jieba.Tokenizer()
    dictionary.FREQ, dictionary.total = dictionary.gen_pfdict(BytesIO("".join(common).encode()))
    dictionary.initialized = True
    for line in (LOOKUPS / "power.txt").read_text("utf-8").splitlines():
        if line.strip():
            word, frequency = line.split()
            dictionary.add_word(word, int(frequency))
    return dictionary
