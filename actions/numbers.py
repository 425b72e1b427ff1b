"""Numbers as customers write them: account numbers, phone endings and months."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

CHINESE = str.maketrans("零〇一二两三四五六七八九幺", "0012234567891")
_DIGIT = r"[零〇一二两三四五六七八九幺\d]"
_SPOKEN = re.compile(rf"{_DIGIT}(?:{_DIGIT}|\s){{2,}}{_DIGIT}")
_MONTH_NAMES = {name: number for number, name in enumerate("一 二 三 四 五 六 七 八 九 十 十一 十二".split(), 1)}


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


def _split(text: str) -> tuple[str | None, str]:
    """The account number, and what is left of the text without it."""
    read = plain(text)
    joined = re.sub(r"(?<=\d)[\s-]+(?=\d)", "", read)
    for candidate in (read, joined):
        found = re.search(r"(?<!\d)\d{10,16}(?!\d)", candidate)
        if found:
            return str(found.group()), candidate[: found.start()] + " " + candidate[found.end() :]
    return None, joined


def month(text: str, today: date) -> str | None:
    """The month ("YYYY-MM") a message names, the latest that is not in the future; None if it names none."""
    read = unicodedata.normalize("NFKC", text)
    if found := re.search(r"(20\d\d)\s*[年.\-/]\s*(1[0-2]|0?[1-9])", read):
        return f"{found[1]}-{int(found[2]):02d}"
    if re.search(r"上上(个)?月|前(一)?个月", read):
        return _back(today, 2)
    if re.search(r"上(个)?月", read):
        return _back(today, 1)
    if re.search(r"(这|本|当)(个)?月", read):
        return _back(today, 0)
    if found := re.search(r"(去年|前年|今年)?\s*(1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])\s*月", read):
        wanted = int(found[2]) if found[2].isdigit() else _MONTH_NAMES[found[2]]
        year = today.year - {"去年": 1, "前年": 2}.get(found[1] or "", 0)
        if found[1] is None and wanted > today.month:
            year -= 1
        return f"{year}-{wanted:02d}"
    return None


def _back(today: date, months: int) -> str:
    year, index = divmod(today.year * 12 + today.month - 1 - months, 12)
    return f"{year}-{index + 1:02d}"
