"""Many tickets at once, as rows for a bulk insert: for laws and benches about large queues."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.triage.stage import NOW
from triage.order import POINTS
from triage.taxonomy import PRIORITIES

TEAMS = ("repair", "billing", "metering", "service", "construction", "quality")
CATEGORIES = ("outage", "billing", "metering", "service_request", "construction", "service_conduct")


def ticket_rows(count: int, start: int = 1, status: str = "new", conversations: int = 1) -> Iterator[dict[str, Any]]:
    """`count` tickets from id `start`, spread over priorities, teams and due times in a fixed pattern."""
    for id in range(start, start + count):
        mixed = id * 7919
        priority = PRIORITIES[1 + mixed % 3]
        due = NOW + timedelta(seconds=mixed % 1_000_000)
        yield {
            "id": id, "number": f"DQ{id:010d}", "conversation_id": 1 + id % conversations, "message_seq": id,
            "channel": "web", "status": status, "category": CATEGORIES[mixed % 6], "category_confidence": 0.9,
            "priority": priority, "priority_reasons": ["分类"], "priority_locked": False, "rank": -POINTS[priority],
            "aged": 0, "ages_at": NOW + timedelta(days=30) if status == "new" else None, "escalate_at": None,
            "text": f"第{id}号工单：电表走得太快，请核查", "team": TEAMS[mixed % 6],
            "assignee": None if status == "new" else "li", "due_at": due, "first_response_due": due,
            "resolve_due": due + timedelta(days=5), "urged": 0, "model": "bench", "created_at": NOW,
            "updated_at": NOW, "version": 0,
        }  # fmt: skip
