import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.message import Inbound, Owner, Speaker
from tests.triage.stage import NOW, Stage, Url, run
from triage.board import Filter
from triage.ticket import IllegalMove, NoTicket, StaleTicket, Status


def test_a_handoff_opens_one_ticket_from_what_the_customer_said(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        conversation = await stage.hand_off("a", "电表走得太快")
        items, _ = await stage.board.page(Filter())
        assert len(items) == 1
        assert items[0]["text"] == "电表走得太快\n转人工"
        assert items[0]["number"].startswith("DQ261124") and items[0]["team"] == "metering"
        assert items[0]["first_response_due"] == (NOW + timedelta(minutes=10)).isoformat()
        assert items[0]["number"] in (await stage.conversations.messages(conversation))[-1].text
        assert await stage.queue.position(conversation) == 0

    run(database_url(), scene)


def test_a_ticket_names_the_words_that_decided(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.conversations.receive(Inbound("web", "a", "1", "停电还收费", NOW))
        await stage.queue.file(1, 1, "停电还收费", None)
        assert "关键词：停、费" in (await stage.board.page(Filter()))[0][0]["priority_reasons"]

    run(database_url(), scene)


def test_filing_the_same_message_again_gives_the_same_ticket(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.conversations.receive(Inbound("web", "a", "1", "抄表抄错了", NOW))
        first = await stage.queue.file(1, 1, "抄表抄错了", None)
        assert await stage.queue.file(1, 1, "抄表抄错了", None) == first
        assert len((await stage.board.page(Filter()))[0]) == 1
        assert await stage.conversations.owner(1) is Owner.BOT

    run(database_url(), scene)


def test_a_second_matter_of_a_message_joins_its_ticket(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.conversations.receive(Inbound("web", "a", "1", "抄表抄错了，另外师傅态度差", NOW))
        first = await stage.queue.file(1, 1, "抄表抄错了", None)
        second = await stage.queue.file(1, 1, "师傅态度差", None)
        again = await stage.queue.file(1, 1, "师傅态度差", None)
        assert first.number == second.number == again.number
        assert [one.repeated for one in (first, second, again)] == [False, True, False]
        (item,) = (await stage.board.page(Filter()))[0]
        assert item["text"] == "抄表抄错了\n师傅态度差"

    run(database_url(), scene)


def test_an_action_that_comes_after_its_turn_was_given_up_makes_no_second_ticket(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        late = await stage.conversations.receive(Inbound("web", "a", "1", "坏", NOW))
        await stage.conversations.receive(Inbound("web", "a", "2", "我上个月电费多少", NOW))
        await stage.conversations.answer(late.conversation)
        number = (await stage.queue.file(late.conversation, late.seq, "坏", None)).number
        assert [item["number"] for item in (await stage.board.page(Filter()))[0]] == [number]

    run(database_url(), scene)


def test_the_whole_life_of_a_ticket(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        conversation = await stage.hand_off("a")
        queue = stage.queue
        ticket = await queue.claim_next("li")
        assert ticket is not None and ticket.assignee == "li"
        assert await stage.conversations.owner(conversation) is Owner.AGENT
        with pytest.raises(IllegalMove, match="li"):
            await queue.claim(ticket.id, "wang")
        with pytest.raises(IllegalMove, match="li"):
            await queue.reply(ticket.id, "wang", "您好")
        replied = await queue.reply(ticket.id, "li", "您好", version=ticket.version)
        assert replied.status == Status.WAITING_CUSTOMER
        with pytest.raises(StaleTicket) as stale:
            await queue.note(ticket.id, "wang", "看看", version=ticket.version)
        assert [change.kind for change in stale.value.changes] == ["reply"]
        await stage.conversations.receive(Inbound("web", "a", "more", "还有一事", NOW))
        await stage.conversations.answer(conversation)
        assert (await stage.board.ticket(ticket.id))[0].status == Status.ASSIGNED
        await queue.resolve(ticket.id, "li", "已更换电表")
        assert await stage.conversations.owner(conversation) is Owner.BOT
        line, greeting = (await stage.conversations.messages(conversation))[-2:]
        assert line.speaker is Speaker.SYSTEM and "已更换电表" in line.text
        assert greeting.speaker is Speaker.BOT and greeting.buttons
        with pytest.raises(IllegalMove):
            await queue.resolve(ticket.id, "li", "再次")
        reopened = await queue.reopen(ticket.id, "wang", "又坏了")
        assert reopened.status == Status.REOPENED and reopened.assignee is None
        with pytest.raises(NoTicket):
            await queue.claim(99, "li")

    run(database_url(), scene)


def test_two_agents_never_get_the_same_ticket(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        for sender in range(12):
            await stage.file(str(sender), f"P{sender % 4 + 1} 事情{sender}")
        claimed = await asyncio.gather(*(stage.queue.claim_next(f"agent{n % 4}") for n in range(20)))
        ids = [ticket.id for ticket in claimed if ticket is not None]
        assert len(ids) == len(set(ids)) == 12
        assert claimed.count(None) == 8

    run(database_url(), scene)


@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=st.lists(st.tuples(st.sampled_from(["P2", "P3", "P4"]), st.integers(0, 300)), min_size=1, max_size=8))
def test_the_queue_is_worked_by_priority_then_due_time(database_url: Url, arrivals: list[tuple[str, int]]) -> None:
    async def scene(stage: Stage) -> None:
        for index, (priority, minutes) in enumerate(arrivals):
            stage.now = NOW + timedelta(minutes=minutes)
            await stage.file(str(index), f"{priority} 事情{index}")
        order = []
        while (ticket := await stage.queue.claim_next("li")) is not None:
            order.append((ticket.priority, ticket.due_at))
        assert order == sorted(order)
        paged: list[int] = []
        cursor = None
        while True:
            items, cursor = await stage.board.page(Filter(), cursor, 3)
            paged += [item["id"] for item in items]
            if cursor is None:
                break
        assert len(paged) == len(set(paged)) == len(arrivals)

    run(database_url(), scene)


def test_an_urged_ticket_moves_up_but_never_to_p1(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        number = await stage.file("a", "P3 电费不对")
        for _ in range(3):
            urged = await stage.queue.urge(1)
            assert urged is not None and urged.number == number
        items, _ = await stage.board.page(Filter())
        assert (items[0]["priority"], items[0]["urged"]) == ("P2", 3)
        assert await stage.queue.urge(2) is None

    run(database_url(), scene)


def test_personal_data_is_masked_in_lists(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.file("a", "我电话13812345678，户号3310000017，住3幢1单元502室，电表坏了")
        items, _ = await stage.board.page(Filter())
        for secret in ("13812345678", "3310000017", "502"):
            assert secret not in items[0]["summary"] and secret not in items[0]["text"]

    run(database_url(), scene)
