"""Areas and cities: a conditional random field over characters, trained on our sentences and copies with other places.

Labels are B-/I- and O for `area` and `city`; everything that has a form is found by `patterns` and only a feature here.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import pycrfsuite

from bot.dialogue.components import noise
from bot.dialogue.components.patterns import Found, find
from bot.dialogue.components.text import Lexicon, place_words

PLACES = ("area", "city")
ROUNDS = 60
COPIES = 8
MISTYPED = 0.5
PLACELESS = 1
_ENDS = frozenset(
    "区县旗市镇乡村寨街道路巷弄里胡同坊园苑庄城湾厦场楼栋幢座号期社组户屯营店铺塘桥口坝坪岭山湖河港岛洲墩圩集埠队室院"
    "沟坡滩垭峪堰堡窑冲畈垴坎塬台阁庭府轩门邸居牌庙寺"
)
_HOUSES = ("栋", "幢", "座", "号楼", "号", "组", "社", "队", "单元", "号院", "弄")
_FIRST = "金银东西南北新安永和平兴福龙凤石白青红黄双三五大小长高上下杨李王张陈罗周马桃柳梅竹松桂荷莲清碧翠云"
_SECOND = "山水河湖江溪泉塘桥门阳华源丰乐安宁康泰祥瑞田坝坪湾口岭林园庭景家庄屋台星光明胜利民主义仁"
_FAMILIES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜"
    "范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
_WORDS = (
    "阳光 和平 幸福 安居 建设 团结 民主 胜利 光明 朝阳 东方 长江 黄河 长城 北京 南京 解放 人民 中山 文化 "
    "体育 工业 科技 学府 书香 梧桐 银杏 玫瑰 牡丹 紫藤 丁香 百合 芙蓉 海棠 樱花 枫叶 翡翠 水晶 明珠 珍珠 "
    "锦绣 富贵 吉祥 如意 祥和 平安 健康 温馨 世纪 时代 未来 星河 银河 月亮 彩虹 滨江 滨河 临湖 观澜 听涛 "
    "望海 御景 帝景 豪庭 名门 公园 森林 绿洲 绿地 万科 保利 碧桂 恒大 城南 城北 城东 河西 桥头 火车站 老街"
).split()
_KINDS: tuple[str, ...] = (
    *("路", "街", "村", "镇", "小区", "花园", "苑", "街道", "新村", "家园", "巷", "乡", "公寓", "国际", "广场"),
    *("社区", "府", "湾", "大道", "小学", "中学", "医院", "菜市场", "工业园", "车站", "雅苑", "新城", "名邸", "里"),
    *("小区", "花园", "苑", "村", "路", "街", ""),
    *("中心", "家属院", "宿舍", "山庄", "大院", "市场", "南站", "农场", "名都", "华庭", "大厦"),
    *"沟坡滩坝湾岭峪堰寨堡铺屯庄窑冲畈坎垭塘桥台阁庭轩门城坊居牌庙寺口店集营坪园",
)

_NAMED = re.compile(
    "小区|花园|新村|家园|社区|公寓|(?<![农全山])村(?!民|里人|官)|(?<!文)苑|大道|街道(?!办)"
    "|(?<=[一-龥])(?<![城乡])镇(?!上|里)"
)
_NAME = re.compile(
    "(?!.*(?:我们|你们|他们|咱们?|俺们?|这个|那个|这里|那里|哪个|整个|全部|隔壁|旁边|对面|什么|没有|停电|来电|附近|一个|同个|新建|老旧"
    "|所有"
    "|[的了吗呢吧啊在是有没住问被把给跟们这那哪每各几某全整我你他她它您电个座条本该咱俺阿哋系呢嗰成]))[一-龥]{2,3}"
)
_N = r"(?:\d{1,4}|[一二三四五六七八九十]{1,3})"
_HOUSE = re.compile(rf"(?:{_N}(?:号楼|号院|栋|幢|座|单元|组|社|队|弄|期|号(?![线杆停会要])))+(?:\d{{3,4}}室?)?(?!\d)")
_BESIDE = re.compile("(?<=.{2})(?:楼道|这[几一边].*|那[几一边个户家].*|[后前]面.*|(?<=村)[口头])$")


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
        found = [one for one in spans(labels) if not taken.intersection(range(one.start, one.end))]
        found = [_mended(text, one, taken) if one.entity == "area" else one for one in found]
        taken.update(i for one in found for i in range(one.start, one.end))
        return [*found, *(one for one in self._named(text, taken) if not taken.intersection(range(one.start, one.end)))]

    def _named(self, text: str, taken: set[int]) -> Iterator[Found]:
        """Areas that end as areas do and begin where a word begins: what the model overlooks of names it never saw."""
        begins = {0, *accumulate(len(word) for word in self._lexicon.words(text))}
        for kind in _NAMED.finditer(text):
            starts = [at for at in range(max(0, kind.start() - 3), kind.start() - 1) if at in begins]
            whole = next((at for at in starts if _NAME.fullmatch(text, at, kind.start())), None)
            if whole is not None:
                yield _mended(text, Found(whole, kind.end(), "area"), taken)


def _mended(text: str, one: Found, taken: set[int]) -> Found:
    """The area with its house, entrance and room that is not `taken`, without what only stands beside it."""
    end = one.end
    if beside := _BESIDE.search(text, one.start, end):
        end = beside.start()
    elif (house := _HOUSE.match(text, end)) and not taken.intersection(range(end, house.end())):
        end = house.end()
    start = one.start + (text[one.start] in "喂在住离到" and end - one.start > 3)
    return Found(start, end, one.entity)


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
    """The sentences; `COPIES` of each that names a place, with other places in it."""
    dice = random.Random(seed)
    known = [text[one.start : one.end] for text, places in sentences for one in places if one.entity == "area"]
    cities, districts, words = sorted(lexicon.cities), sorted(lexicon.districts), sorted(place_words() - lexicon.cities)
    alike = noise.alike([text for text, _ in sentences])
    every: list[tuple[str, list[Found]]] = []
    for text, places in sentences:
        kept = sorted((one for one in places if one.entity in PLACES), key=lambda one: one.start)
        every.append((text, kept))
        if not kept:  # what is no place is mistyped too
            every.extend(_mistyped(dice, text, [], alike) for _ in range(PLACELESS))
        for _ in range(COPIES if kept else 0):
            changed, moved, position = "", list[Found](), 0
            for one in kept:
                changed += text[position : one.start]
                name = dice.choice(cities) if one.entity == "city" else _name(dice, known, words, districts)
                moved.append(Found(len(changed), len(changed) + len(name), one.entity))
                changed, position = changed + name, one.end
            whole = changed + text[position:]
            every.append(_mistyped(dice, whole, moved, alike) if dice.random() < MISTYPED else (whole, moved))
    return every


def _mistyped(
    dice: random.Random, text: str, places: Sequence[Found], alike: dict[str, list[str]]
) -> tuple[str, list[Found]]:
    marks: list[int | None] = [None] * len(text)
    for number, one in enumerate(places):
        marks[one.start : one.end] = [number] * (one.end - one.start)
    signs = noise.slip(dice, list(zip(text, marks, strict=True)), alike)
    found = []
    for number, one in enumerate(places):
        at = [i for i, (_, mark) in enumerate(signs) if mark == number]
        if at:
            found.append(Found(at[0], at[-1] + 1, one.entity))
    return "".join(sign for sign, _ in signs), found


def _name(dice: random.Random, known: Sequence[str], words: Sequence[str], districts: Sequence[str]) -> str:
    chance = dice.random()
    if chance < 0.25:
        return dice.choice(known)
    if chance < 0.35:
        return dice.choice(words)
    name = dice.choice(districts) if dice.random() < 0.3 else ""
    beginning = dice.random()
    if beginning < 0.15:
        name += dice.choice(_FAMILIES) + "家"
    else:
        name += dice.choice(_FIRST) + dice.choice(_SECOND) if beginning < 0.55 else dice.choice(_WORDS)
    name += dice.choice(_KINDS)
    if dice.random() < 0.3:
        name += _number(dice) + dice.choice(_HOUSES)
        if dice.random() < 0.3:
            name += _number(dice) + dice.choice(("单元", "栋", "号"))
        if dice.random() < 0.2:
            name += f"{dice.randint(1, 18)}0{dice.randint(1, 4)}" + dice.choice(("", "室"))
    elif dice.random() < 0.15:
        name += dice.choice(("南区", "北区", "东区", "二期", "三期", "A座", "B区", "东门", "西门", "北门", "南门"))
    return name


def _number(dice: random.Random) -> str:
    return dice.choice((str(dice.randint(1, 30)), dice.choice("一二三四五六七八九"), f"十{dice.choice('一二三五六')}"))


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
