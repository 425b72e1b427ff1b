"""Personal data 个人信息: where it stands in a text; hidden in lists and logs, made up in training files.

Both keep every other character where it was, and the text as long as it was: spans stay aligned.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

KINDS = ("id_card", "phone", "number", "contact", "name", "door")
KEPT = {"phone": 2, "number": 1, "id_card": 1}
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗郑梁谢宋唐许邓韩冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏"
    "付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔汤常温康施牛樊葛邢安齐庞伍庄章鲁倪岳翟殷詹申欧耿关兰焦俞左柳甘祝"
    "包宁符阮纪梅舒凌颜鲍聂辛桂裴谷苗蔚"
)
DOUBLE = ("欧阳", "上官", "司马", "诸葛", "司徒", "夏侯", "皇甫", "东方", "尉迟", "公孙", "慕容", "令狐")
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀英霞平刚桂兰玉萍红鹏辉华丹梅琳宇浩然欣怡晨佳文博思雨俊凯雪婷"
TITLES = "先生|女士|小姐|太太|师傅|老师|经理|主任|所长|站长|阿姨|大爷|大姐|大哥|大妈|叔叔|老板|医生"

_S = f"(?:{'|'.join(DOUBLE)}|[{SURNAMES}])"
_END = r"(?=$|[\s，。！？、,.!?;；：:（）()的是住在户电手联号和家想要])"
_IS = "[是叫为:：]?"
_DIGIT = "[0-9０-９]"
_FOUR = f"{_DIGIT}{{4}}"
_SPOKEN = "[零〇一二三四五六七八九幺两]"
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("id_card", re.compile(rf"(?<!{_DIGIT})()({_DIGIT}{{17}}[0-9０-９Xx])()(?![0-9０-９Xx])")),
    ("phone", re.compile(rf"(?<!{_DIGIT})([1１][3-9３-９]{_DIGIT})([ -]?{_FOUR}[ -]?)({_FOUR})(?!{_DIGIT})")),
    ("number", re.compile(rf"(?<!{_DIGIT})({_DIGIT}{{2}})({_DIGIT}{{4,20}})({_DIGIT}{{4}})(?!{_DIGIT})")),
    ("number", re.compile(r"(?<![0-9])()((?:[0-9]{3,5}[ -]){2,5}[0-9]{2,5})()(?![0-9])")),
    ("number", re.compile(r"(?<![0-9])()(0[0-9]{2,3}[ -]?[0-9]{7,8})()(?![0-9])")),
    ("number", re.compile(rf"(电话|座机|手机|号码|户号|卡号|账号|表号){_IS}({_DIGIT}{{5,9}})()(?!{_DIGIT})")),
    ("number", re.compile(rf"(?<!{_SPOKEN})()({_SPOKEN}{{7,20}})()(?!{_SPOKEN})")),
    ("contact", re.compile(r"(?<![\w.])()([\w.+-]+@[\w-]+(?:\.[\w-]+)+)()", re.ASCII)),
    ("contact", re.compile(r"((?:微信号?|QQ号?|qq号?)[是为:：]?\s*)([A-Za-z0-9_-]{5,20})()", re.ASCII)),
    ("name", re.compile(rf"((?:[我人名]叫|(?:名字|姓名|户主|户名|联系人){_IS})\s*)({_S}[一-鿿]{{1,2}})(){_END}")),
    ("name", re.compile(rf"((?:我是|本人是|本人|这里是|业主|客户|居民|用户|找)\s*)({_S}[{GIVEN}]{{1,2}})(){_END}")),
    ("name", re.compile(rf"(?<![谢前现])()({_S}[{GIVEN}]{{0,2}})({TITLES})")),
    ("name", re.compile(rf"((?:我|他|她|免贵|的|个|人)姓)({_S})()")),
    ("number", re.compile(rf"({_DIGIT}{{10,16}}[\s，,、]{{1,2}})({_DIGIT}{{4}})()(?![0-9０-９年月])")),
    ("number", re.compile(rf"((?:后四位|尾号){_IS}|^)({_DIGIT}{{4}})()$")),
    ("door", re.compile(rf"()({_DIGIT}+(?:[-－]{_DIGIT}+)*)(号楼|号院|栋|幢|座|单元|楼|室|组|弄)")),
    ("door", re.compile(rf"((?:[路街巷道弄村里园]|胡同|大院|门牌)\s*)({_DIGIT}+)(号)")),
    ("door", re.compile(rf"()({_DIGIT}+)(号(?={_DIGIT}+(?:单元|楼|室|栋|幢|-)))")),
    ("door", re.compile(r"()([零一二三四五六七八九十百]{1,4})(号楼|[栋幢](?!楼)|单元)")),
    ("door", re.compile(rf"((?:单元|号楼|[栋幢座#])\s*)({_DIGIT}{{2,4}})()(?!{_DIGIT}|[年月日天元块度千])")),
    ("door", re.compile(r"(?<![0-9-])()([0-9]{1,3}[-#][0-9]{1,2}-[0-9]{2,4})()(?![0-9-])")),
)  # fmt: skip
"""(what stays before)(what is hidden)(what stays after), the first rule that takes a character keeps it."""
_ALPHABETS = (
    "0123456789",
    "０１２３４５６７８９",
    "一二三四五六七八九",
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
)
_NOT_NAMES = re.compile(r"(安装|高压|于是|方便|常用|时候|任何|万一|平安|金额|石油|江苏|常常|温和|关于|左右)")


@dataclass(frozen=True)
class Personal:
    """One piece of personal data: the text from `start` to `end`; `kind` is one of `KINDS`.

    `shown`: how many characters of its head and of its tail may be shown.
    """

    kind: str
    start: int
    end: int
    shown: tuple[int, int]


def personal(text: str) -> list[Personal]:
    """Where personal data stands, in order, without overlaps."""
    taken = [False] * len(text)
    found = []
    for kind, rule in _RULES:
        for hit in rule.finditer(text):
            if any(taken[hit.start(2) : hit.end(2)]) or (kind == "name" and _NOT_NAMES.match(text, hit.start(2))):
                continue
            head, tail = (len(part) if part.isdigit() else 0 for part in (hit[1], hit[3]))
            start, end = hit.start(2) - head, hit.end(2) + tail
            taken[start:end] = [True] * (end - start)
            found.append(Personal(kind, start, end, (head, tail)))
    return sorted(found, key=lambda one: one.start)


def mask(text: str) -> str:
    """Phones, ID cards, account numbers, names and door numbers hidden behind as many stars."""
    hidden = list(text)
    for one in personal(text):
        head, tail = one.shown
        for at in range(one.start + head, one.end - tail):
            hidden[at] = "*" if text[at].isalnum() else text[at]
    return "".join(hidden)


def invent(text: str, seed: int) -> str:
    """The text with made-up values of the same form in place of personal data; the same `seed` gives the same values.

    Figures stay figures, full-width ones full-width; an account number keeps its first one, a phone its first two.
    """
    chance = random.Random(seed)
    made = list(text)
    for one in personal(text):
        value = text[one.start : one.end]
        if one.kind == "name":
            double = value[:2] in DOUBLE
            family = chance.choice(DOUBLE) if double else chance.choice(SURNAMES)
            new = family + "".join(chance.choice(GIVEN) for _ in value[len(family) :])
        else:
            keep = KEPT.get(one.kind, 0)
            new = value[:keep] + "".join(_like(char, chance) for char in value[keep:])
        made[one.start : one.end] = new
    return "".join(made)


def _like(char: str, chance: random.Random) -> str:
    for alphabet in _ALPHABETS:
        if char in alphabet:
            return chance.choice(alphabet)
    return char
