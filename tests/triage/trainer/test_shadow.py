"""A shadow run over a real database: what is new is read once, masked, and never answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from bot.message import Reading
from bot.readings import store
from tests.triage.stage import Stage, Url, run
from triage.trainer.shadow import Listener, ShadowReadingRow, differing, summary

LATER = timedelta(days=400)
"""The stage's clock stands still; rows are as old as the run wants them."""


def read(texts: Sequence[str]) -> list[tuple[str, float]]:
    return [("query_bill" if "费" in text else "greet", 0.8) for text in texts]


async def said(stage: Stage, sender: str, text: str, intent: str, fallback: bool = False) -> int:
    conversation = await stage.say(sender, text)
    async with stage.database.write() as session:
        store(session, conversation, 1, text, Reading(((intent, 0.6),), (), "v1", fallback))
    return conversation


def test_what_is_new_is_read_once_and_never_answered(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await said(stage, "old", "以前的话", "greet")
        listener = Listener(stage.database, "dialogue", "v2", read)
        await listener.begin()
        first = await said(stage, "a", "查电费，我的电话13812345678", "query_bill")
        await said(stage, "b", "电费多少", "query_balance")
        await said(stage, "c", "呃呃", "greet", fallback=True)
        before = await stage.texts(first)
        now = stage.now + LATER
        assert await listener.look(now) == 3 and await listener.look(now) == 0
        assert await stage.texts(first) == before
        assert [(one["texts"], one["alike"]) for one in await summary(stage.database)] == [(3, 1)]
        rows = [(row["live"], row["read"]) for row in await differing(stage.database, "dialogue", "v2")]
        assert rows == [("nlu_fallback", "greet"), ("query_balance", "query_bill")]
        async with stage.database.read() as session:
            masked = await session.scalar(select(ShadowReadingRow.text).order_by(ShadowReadingRow.id))
        assert masked is not None and "13812345678" not in masked and "查电费" in masked

    run(database_url(), scene)


def test_a_row_that_is_not_settled_yet_waits(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        listener = Listener(stage.database, "dialogue", "v2", read)
        await listener.begin()
        await said(stage, "a", "查电费", "query_bill")
        assert await listener.look() == 0  # younger than two seconds
        assert await listener.look(stage.now + LATER) == 1

    run(database_url(), scene)


def test_tickets_are_read_along_too(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        listener = Listener(stage.database, "triage", "v2", lambda texts: [("billing", 0.7) for _ in texts])
        await listener.begin()
        await stage.file("a", "家里停电了")
        await stage.file("b", "电费太高")
        assert await listener.look(stage.now + LATER) == 2
        [row] = await differing(stage.database, "triage", "v2")
        assert (row["live"], row["read"]) == ("outage", "billing")

    run(database_url(), scene)
