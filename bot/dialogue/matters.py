"""Several matters 几件事 in one message: 「上个月电费多少，还有明天停电吗」 is two questions, and each gets its answer.

A message is cut only where each part, read by itself, is surely a matter of its own; most commas and 「还有」 begin no
other one, and a question read whole is read better. Where no mark stands, `seams` guesses where one might.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bot.dialogue.seams import seams

Read = Callable[[str], Awaitable[Mapping[str, Any]]]

MOST = 3
LONGEST = 120
SHORTEST, SHORTEST_APART = 3, 5
SURE, SURER = 0.6, 0.8
DOUBT = 30  # a reading less sure by 0.01 weighs as a seam less likely by 0.3

BILLS = frozenset(
    "query_bill query_balance query_arrears query_usage explain_high_bill ask_tariff_tier ask_tariff_tou "
    "ask_payment_methods pay_bill ask_late_fee request_invoice ask_autopay find_account_no bind_account buy_power_card "
    "ask_usage_analysis ask_energy_saving set_usage_alert".split()
)
OUTAGES = frozenset("query_restore_time query_planned_outage ask_outage_reason subscribe_outage_notice".split())
SERVICES = frozenset(
    "apply_new_service apply_capacity_change transfer_account apply_pv apply_ev_charger find_charging_station "
    "find_service_hall app_login_problem".split()
)
TICKETS = frozenset(("query_ticket", "urge_ticket"))
ANSWERED = BILLS | OUTAGES | SERVICES | TICKETS
# what is filed for a person; one message files once
FILED = frozenset(
    "report_outage report_meter_problem report_frequent_outage report_voltage_problem payment_not_credited "
    "request_refund request_reconnect file_complaint make_suggestion".split()
)
# 「电费交了？怎么还没电？」 and 「怎么这么贵？到第三档了？」 are one matter
OWED = frozenset("query_arrears pay_bill query_balance".split())
PAID = OWED | frozenset("payment_not_credited buy_power_card request_reconnect".split())
WHY = frozenset("explain_high_bill ask_energy_saving ask_usage_analysis".split())
# of what is filed: what it is about
FILED_FIELDS = {
    **dict.fromkeys(("report_outage", "report_frequent_outage", "report_voltage_problem"), OUTAGES),
    **dict.fromkeys(("report_meter_problem", "payment_not_credited", "request_refund"), BILLS),
}

ASKS = re.compile(
    "[?？吗嘛呢么咩]|不$|怎么|咋|如何|为什么|为啥|多少|[多好][久长]|[好几]多|什么|啥|哪|[几何]|谁|还是|查|想|要|帮|能|可以"
    r"|一下|发给?我|([一-龥])不\1|没有?$"
)
JOINS = re.compile(
    r"[\s，,。；;！!？?、]*(?:还有(?!多少|几|没|钱|余额|电(?![动价费表卡]))(?:就是|一个|个|那个)?(?:问题|事儿?)?|另外|顺便|对了|再(?=[问查帮看开]|咨询)"
    r"|再一个|再就是|然后(?=[我再帮你]|那个)|同时(?=[想问请也咨])|并(?=请?告知)|[一二三]是(?=.{4})|还(?=想[问查知]|要[问查])"
    r"|以及|第[二三](?=[个件，,、：:是])(?:个|件事?)?)[\s，,、：:是]*"
)
ENDS = re.compile("[？?。！!；;]+")
PAUSES = re.compile(r"[，,\s]+")


@dataclass(frozen=True)
class Part:
    """A stretch of the message; `joined`: a word like 「另外」 stands before it, `ended`: a sentence ends before it."""

    text: str
    joined: bool
    ended: bool


class Matter(NamedTuple):
    """An intent, and how surely it was read."""

    about: str
    sure: float


def stretches(text: str) -> list[Part]:
    """The message cut wherever a new matter could begin."""
    found = []
    for number, one in enumerate(JOINS.split(text)):
        joined = number > 0
        for sentence in ENDS.split(one):
            for place, piece in enumerate(PAUSES.split(sentence)):
                if piece:
                    found.append(Part(piece, joined, place == 0))
                    joined = False
    return found


async def apart(text: str, read: Read) -> list[str]:
    """The matters of a message in order, each in its own words; the message alone where it has but one.

    `read` gives `door.read` of a text.
    """
    if len(text) > LONGEST or any(part.text.startswith("/") for part in stretches(text)):  # to Rasa an intent
        return [text]
    marked = await _by_marks(text, read)
    return marked if len(marked) > 1 else await _by_seams(text, read)


async def _by_marks(text: str, read: Read) -> list[str]:
    """Cut where a mark or a joining word stands."""
    parts = stretches(text)
    if not any(part.joined for part in parts) and sum(ASKS.search(part.text) is not None for part in parts) < 2:
        return [text]
    groups: list[list[str]] = [[]]
    before: list[str] = []
    for part in parts:
        matter = await _matter(part, read)
        about = matter.about if matter is not None else None
        if about is not None and before and _new(part, about, before):
            groups.append([])
        if about is not None and (not before or len(groups) > len(before)):
            before.append(about)
        groups[-1].append(part.text)
    if len(groups) > MOST or sum(about in FILED for about in before) > 1:
        return [text]
    return ["，".join(group) for group in groups] if len(groups) > 1 else [text]


async def _by_seams(text: str, read: Read) -> list[str]:
    """Cut in two where no mark stands, at the surest place whose sides are each surely a matter of its own."""
    found = []
    for likely, at in seams(text):
        one = await _matter(Part(text[:at], False, False), read)
        other = await _matter(Part(text[at:], False, True), read) if one is not None else None
        if one is not None and other is not None and _unlike(one.about, other.about):
            found.append((likely - DOUBT * (1 - min(one.sure, other.sure)), at))
    if not found:
        return [text]
    _, at = max(found)
    return [text[:at], text[at:]]


async def _matter(part: Part, read: Read) -> Matter | None:
    """A stretch that is a matter by itself; what is only told, not asked, is one if it is to be filed."""
    if len(part.text) < SHORTEST:
        return None
    found = await read(part.text)
    matter = Matter(str(found["intent"]), found["confidence"])
    matters = ANSWERED | FILED if part.joined or ASKS.search(part.text) is not None else FILED
    sure = matter.sure >= (SURE if part.joined else SURER)
    return matter if sure and not found["fallback"] and matter.about in matters else None


def _new(part: Part, about: str, before: Sequence[str]) -> bool:
    """Whether a stretch begins a matter that is not one with what was said `before` it."""
    if about in before:
        return False
    if part.joined:
        return True
    pair = {about, before[-1]}
    if not part.ended and len(part.text) < SHORTEST_APART:
        return False  # 「要办新装，多久能通」
    if pair & FILED or pair & WHY or pair & OWED and pair & OUTAGES:
        return False
    return part.ended and pair <= BILLS or _field(about) is not _field(before[-1])


def _unlike(one: str, other: str) -> bool:
    """Whether two matters told in one breath are surely two."""
    pair = {one, other}
    fields = [FILED_FIELDS.get(about) or _field(about) for about in (one, other)]
    if one == other or None in fields or pair <= FILED or pair & FILED and pair & TICKETS:
        return False
    if pair & WHY and (pair <= BILLS or "ask_outage_reason" in pair) or pair & PAID and OUTAGES in fields:
        return False
    return pair <= BILLS or fields[0] is not fields[1]


def _field(about: str) -> frozenset[str] | None:
    return next((field for field in (BILLS, OUTAGES, SERVICES, TICKETS) if about in field), None)
