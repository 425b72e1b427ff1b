"""What was said and what it meant: the only readers and writers of the training files.

`intents/<topic>.yml` is Rasa's training format, `complaints/*.jsonl` holds one message a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent

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


class DataError(ValueError):
    """A training file is wrong; the message names the file, the place and what to mend."""


@dataclass(frozen=True)
class Utterance:
    """One annotated sentence: `text` carries Rasa's `[span](entity)` marks."""

    intent: str
    text: str

    @property
    def plain(self) -> str:
        """The sentence as the customer wrote it."""
        return _ANNOTATION.sub(r"\1", self.text)

    @property
    def entities(self) -> tuple[tuple[str, str], ...]:
        """Pairs of (entity, span) in reading order."""
        return tuple((name, span) for span, name in _ANNOTATION.findall(self.text))


@dataclass(frozen=True)
class Complaint:
    """One labelled message; `source` names the batch it was written in."""

    text: str
    category: str
    priority: str
    voice: str
    source: str


def utterances(source: Path = HERE / "intents") -> Iterator[Utterance]:
    """Every sentence of a folder of topic files, or of one file, in file order.

    Raises `DataError` for an intent or entity outside `taxonomy.md`, or stray brackets.
    """
    known = {intent for intents in TOPICS.values() for intent in intents}
    for file in sorted(source.glob("*.yml")) if source.is_dir() else [source]:
        for block in yaml.safe_load(file.read_text("utf-8"))["nlu"]:
            intent = block["intent"]
            if intent not in known:
                raise DataError(f"{file.name}: unknown intent {intent!r}")
            for line in block["examples"].splitlines():
                if not line.startswith("- "):
                    raise DataError(f"{file.name}, {intent}: an example must start with '- ': {line!r}")
                row = Utterance(intent, line[2:])
                strange = [name for name, _ in row.entities if name not in ENTITIES]
                if strange:
                    raise DataError(f"{file.name}, {intent}: unknown entity {strange[0]!r} in {line!r}")
                if re.search(r"[\[\]]", row.plain):
                    raise DataError(f"{file.name}, {intent}: stray bracket in {line!r}")
                yield row


def write_utterances(rows: list[Utterance], folder: Path) -> None:
    """Write `rows` as one Rasa file per topic, keeping their order within an intent."""
    folder.mkdir(parents=True, exist_ok=True)
    for topic, intents in TOPICS.items():
        lines = ['version: "3.1"', "nlu:"]
        for intent in intents:
            examples = [row.text for row in rows if row.intent == intent]
            if examples:
                lines += [f"- intent: {intent}", "  examples: |"] + [f"    - {text}" for text in examples]
        (folder / f"{topic}.yml").write_text("\n".join(lines) + "\n", "utf-8")


def complaints(*files: Path) -> Iterator[Complaint]:
    """Labelled messages of the given JSONL files, or of every training file.

    Raises `DataError` naming file and line for malformed JSON, an unknown label or an empty text.
    """
    for file in files or sorted((HERE / "complaints").glob("*.jsonl")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            place = f"{file.name}, line {number}"
            try:
                row = json.loads(line)
                complaint = Complaint(row["text"], row["category"], row["priority"], row["voice"], row["source"])
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                raise DataError(f"{place}: not a complaint row ({error})") from error
            if complaint.category not in CATEGORIES:
                raise DataError(f"{place}: unknown category {complaint.category!r}")
            if complaint.priority not in PRIORITIES:
                raise DataError(f"{place}: unknown priority {complaint.priority!r}")
            if not isinstance(complaint.text, str) or not complaint.text.strip():
                raise DataError(f"{place}: empty text")
            yield complaint
