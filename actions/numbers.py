"""Numbers as customers write them: account numbers, phones, tickets, months, days, money and kWh."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta
from decimal import Decimal

# 洞 拐 勾 are what radio operators and many call centres say for 0, 7 and 9
CHINESE = str.maketrans("零〇洞一二两三四五六七八九幺拐勾", "0001223456789179")
_DIGIT = r"[零〇洞一二两三四五六七八九幺拐勾\d]"
_SPOKEN = re.compile(rf"{_DIGIT}(?:{_DIGIT}|\s){{2,}}{_DIGIT}")
_NUMERALS = {numeral: value for value, numeral in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_NUMBER = r"(?:\d+(?:\.\d+)?|[零〇一二两三四五六七八九十百千万]+)"
_YEAR = r"(?:(去年|前年|今年|明年)|((?:20)?\d\d|[零〇一二三四五六七八九]{2,4})\s*[年.\-/])?\s*"
_IN_YEAR = r"(1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])"
_MONTH = re.compile(rf"{_YEAR}(?<![\d.]){_IN_YEAR}\s*(?:月|(?<=\d)(?![\d.年/\-]))")
_DAY_OF = r"([12]\d|3[01]|0?[1-9]|二?十[一二三四五六七八九]?|三十一?|[一二三四五六七八九])"
_DATE = re.compile(rf"{_YEAR}(?<![\d.]){_IN_YEAR}\s*[月.\-/]\s*{_DAY_OF}(?:\s*[日号]|(?![\d.月年]))")
_DAY_IN_MONTH = re.compile(rf"(下个?月|本月|这个月|上个?月)?\s*(?<![\d.]){_DAY_OF}\s*[日号](?![楼栋幢院店线门])")
_BACK = {r"上上个?月|前一?个月": 2, r"(?<!上)上(?:个?月|个号头|一?期)": 1, r"[这本当今]个?月|这个号头": 0}
_RELATIVE = re.compile("|".join(_BACK))
_WHOLE_YEAR = re.compile(r"(去年|上年|旧年|前年|今年)|((?:20)?\d\d)\s*年(?!前|来|多|级)")
_FILLING = re.compile(
    r"(?:那|也|要|还|再|查|看|想|我|问|个|一?下|份|重?开|补|整年|全年|一?年|的|得|嘅|噶|有|可以|能|行|[吗嘛么不没])*"
    r"(?:怎么样|呢|啊|呀|呐|咧|咯|哦|吧|[?？。，,!！\s])*"
)
_NEAR = {"大前": -3, "前": -2, "昨": -1, "今": 0, "明": 1, "后": 2, "大后": 3}
_NEAR_DAY = re.compile(r"(大前|大后|[前昨今明后])(?:[天日儿晚夜早]|儿个|朝)")
WEEK = re.compile(r"(上上|上|这|本)一?个?(?:周|星期|礼拜)(?![一二三四五六日天末期])")
_WEEKDAY = re.compile(r"(上|下|这|本)?个?(?:周|星期|礼拜)([一二三四五六日天])")


def plain(text: str) -> str:
    """Half-width, with runs of at least four spoken digits (幺三八…) as figures."""
    return _SPOKEN.sub(lambda run: run.group().translate(CHINESE), unicodedata.normalize("NFKC", text))


def account_no(text: str) -> str | None:
    """The account number 户号 in a message: 10 to 16 digits, perhaps with spaces or hyphens; None if there is none."""
    return _split(text)[0]


def last_four(text: str) -> str | None:
    """The last four digits of a phone: given alone, or as the end of a whole mobile number; None if unclear."""
    for run in re.findall(r"\d+", _split(text)[1]):
        if len(run) == 4 or (len(run) == 11 and run.startswith("1")):
            return str(run[-4:])
    return None


def phone(text: str) -> str | None:
    """A mobile number (11 digits) in a message, or a land line with its area code; None if there is none."""
    joined = re.sub(r"(?<=\d)[\s-]+(?=\d)", "", plain(text))
    found = re.search(r"(?<!\d)(1[3-9]\d{9}|0\d{2,3}[2-8]\d{6,7})(?!\d)", joined)
    return found[1] if found else None


def ticket_no(text: str) -> str | None:
    """A ticket's number 工单号: two letters and at least eight digits, upper case; None if there is none."""
    found = re.search(r"(?<![A-Za-z])([A-Za-z]{2})[\s-]*(\d{8,16})(?!\d)", plain(text))
    return found[1].upper() + found[2] if found else None


def _split(text: str) -> tuple[str | None, str]:
    """The account number, and what is left of the text without it."""
    read = plain(text)
    joined = re.sub(r"(?<=\d)[\s-]+(?=\d)", "", read)
    for candidate in (read, joined):
        # letters begin a ticket's number; of several, the one that is no mobile number, but a single one as it is
        found = sorted(
            re.finditer(r"(?<![A-Za-z\d])\d{10,16}(?!\d)", candidate),
            key=lambda run: re.fullmatch(r"1[3-9]\d{9}", run.group()) is not None,
        )
        if found:
            return str(found[0].group()), candidate[: found[0].start()] + " " + candidate[found[0].end() :]
    return None, joined


def month(text: str, today: date) -> str | None:
    """The first month ("YYYY-MM") a message names, see `months`; None if it names none."""
    named = months(text, today)
    return named[0] if named else None


def months(text: str, today: date) -> list[str]:
    """Every month ("YYYY-MM") a message names, in its order; one without a year is the latest not in the future."""
    read = unicodedata.normalize("NFKC", text)
    found: list[tuple[int, str]] = []
    for pattern, back in _BACK.items():
        found += [(hit.start(), _back(today, back)) for hit in re.finditer(pattern, read)]
    for hit in _MONTH.finditer(read):
        if not hit[2] and not hit.group().endswith("月"):
            continue
        wanted = _small(hit[3])
        year = _year(hit[1], hit[2], today)
        if year is None:
            year = today.year - (wanted > today.month)
        found.append((hit.start(), f"{year}-{wanted:02d}"))
    return list(dict.fromkeys(name for _, name in sorted(found)))


def year(text: str, today: date) -> int | None:
    """The year a message names without a month (去年, 2025年); None if it names a month, or none."""
    hit = _WHOLE_YEAR.search(unicodedata.normalize("NFKC", text)) if month(text, today) is None else None
    return _year(hit[1], hit[2], today) if hit else None


def only_a_time(text: str) -> bool:
    """Whether a message names a time and nothing else: 「要去年的」, 「那三月份呢」."""
    read = unicodedata.normalize("NFKC", text)
    left = _DAY_IN_MONTH.sub("", _DATE.sub("", read))
    left = _MONTH.sub(lambda hit: "" if hit[2] or hit.group().endswith("月") else hit.group(), left)
    for pattern in (_RELATIVE, _WHOLE_YEAR, _NEAR_DAY, WEEK, _WEEKDAY):
        left = pattern.sub("", left)
    return left != read and _FILLING.fullmatch(left) is not None


def day(text: str, today: date, past: bool = True) -> date | None:
    """The first day a message names (昨晚, 上周五, 11月3号, 下个月1号); None if none or if there is no such day.

    A weekday or a day of a month without more is the latest not after `today`, or with `past` false the next not
    before it.
    """
    read = unicodedata.normalize("NFKC", text)
    try:
        if hit := _DATE.search(read):
            wanted, number = _small(hit[3]), _small(hit[4])
            year = _year(hit[1], hit[2], today)
            if year is not None:
                return date(year, wanted, number)
            named = date(today.year, wanted, number)
            if past and named > today:
                return named.replace(year=today.year - 1)
            return named.replace(year=today.year + 1) if not past and named < today else named
        if hit := _NEAR_DAY.search(read):
            return today + timedelta(days=_NEAR[hit[1]])
        if hit := _WEEKDAY.search(read):
            monday = today - timedelta(days=today.weekday())
            named = monday + timedelta(days=min("一二三四五六日天".index(hit[2]), 6))
            if hit[1]:
                return named + timedelta(weeks={"上": -1, "下": 1}.get(hit[1], 0))
            if past:
                return named - timedelta(weeks=named > today)
            return named + timedelta(weeks=named < today)
        if hit := _DAY_IN_MONTH.search(read):
            number = _small(hit[2])
            back = {"下": -1, "上": 1}.get((hit[1] or "本")[0], 0)
            if not hit[1] and number != today.day and (number > today.day) == past:
                back = 1 if past else -1
            return date.fromisoformat(f"{_back(today, back)}-{number:02d}")
    except ValueError:
        return None
    return None


def week(text: str, today: date) -> tuple[date, date] | None:
    """The first and last day of the week a message names (上周, 这个星期), the last not after `today`; None if none."""
    hit = WEEK.search(unicodedata.normalize("NFKC", text))
    if hit is None:
        return None
    monday = today - timedelta(days=today.weekday(), weeks={"上上": 2, "上": 1}.get(hit[1], 0))
    return monday, min(monday + timedelta(days=6), today)


def amount(text: str) -> Decimal | None:
    """The first sum of money in yuan (200元, 五十块, 三块五, 2万元); None if there is none."""
    read = unicodedata.normalize("NFKC", text)
    hit = re.search(rf"({_NUMBER})[多来几]?(万?)(?:元|块钱?|蚊)([一二两三四五六七八九\d](?![\d度月号日年个]))?", read)
    if hit is None:
        return None
    whole = _value(hit[1]) * (10000 if hit[2] else 1)
    return whole + (_value(hit[3]) / 10 if hit[3] else 0)


def kwh(text: str) -> Decimal | None:
    """The first amount of energy (300度, 一百二十千瓦时, 50kWh); None if there is none."""
    read = unicodedata.normalize("NFKC", text)
    hit = re.search(rf"({_NUMBER})(?:多|来)?\s*(?:度|千瓦时|kwh)", read, re.IGNORECASE)
    return _value(hit[1]) if hit else None


def _value(number: str) -> Decimal:
    if number[0].isdigit():
        return Decimal(number)
    high, _, low = number.partition("万")
    return Decimal(_small(high) * 10000 + _small(low) if "万" in number else _small(number))


def _small(numeral: str) -> int:
    """A whole number below ten thousand in figures or Chinese numerals; 一百二 is 120."""
    if numeral.isdigit():
        return int(numeral)
    total, last, unit = 0, 0, 10
    for sign in numeral:
        if sign in _UNITS:
            unit = _UNITS[sign]
            total += (last or 1) * unit
            last = 0
        else:
            last = _NUMERALS[sign]
            unit = 10 if sign == "零" else unit
    return total + last * (unit // 10 if numeral[-2:-1] in "百千" and unit > 10 else 1)


def _year(relative: str | None, written: str | None, today: date) -> int | None:
    if relative:
        return today.year - {"去年": 1, "上年": 1, "旧年": 1, "前年": 2, "明年": -1}.get(relative, 0)
    if not written:
        return None
    figures = int(written.translate(CHINESE))
    return figures if figures >= 1000 else today.year // 100 * 100 + figures


def _back(today: date, months: int) -> str:
    year, index = divmod(today.year * 12 + today.month - 1 - months, 12)
    return f"{year}-{index + 1:02d}"
