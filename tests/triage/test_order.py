"""The order of the queue: points, aging, locks, and claims by many at once."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import insert

from bot.database import ContactRow, ConversationRow
from tests.triage.rows import ticket_rows
from tests.triage.stage import NOW, Stage, Url, run
from triage.ticket import TicketRow


def test_a_waiting_ticket_overtakes_newer_more_urgent_ones_within_a_bound(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        old = await stage.file("old", "P4 建议多设网点")
        for day in range(1, 8):
            stage.now = NOW + timedelta(days=day)
            await stage.file(f"new{day}", f"P2 发票开错{day}")
            await stage.rounds.age()
            first = await stage.queue.claim_next("li")
            assert first is not None
            if first.number == old:
                assert day > 1 and first.aged > 0
                return
        raise AssertionError("the old ticket starved for a week")

    run(database_url(), scene)


def test_a_locked_priority_is_not_changed_by_urging(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.file("a", "P3 发票不对")
        await stage.queue.set_priority(1, "li", "P4", "重复反映", lock=True)
        await stage.queue.urge(1)
        row, _ = await stage.board.ticket(1)
        assert (row.priority, row.urged, row.priority_locked) == ("P4", 1, True)
        view = stage.board.view(row)
        assert view["points"] == sum(one["points"] for one in view["points_reasons"]) == 110

    run(database_url(), scene)


@pytest.mark.slow
def test_fifty_claimers_share_a_queue_without_loss(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        count, claimers = 200, 50
        async with stage.database.write() as session:
            await session.execute(insert(ContactRow), [{"id": 1, "channel": "web", "sender": "x"}])
            await session.execute(insert(ConversationRow), [{"id": 1, "contact_id": 1, "owner": "queue",
                                                             "owner_token": 0, "last_seq": 0}])  # fmt: skip
            await session.execute(insert(TicketRow), list(ticket_rows(count)))
        claimed: list[int] = []

        async def claimer(name: str) -> None:
            while (row := await stage.queue.claim_next(name)) is not None:
                claimed.append(row.id)

        await asyncio.gather(*(claimer(f"agent{n}") for n in range(claimers)))
        assert Counter(claimed) == Counter(range(1, count + 1))

    run(database_url(), scene)
