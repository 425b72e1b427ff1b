"""Entities that have a form: numbers, months, days and money. Conventions as in the training data.

`find` works on a normal text (see `text.normal`), so full-width digits and traditional characters are none of its
concern; spoken digits (幺三八 …) are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.dialogue.components.text import sounds

_D = r"[\d零〇洞一二两三四五六七八九幺拐勾]"
_FIGURES = str.maketrans("零〇洞一二两三四五六七八九幺拐勾", "0001223456789179")
_RUN = re.compile(rf"(?<![a-z\d])(?:[a-z]{{2,3}}[ -]?)?{_D}(?:[ -]?{_D}){{6,22}}(?!\d)")
_TICKET_BEFORE = re.compile(
    r"(?:工单|单子|受理|报修|投诉|登记|编)?(?:单号|编号|编码|工单)(?:是|为|:|给您|给你|念给你嘛|\s)*$"
)
_ACCOUNT_BEFORE = re.compile(r"(?:[户护胡沪互]号?|戶號|账户|编号|客户号)(?:是|为|:|:|\s)*$")
_TICKET_FORM = re.compile(r"20[2-9]\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{5,}")
_HOT_LINES = ("95598", "12398", "12345")

_N2 = r"(?:1[0-2]|0?[1-9])"
_ZH_MONTH = r"(?:十[一二]?|[一二三四五六七八九])"
_YEAR = r"(?:去年|前年|今年|明年|(?:20)?\d\d年|二[零〇]?[零〇一二三四五六七八九]{1,2}年)"
_MONTH_IN_YEAR = rf"(?:{_YEAR}的?)?(?<![\d.]){_N2}月|(?:{_YEAR})?(?<![十百]){_ZH_MONTH}月"
_NEAR_MONTH = r"上上个?月|上个?月|这个?月|本月|当月|今个月|下个?月|前个月|前一?个月|[上这]个号头|[上这]只月"
_DAY = r"(?:[12]\d|3[01]|0?[1-9])"
_ZH_DAY = r"(?:二十[一二三四五六七八九]?|三十一?|十[一二三四五六七八九]?|[一二三四五六七八九])"
_NOT_HOUSE = r"(?![楼栋幢座院店线门铺桌台机库厂坑桥表]|单元|公寓|大院|小区)"
_DATE = re.compile(
    rf"(?:{_YEAR})?(?<![\d.])(?:{_N2}月{_DAY}|(?<![十百]){_ZH_MONTH}月(?:{_ZH_DAY}|{_DAY}))(?:[日号]|(?![\d.月天度]))"
    rf"|(?:20\d\d[-/.])(?:{_N2})[-/.]{_DAY}(?!\d)"
    rf"|(?:下个?月|本月|这个?月|上个?月|当月)(?:{_DAY}|{_ZH_DAY})[日号]"
    rf"|(?<![\d.])(?:{_DAY}|{_ZH_DAY})[日号](?=是不是|停|会|要|晚|早|上午|下午)"
    rf"|(?<![\d.路街巷弄道村月第组厅台机a-z])(?:{_DAY}|{_ZH_DAY})[日号]{_NOT_HOUSE}"
    r"|大?[前昨后]天|[今明]天|[今明昨][日晚早夜晨]|[前后][晚日]|[今明昨前后]儿个?|[今明昨]个儿?(?![月周星礼])|[今明昨][朝早]|[今昨]朝|明朝"
    r"|[听寻琴][日晚朝]|当[晚天](?=[就停])"
    r"|(?:[上下这本]个?|(?<![一两三几个每]))(?:周|星期|礼拜)(?:[一二三四五六日天](?![千百十年一二三四五六七八九]|到[周星礼]|[至、])|[1-6](?!\d))"
    r"|双十[一二]|双1[12](?!\d)|元旦(?=[那停当])|除夕|大年(?:三十|初一)"
)
_HEARD = {
    tuple(sounds(word)): word
    for word in (
        *(
            "上个月",
            "这个月",
            "下个月",
            "上上个月",
            "前个月",
            "本月",
            "月份",
            "去年",
            "昨天",
            "今天",
            "明天",
            "前天",
            "后天",
        ),
        *("明天", "前天", "后天", "昨日", "明日", "今晚", "明晚", "今早", "星期", "礼拜", "块钱"),
    )
}
_MONTH = re.compile(rf"(?:{_MONTH_IN_YEAR})份?|(?:{_NEAR_MONTH})份?|(?<!\d)20\d\d[-/.](?:1[0-2]|0[1-9])(?![\d-])")
_ZH_NUMBER = r"(?:[一二两三四五六七八九]?[十百千万]+|[零〇一二两三四五六七八九])"
_SUM = rf"(?:\d+(?:[,]\d{{3}})*(?:\.\d+)?|{_ZH_NUMBER}+|[几好]+[十百千万]+)"
_AMOUNT = re.compile(
    rf"(?:{_SUM}|(?<=[一二两三四五六七八九\d十百])[几])(?:[多来几]?[十百千万]?[多来几]?)(?:元(?:钱)?|块钱?|蚊|毛钱?|角|圆)"
    r"(?:[一二两三四五六七八九\d](?:[毛角分](?:[一二三四五六七八九\d]分)?|(?![\d度月号日年个十百千万点天次口栋倍])))?"
    r"|[¥￥]\d+(?:,\d{3})*(?:\.\d+)?(?:元)?|\d+(?:\.\d+)?rmb"
)
_SUM_BY_SOUND = re.compile(r"(?<=[十百千\d])快(?![点些速递充到十百千慢要\d]|$)")
_A_THING = re.compile(
    r"(?<=[哪这那每])一块|[一二两三四五六七八九几]块(?![一二三四五六七八九\d]|钱|的|都|也|，|。|多|[!?、,. ]|$)"
)


@dataclass(frozen=True)
class Found:
    """One entity: characters `start` to `end` of the text."""

    start: int
    end: int
    entity: str


def find(text: str) -> list[Found]:
    """The entities of a normal text that have a form, in reading order, none overlapping."""
    found = list(_numbers(text))
    for number in found:
        text = text[: number.start] + "#" * (number.end - number.start) + text[number.end :]
    text = _respelled(text)
    for candidate in (*_spans(_DATE, "date", text), *_spans(_MONTH, "month", text), *_money(text)):
        if all(candidate.end <= other.start or other.end <= candidate.start for other in found):
            found.append(candidate)
    return sorted(found, key=lambda one: one.start)


def _respelled(text: str) -> str:
    """The text, as long as before, with words of time and money that were written by sound (尚个月, 昨添, 三百快钱)."""
    heard, i = sounds(text), 0
    while i < len(text):
        word = next((w for n in (4, 3, 2) if (w := _HEARD.get(tuple(heard[i : i + n]))) is not None), "")
        text = text[:i] + word + text[i + len(word) :]
        i += len(word) or 1
    return _SUM_BY_SOUND.sub("块", text)


def _numbers(text: str) -> Iterator[Found]:
    for run in _RUN.finditer(text):
        start, end = run.span()
        end = _before_month(text, start, end)
        figures = re.sub(r"[ -]", "", text[start:end]).translate(_FIGURES)
        before = text[:start]
        if figures[0].isalpha():
            if len(re.sub(r"\D", "", figures)) >= 7:
                yield Found(start, end, "ticket_no")
        elif _TICKET_BEFORE.search(before) and len(figures) >= 8:
            yield Found(start, end, "ticket_no")
        elif re.fullmatch(r"1[3-9]\d{9}", figures) and not _ACCOUNT_BEFORE.search(before):
            yield Found(start, end, "phone")
        elif re.fullmatch(r"0\d{2,3}[2-8]\d{6,7}", figures) and "-" in text[start:end]:
            yield Found(start, end, "phone")
        elif len(figures) >= 14 and _TICKET_FORM.fullmatch(figures) and not _ACCOUNT_BEFORE.search(before):
            yield Found(start, end, "ticket_no")
        elif 10 <= len(figures) <= 16:
            yield Found(start, end, "account_no")
        elif len(figures) > 21 and (pair := re.fullmatch(r"(.*?)[ -]?(1[3-9]\d{9})", text[start:end])):
            yield Found(start, start + len(pair[1]), "account_no")
            yield Found(end - len(pair[2]), end, "phone")


def _before_month(text: str, start: int, end: int) -> int:
    """Where a run of digits ends that runs on into a month or year (户号3310345528 9月, 33103455289月)."""
    if not re.match(r"[年月]", text[end:]):
        return end
    gap = re.search(r"[ -]\d{1,4}$", text[start:end])
    if gap:
        return start + gap.start()
    return next((end - extra for extra in (1, 2, 4) if end - extra - start in (10, 13, 16)), end)


def _spans(form: re.Pattern[str], entity: str, text: str) -> Iterator[Found]:
    for hit in form.finditer(text):
        yield Found(hit.start(), hit.end(), entity)


def _money(text: str) -> Iterator[Found]:
    for hit in _AMOUNT.finditer(text):
        if not _A_THING.match(text, hit.start()):
            yield Found(hit.start(), hit.end(), "amount")
