"""Areas and cities: a conditional random field over characters, trained on our sentences and copies with other places.

Labels are B-/I- and O for `area` and `city`; everything that has a form is found by `patterns` and only a feature here.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import pycrfsuite

from bot.dialogue.components.patterns import Found, find
from bot.dialogue.components.text import Lexicon, place_words

PLACES = ("area", "city")
ROUNDS = 60
COPIES = 3
_ENDS = frozenset(
    "区县旗市镇乡村寨街道路巷弄里胡同坊园苑庄城湾厦场楼栋幢座号期社组户屯营店铺塘桥口坝坪岭山湖河港岛洲墩圩集埠"
)
_HOUSES = ("栋", "幢", "座", "号楼", "号", "组", "社", "单元")
_FIRST = "金银东西南北新安永和平兴福龙凤石白青红黄双三五大小长高上下杨李王张陈罗周马桃柳梅竹松桂荷莲清碧翠云"
_SECOND = "山水河湖江溪泉塘桥门阳华源丰乐安宁康泰祥瑞田坝坪湾口岭林园庭景家庄屋台星光明胜利民主义仁"
_KINDS = (
    "路",
    "街",
    "村",
    "镇",
    "小区",
    "花园",
    "苑",
    "街道",
    "新村",
    "家园",
    "巷",
    "乡",
    "公寓",
    "国际",
    "广场",
    "社区",
    "府",
    "湾",
    "",
)


class Places:
    """A trained model; `find` may be called for every message."""

    def __init__(self, file: Path, lexicon: Lexicon) -> None:
        """`file` as `train` wrote it with this lexicon."""
        self._lexicon = lexicon
        self._tagger = pycrfsuite.Tagger()
        self._tagger.open(str(file))

    def find(self, text: str, formed: Sequence[Found]) -> list[Found]:
        """Areas and cities of a normal text, outside the entities `formed` that `patterns.find` has found."""
        if not text.strip():
            return []
        labels = self._tagger.tag(features(text, formed, self._lexicon))
        taken = {i for one in formed for i in range(one.start, one.end)}
        return [one for one in spans(labels) if not taken.intersection(range(one.start, one.end))]


def train(sentences: Iterable[tuple[str, Sequence[Found]]], file: Path, seed: int, lexicon: Lexicon) -> None:
    """Learn from normal texts with their areas and cities, and write the model to `file`."""
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params({"c1": 0.05, "c2": 0.02, "max_iterations": ROUNDS, "feature.possible_transitions": True})
    for text, places in varied(list(sentences), seed, lexicon):
        trainer.append(features(text, find(text), lexicon), labels(text, places))
    trainer.train(str(file))


def features(text: str, formed: Sequence[Found], lexicon: Lexicon) -> list[list[str]]:
    """What the model sees of each character."""
    form = ["-"] * len(text)
    for one in formed:
        form[one.start : one.end] = [one.entity] * (one.end - one.start)
    cities, districts, known = (_marks(text, names) for names in (lexicon.cities, lexicon.districts, place_words()))
    cuts: list[str] = []
    for word in lexicon.words(text):
        cuts += [f"{len(word)}{i}" for i in range(len(word))]
    ends = [_distance(text, i) for i in range(len(text))]
    padded = ["<"] * 3 + [_kind(c) for c in text] + [">"] * 3
    rows = []
    for i in range(len(text)):
        a, b, c, d, e = padded[i + 1 : i + 6]
        row = [
            "b", f"0{c}", f"-1{b}", f"1{d}", f"-2{a}", f"2{e}", f"-10{b}{c}", f"01{c}{d}", f"-1+1{b}|{d}", f"-21{a}{b}",
            f"12{d}{e}", f"ce{cities[i]}{ends[i]}{d}", f"s{c in _ENDS}{d in _ENDS}{b in _ENDS}",
        ]  # fmt: skip
        for step in (-1, 0, 1):
            if 0 <= (at := i + step) < len(text):
                marks = form[at], cities[at], districts[at], known[at], ends[at], cuts[at]
                row += [f"{name}{step}{mark}" for name, mark in zip("fcdnew", marks, strict=True)]
        rows.append(row)
    return rows


def labels(text: str, places: Iterable[Found]) -> list[str]:
    """B-, I- and O for each character."""
    found = ["O"] * len(text)
    for one in places:
        if one.entity in PLACES:
            found[one.start : one.end] = [f"I-{one.entity}"] * (one.end - one.start)
            found[one.start] = f"B-{one.entity}"
    return found


def spans(labels: Sequence[str]) -> list[Found]:
    """The entities that labels mark."""
    found: list[Found] = []
    for i, label in enumerate(labels):
        if label == "O":
            continue
        kind = label[2:]
        if label[0] == "I" and found and found[-1].end == i and found[-1].entity == kind:
            found[-1] = Found(found[-1].start, i + 1, kind)
        else:
            found.append(Found(i, i + 1, kind))
    return found


def varied(sentences: list[tuple[str, Sequence[Found]]], seed: int, lexicon: Lexicon) -> list[tuple[str, list[Found]]]:
    """The sentences, and `COPIES` of each that names a place with other places in it."""
    dice = random.Random(seed)
    known = [text[one.start : one.end] for text, places in sentences for one in places if one.entity == "area"]
    cities, districts, words = sorted(lexicon.cities), sorted(lexicon.districts), sorted(place_words() - lexicon.cities)
    every: list[tuple[str, list[Found]]] = []
    for text, places in sentences:
        kept = sorted((one for one in places if one.entity in PLACES), key=lambda one: one.start)
        every.append((text, kept))
        for _ in range(COPIES if kept else 0):
            changed, moved, position = "", list[Found](), 0
            for one in kept:
                changed += text[position : one.start]
                name = dice.choice(cities) if one.entity == "city" else _name(dice, known, words, districts)
                moved.append(Found(len(changed), len(changed) + len(name), one.entity))
                changed, position = changed + name, one.end
            every.append((changed + text[position:], moved))
    return every


def _name(dice: random.Random, known: Sequence[str], words: Sequence[str], districts: Sequence[str]) -> str:
    chance = dice.random()
    if chance < 0.35:
        return dice.choice(known)
    if chance < 0.5:
        return dice.choice(words)
    name = dice.choice(districts) if dice.random() < 0.35 else ""
    name += dice.choice(_FIRST) + dice.choice(_SECOND) + dice.choice(_KINDS)
    if dice.random() < 0.35:
        name += dice.choice((str(dice.randint(1, 30)), dice.choice("一二三四五六七八九"))) + dice.choice(_HOUSES)
    return name


def _kind(character: str) -> str:
    if character.isdigit():
        return "0"
    return "a" if character.isascii() and character.isalpha() else character


def _distance(text: str, i: int) -> int:
    """How far the nearest ending of a place name (区 镇 路 …) lies ahead, 9 if none is near."""
    return next((n for n in range(1, 6) if i + n < len(text) and text[i + n] in _ENDS), 9)


def _marks(text: str, names: frozenset[str]) -> list[str]:
    """B, I and O by the longest name of a list at each place."""
    marks, i = ["O"] * len(text), 0
    while i < len(text):
        size = next((n for n in range(min(7, len(text) - i), 1, -1) if text[i : i + n] in names), 0)
        if size:
            marks[i : i + size] = ["B"] + ["I"] * (size - 1)
        i += size or 1
    return marks
