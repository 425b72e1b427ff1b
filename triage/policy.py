"""From a prediction to a decision: priority, team, due times and the reasons an agent reads. A pure function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot import safety
from triage.classifier import Prediction
from triage.taxonomy import PRIORITIES, Promise, Taxonomy

SHANGHAI = ZoneInfo("Asia/Shanghai")
UNSURE = 0.5


@dataclass(frozen=True)
class Facts:
    """What is known besides the text: why it came, and how many open or recent tickets the contact has."""

    handoff: str | None = None
    earlier_tickets: int = 0


@dataclass(frozen=True)
class Assessment:
    """The decision; times are aware."""

    category: str
    priority: str
    team: str
    first_response_due: datetime
    resolve_due: datetime
    reasons: tuple[str, ...]


def assess(prediction: Prediction, text: str, facts: Facts, taxonomy: Taxonomy, now: datetime) -> Assessment:
    """Decide. Rules may only raise the model's priority; present danger is always P1."""
    category, priority = prediction.category, prediction.priority
    reasons = [f"分类：{taxonomy.categories[category].name}（把握 {prediction.confidence:.0%}）"]
    if prediction.confidence < UNSURE:
        reasons.append("分类把握不大，请坐席核对类别")
    hazard = safety.danger(text)
    if hazard is not None or facts.handoff == safety.HANDOFF:
        priority = "P1"
        category = "outage" if hazard is not None and hazard.kind == "life_support" else "safety_hazard"
        reasons.append("可能危及生命安全")
    elif priority == "P1" and safety.mentioned(text) is not None:
        # the danger is past, imagined or denied: the model's alarm does not stand
        priority = "P3"
    for rule in taxonomy.raises:
        if rule.words.search(text):
            reasons.append(rule.reason)
            priority = min(priority, rule.to)
    if facts.earlier_tickets >= 2:
        reasons.append(f"近期第{facts.earlier_tickets + 1}次反映")
        priority = min(priority, "P2")
    if facts.handoff is not None:
        priority = min(priority, "P3")
    if facts.handoff == "bot unavailable":
        reasons.append("机器人故障时转入")
    promise = taxonomy.priorities[priority]
    return Assessment(
        category,
        priority,
        taxonomy.categories[category].team,
        now + (promise.first_response if facts.handoff is None else min(promise.first_response, taxonomy.waiting)),
        _resolve(promise, now),
        tuple(reasons),
    )


def raised(priority: str) -> str:
    """One step more urgent, for an urged 催办 ticket; P1 stays, and only danger makes a P1."""
    return PRIORITIES[max(PRIORITIES.index(priority) - 1, 1)] if priority != "P1" else priority


def _resolve(promise: Promise, now: datetime) -> datetime:
    if promise.resolve is not None:
        return now + promise.resolve
    due, left = now.astimezone(SHANGHAI), promise.working_days or 0
    while left:
        due += timedelta(days=1)
        left -= due.weekday() < 5
    return due
