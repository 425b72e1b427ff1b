"""Which area 台区 a customer means: the names the outage system knows, matched by characters, sound and parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from pypinyin import lazy_pinyin

from actions.systems import Area

MOST = 10
_DISTRICT = re.compile(r"^.{1,4}?[区县市](?=..)")
# 区 and 县 within a name: 小区, 社区 are no districts
_GENERIC = re.compile(r"(小区|花园|家园|新村|社区|公寓|大厦|广场|[苑村街路里湾庄镇])$")
_PLACE_IN_BUILDING = re.compile(r"[A-Za-z\d一二三四五六七八九十]+(?:号楼|[栋幢座号室楼层组社]|单元|单位)")
_WRAPPING = re.compile(
    r"我们?家?|家?住在?|位于|地址是?|这边|那边|这里|那里|附近|的|在|是|都?停电了?|没有?电了?|不对|[，。！？、：\s,.!?:]"
)
# sounds that many regions and speech recognition do not tell apart
_SAME_SOUND = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("h", "f"), ("r", "l"))


def match(query: str, areas: Sequence[Area]) -> list[Area]:
    """The areas that `query` may mean, best first and only the equally good, at most `MOST`; [] if none fits.

    The name may stand within a sentence, be written by sound (锦秀江南), or be given in part (锦绣, two characters at
    least). A named district, or exactly the same characters, tell equals apart.
    """
    wanted = core(query)
    districts = {found.group() for area in areas if (found := _DISTRICT.match(area.name))}
    rest = next((wanted.replace(one, "", 1) for one in districts if one in wanted), wanted)
    scored = [(_likeness(wanted, rest if len(rest) > 1 else wanted, area.name), area) for area in areas]
    best = max((score for score, _ in scored), default=0)
    return [area for score, area in scored if score == best][:MOST] if best else []


def core(query: str) -> str:
    """`query` without house numbers and the words around a place."""
    return _WRAPPING.sub("", _PLACE_IN_BUILDING.sub("", query))


def _likeness(wanted: str, rest: str, name: str) -> float:
    """`rest` is what was said without the district."""
    district = _DISTRICT.match(name)
    short = name[district.end() :] if district else name
    kernel = _GENERIC.sub("", short)
    kernel = kernel if len(kernel) >= 2 else short
    run = _run(_sounds(rest), _sounds(kernel))
    if run < 2:
        return 0
    whole = run == len(kernel)
    named = district is not None and _run(_sounds(wanted), _sounds(district.group()[:-1])) == district.end() - 1
    exact = _run(tuple(wanted), tuple(short)) / len(short)
    return (100 if whole else 50 + 10 * run / len(kernel)) + (20 if named else 0) + 10 * exact


@lru_cache(maxsize=10_000)
def _sounds(text: str) -> tuple[str, ...]:
    return tuple(_blurred(sound) for sound in lazy_pinyin(list(text)))


def _blurred(sound: str) -> str:
    for clear, blurred in _SAME_SOUND:
        if sound.startswith(clear):
            sound = blurred + sound[len(clear) :]
            break
    return sound[:-1] if sound.endswith("ng") else sound


def _run(text: Sequence[str], part: Sequence[str]) -> int:
    """Length of the longest run of `part` that occurs in `text`."""
    longest = 0
    for start in range(len(part)):
        for end in range(len(part), start + longest, -1):
            piece = part[start:end]
            if any(text[i : i + len(piece)] == piece for i in range(len(text) - len(piece) + 1)):
                longest = end - start
                break
    return longest
