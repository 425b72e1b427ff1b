"""How far two trainers who read the same items agree: Cohen's kappa."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from bot.database import Database
from triage.trainer.labels import Action, LabelEventRow, effective, sampled, standing
from triage.trainer.review import Kind, ReviewItemRow

WORDS = ((0.8, "一致性很好"), (0.6, "一致性较好"), (0.4, "一致性一般，请对照分歧统一标准"))
POOR = "一致性差，请先统一标准再继续标注"


def kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa (p_o − p_e) / (1 − p_e) of two readers' labels, from −1 to 1 (Cohen 1960).

    None without pairs, or when both always gave the same one label: nothing can be said then.
    """
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(one == other for one, other in pairs) / n
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(first[label] * second[label] for label in first) / n**2
    return None if chance == 1 else (observed - chance) / (1 - chance)


async def agreement(database: Database) -> Mapping[str, Mapping[str, Any]]:
    """For intent, entities, category and priority: how many items two read, how many alike, kappa, and it in words."""
    async with database.survey() as session:
        rows = await session.execute(
            select(ReviewItemRow.kind, ReviewItemRow.text_key, LabelEventRow)
            .join(LabelEventRow, LabelEventRow.item_id == ReviewItemRow.id)
            .where(ReviewItemRow.second_reader.is_not(None))
            .order_by(LabelEventRow.item_id, LabelEventRow.base)
        )
        items: dict[int, tuple[str, str, list[LabelEventRow]]] = {}
        for kind, key, event in rows:
            items.setdefault(event.item_id, (kind, key, []))[2].append(event)
    pairs: defaultdict[str, list[tuple[Hashable, Hashable]]] = defaultdict(list)
    for kind, key, events in items.values():
        read = [event for event in effective(events) if event.action in (Action.LABEL, Action.DISMISS)]
        (_, one), (_, other) = standing(read, sampled(kind, key)).readings[:2]
        for part in ("intent", "entities") if kind == Kind.DIALOGUE else ("category", "priority"):
            pairs[part].append((_comparable(one.get(part)), _comparable(other.get(part))))
    return {part: _told(found) for part, found in pairs.items()}


def _comparable(value: Any) -> Hashable:
    return value if not isinstance(value, list) else tuple((one["entity"], one["start"], one["end"]) for one in value)


def _told(pairs: Sequence[tuple[Hashable, Hashable]]) -> dict[str, Any]:
    value = kappa(pairs)
    words = "还看不出一致性" if value is None else next((words for least, words in WORDS if value >= least), POOR)
    return {
        "read_twice": len(pairs), "alike": sum(one == other for one, other in pairs),
        "kappa": None if value is None else round(value, 3), "words": words,
    }  # fmt: skip
