"""From a prediction to a decision: priority, team, due times and the reasons an agent reads. A pure function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot import safety
from triage.classifier import Prediction
from triage.taxonomy import PRIORITIES, Promise, Taxonomy

SHANGHAI = ZoneInfo("Asia/Shanghai")
VITAL = 70
WORTH_NAMING = 0.01


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
    """Decide. The priority is a sum of points that the reasons spell out; facts only add to the model's opinion.

    A safety warning the customer was already given is always P1. A danger that the text denies, or puts in the past
    or in an if, is no alarm, whatever the model says.
    """
    category, points = prediction.category, taxonomy.points
    reasons = [f"分类：{taxonomy.categories[category].name}（把握 {prediction.confidence:.0%}）"]
    if not prediction.sure:
        likely = [(name, share) for name, share in prediction.best() if share >= WORTH_NAMING]
        others = "、".join(f"{taxonomy.categories[name].name} {share:.0%}" for name, share in likely)
        reasons.append(f"分类把握不大，请核对：{others}")
    hazard = safety.danger(text)
    warned = facts.handoff == safety.HANDOFF
    opinion = prediction.priority
    if category in taxonomy.calm:
        opinion = "P4"
    elif opinion == "P1" and hazard is None and safety.denied(text):
        opinion = "P3"
    total = points.base[opinion]
    reasons.append(f"模型判断{taxonomy.priorities[opinion].name} +{total}")
    facts_found: list[tuple[int, str]] = []
    if category not in taxonomy.calm:
        if hazard is not None:
            facts_found.append((points.danger, "提到用电危险"))
        facts_found += [(rule.points, rule.reason) for rule in taxonomy.raises if rule.holds(text)]
    if facts.earlier_tickets >= 2:
        facts_found.append((points.third_contact, f"近期第{facts.earlier_tickets + 1}次反映"))
    reasons += [f"{reason} +{plus}" for plus, reason in facts_found]
    vital = any(plus >= VITAL for plus, _ in facts_found)
    added = total + sum(plus for plus, _ in facts_found)
    total = added if vital else max(total, min(added, points.ceiling))
    priority = next(name for name in PRIORITIES if total >= points.least[name])
    if warned:
        priority = "P1"
        category = "outage" if hazard is not None and hazard.kind == "life_support" else "safety_hazard"
        reasons.append("可能危及生命安全")
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
