"""The rows of the training files, the words they may use, and what makes a row fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

TOPICS: dict[str, tuple[str, ...]] = {
    "smalltalk": (
        "greet", "goodbye", "thank", "affirm", "deny", "bot_challenge", "ask_capabilities", "out_of_scope", "inform",
    ),
    "handoff": ("request_human",),
    "billing": (
        "query_bill", "query_balance", "query_arrears", "explain_high_bill", "query_usage", "ask_tariff_tier",
        "ask_tariff_tou", "ask_payment_methods", "pay_bill", "payment_not_credited", "ask_late_fee",
        "request_invoice", "ask_autopay", "request_refund", "report_meter_problem", "find_account_no",
        "bind_account", "buy_power_card",
    ),
    "outage": (
        "report_outage", "query_restore_time", "query_planned_outage", "ask_outage_reason",
        "report_frequent_outage", "report_voltage_problem", "ask_trip_help", "request_reconnect",
        "ask_damage_compensation", "report_safety_hazard", "subscribe_outage_notice",
    ),
    "service": (
        "apply_new_service", "apply_capacity_change", "transfer_account", "apply_pv", "apply_ev_charger",
        "find_charging_station", "find_service_hall", "ask_energy_saving", "ask_usage_analysis",
        "set_usage_alert", "app_login_problem",
    ),
    "complaint": (
        "file_complaint", "make_suggestion", "give_praise", "query_ticket", "urge_ticket", "rate_service",
    ),
}
ENTITIES = ("account_no", "month", "date", "area", "city", "phone", "ticket_no", "amount")
CATEGORIES = (
    "outage", "outage_frequent", "power_quality", "safety_hazard", "billing", "metering", "payment",
    "service_request", "construction", "service_conduct", "property_resale", "damage_claim", "other",
)
PRIORITIES = ("P1", "P2", "P3", "P4")


_ANNOTATION = re.compile(r"\[([^\[\]]+)\]\((\w+)\)")
_BRACKETS = str.maketrans("[]", "［］")


class DataError(ValueError):
    """A training file or row is wrong; the message tells a trainer the place and what to mend."""


class Gone(DataError):
    """The row is not as it was seen: somebody changed it meanwhile."""


@dataclass(frozen=True)
class Utterance:
    """One annotated sentence: `text` carries Rasa's `[span](entity)` marks; `place` is its file and line."""

    intent: str
    text: str
    place: str = field(default="", compare=False)

    @classmethod
    def marked(cls, intent: str, plain: str, entities: Iterable[Mapping[str, Any]]) -> Utterance:
        """A sentence from its plain text and `entities` ({entity, start, end}, characters).

        Square brackets mean a mark in the files: a customer's own become full-width, line breaks and characters that
        cannot be seen become blanks, and the blanks around a sentence go. Raises `DataError` for a span that overlaps
        another, is empty or leaves the text.
        """
        plain = "".join(c if _visible(c) else " " for c in plain.translate(_BRACKETS))
        spans = sorted((int(one["start"]), int(one["end"]), str(one["entity"])) for one in entities)
        text, position = "", 0
        for start, end, entity in spans:
            if not position <= start < end <= len(plain):
                raise DataError(f"{intent}：实体 {entity} 的位置 {start}–{end} 超出句子或与别的实体重叠：{plain}")
            text += f"{plain[position:start]}[{plain[start:end]}]({entity})"
            position = end
        row = cls(intent, (text + plain[position:]).strip())
        check(row)
        return row

    @property
    def plain(self) -> str:
        """The sentence as the customer wrote it."""
        return _ANNOTATION.sub(r"\1", self.text)

    @property
    def entities(self) -> tuple[tuple[str, str], ...]:
        """Pairs of (entity, span) in reading order."""
        return tuple((name, span) for span, name in _ANNOTATION.findall(self.text))

    @property
    def spans(self) -> tuple[tuple[str, int, int], ...]:
        """Triples of (entity, start, end) in the plain sentence, in reading order."""
        found, marks = [], 0
        for mark in _ANNOTATION.finditer(self.text):
            start = mark.start() - marks
            found.append((mark[2], start, start + len(mark[1])))
            marks += len(mark[0]) - len(mark[1])
        return tuple(found)


@dataclass(frozen=True)
class Complaint:
    """One labelled message; `source` names the batch it was written in, `place` its file and line."""

    text: str
    category: str
    priority: str
    voice: str
    source: str
    place: str = field(default="", compare=False)


def check(row: Utterance) -> None:
    """Raise `DataError` for an unknown intent or entity, a stray bracket, or a text that is no line."""
    where = row.place or row.intent
    if not any(row.intent in intents for intents in TOPICS.values()):
        raise DataError(f"{where}：没有这个意图：{row.intent!r}")
    for name, _ in row.entities:
        if name not in ENTITIES:
            raise DataError(f"{where}：没有这种实体：{name!r}，句子：{row.text}")
    if re.search(r"[\[\]]", row.plain):
        raise DataError(f"{where}：方括号没有配成“[词](实体)”：{row.text}")
    check_text(row.plain, where)


def check_complaint(row: Complaint) -> None:
    """Raise `DataError` for an unknown category or priority, or a text that is no line."""
    where = row.place or "诉求"
    if row.category not in CATEGORIES:
        raise DataError(f"{where}：没有这个类别：{row.category!r}")
    if row.priority not in PRIORITIES:
        raise DataError(f"{where}：没有这个优先级：{row.priority!r}")
    if not isinstance(row.text, str):
        raise DataError(f"{where}：内容是空的")
    check_text(row.text, where)


def check_text(text: str, where: str) -> None:
    """Raise `DataError` for an empty text, line breaks and control characters."""
    if not text.strip():
        raise DataError(f"{where}：句子是空的")
    if not all(map(_visible, text)):
        raise DataError(f"{where}：句子里有换行或看不见的字符：{text!r}")


def _visible(character: str) -> bool:
    return character.isprintable() or character in "\u3000\u200d"
