"""Review items and label events as the trainers' API tells them."""

from collections.abc import Sequence
from typing import Any

from triage.trainer.labels import LabelEventRow, effective, sampled, standing
from triage.trainer.points import REASONS
from triage.trainer.review import ReviewItemRow, State


def item_view(row: ReviewItemRow) -> dict[str, Any]:
    """An item of the list; its text is masked, `places` are how often a reason was seen."""
    return {
        "id": row.id, "kind": row.kind, "text": row.text, "value": row.value, "times": row.times,
        "status": row.status, "version": row.version, "suggestion": row.suggestion,
        "reasons": [
            {"reason": one["reason"], "name": REASONS[one["reason"]], "words": one["words"], "points": one["points"],
             "places": len(one["places"])}
            for one in sorted(row.reasons, key=lambda one: -one["points"])
        ],
        "readers": [name for name in (row.first_reader, row.second_reader) if name],
        "created_at": row.created_at.isoformat(), "updated_at": row.updated_at.isoformat(),
    }  # fmt: skip


def event_view(event: LabelEventRow, shown: bool) -> dict[str, Any]:
    """An event; its label only when `shown`: a second reader must not see the first one's."""
    return {
        "actor": event.actor, "action": event.action, "at": event.at.isoformat(),
        "label": event.label if shown else None,
    }  # fmt: skip


def blind(row: ReviewItemRow, reader: str) -> bool:
    """Whether this reader may yet read the item a second time, and so must not see the first label."""
    return row.status in (State.OPEN, State.SECOND) and sampled(row.kind, row.text_key) and row.first_reader != reader


def full_view(row: ReviewItemRow, events: Sequence[LabelEventRow], reader: str) -> dict[str, Any]:
    """An item with what was done to it, as far as this reader may see it."""
    hidden = blind(row, reader)
    now = standing(events, sampled(row.kind, row.text_key))
    return {
        **item_view(row),
        "events": [event_view(event, not hidden) for event in events],
        "label": None if hidden else now.label,
        "readings": [] if hidden else [{"reader": name, "label": label} for name, label in now.readings],
        "mine_last": bool((last := effective(events)) and last[-1].actor == reader),
    }
