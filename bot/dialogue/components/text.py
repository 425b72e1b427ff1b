"""A message as it is compared: half-width, simplified, lower case, in words and in sounds.

Every change replaces one character by one, so an offset into what is compared is an offset into what was written.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property, lru_cache
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


def sounds(text: str) -> list[str]:
    """One sound for each character: pinyin without tone, anything else as it is."""
    return [_sound(character) for character in text]


class Lexicon:
    """The trainers' word lists, `nlu_data/lookups/*.txt`; a model keeps those it learnt by, and reads by them."""

    def __init__(self, folder: Path = LOOKUPS) -> None:
        """Read the lists."""
        self._lists = {file.name: file.read_text("utf-8") for file in folder.glob("*.txt")}

    def save(self, folder: Path) -> None:
        """Write the lists to a new folder."""
        folder.mkdir()
        for name, text in self._lists.items():
            (folder / name).write_text(text, "utf-8")

    def words(self, text: str) -> list[str]:
        """The words of a normal text, with punctuation and blanks; joined they are the text again."""
        return list(self._dictionary.cut(text))

    @cached_property
    def cities(self) -> frozenset[str]:
        """Names of cities."""
        return self._names("cities.txt")

    @cached_property
    def districts(self) -> frozenset[str]:
        """Names of districts and counties."""
        return self._names("districts.txt")

    @cached_property
    def power_by_sound(self) -> dict[tuple[str, ...], str]:
        """Words of the trade by their sounds."""
        return {tuple(sounds(word)): word for word in sorted(self._names("power.txt"))}

    @cached_property
    def synonyms(self) -> tuple[re.Pattern[str], dict[str, str]]:
        """What finds a word that has a standard one, and the standard ones."""
        standard: dict[str, str] = {}
        for line in self._lists["synonyms.txt"].splitlines():
            wanted, *others = line.split()
            standard |= {other: standard.get(other, wanted) for other in others}
        longest_first = sorted(standard, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or "(?!)"), standard

    def _names(self, name: str) -> frozenset[str]:
        return frozenset(line.split()[0] for line in self._lists[name].splitlines() if line.strip())

    @cached_property
    def _dictionary(self) -> jieba.Tokenizer:
        """Jieba with its commoner words and ours."""
        frequencies, total = _common()
        dictionary = jieba.Tokenizer()
        dictionary.FREQ, dictionary.total, dictionary.initialized = dict(frequencies), total, True
        for line in self._lists["power.txt"].splitlines():
            if line.strip():
                word, frequency = line.split()
                dictionary.add_word(word, int(frequency))
        return dictionary


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
def _common() -> tuple[dict[str, int], int]:
    """Jieba's commoner words with their frequencies; the 260,000 rare ones, mostly names, would take 60 MB."""
    with Path(jieba.__file__).with_name("dict.txt").open(encoding="utf-8") as lines:
        common = [line for line in lines if int(line.split()[1]) >= COMMON]
    frequencies, total = jieba.Tokenizer().gen_pfdict(BytesIO("".join(common).encode()))
    return frequencies, total
