"""Hand-outs by skill, team, capacity and least recent use, in virtual time; and tickets of agents who left."""

from datetime import timedelta

import pytest

from tests.triage.simulation import jain, simulate
from tests.triage.stage import Stage, Url, run
from triage.assignment import Agent
from triage.presence import State
from triage.ticket import Status


def test_the_least_recently_used_free_agent_with_the_skill_gets_the_ticket(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.assignment.present(Agent("bill-1", "billing", capacity=1), State.ONLINE, push=True)
        await stage.assignment.present(Agent("bill-2", "billing", capacity=1), State.ONLINE, push=True)
        await stage.assignment.present(Agent("outage", None, ("outage",)), State.ONLINE, push=True)
        await stage.assignment.present(Agent("puller", None), State.ONLINE, push=False)
        await stage.assignment.present(Agent("gone", None), State.AWAY, push=True)
        for sender, text in enumerate(["P3 电费不对", "P3 电费高", "P3 电费低", "P3 停电了", "P3 电表快"]):
            stage.now += timedelta(seconds=1)
            await stage.file(str(sender), text)
            await stage.assignment.push()
        rows = [(await stage.board.ticket(id))[0].assignee for id in range(1, 6)]
        assert rows == ["bill-1", "bill-2", None, "outage", None]
        stage.now += timedelta(seconds=1)
        await stage.queue.resolve(1, "bill-1", "好了")
        assert await stage.assignment.push() == 1
        assert (await stage.board.ticket(3))[0].assignee == "bill-1"

    run(database_url(), scene)


def test_a_returning_agent_is_handed_the_oldest_due_at_once(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        for sender, text in enumerate(["P4 电表快", "P2 电表停走", "P2 电表坏"]):
            stage.now += timedelta(minutes=1)
            await stage.file(str(sender), text)
        await stage.assignment.present(Agent("li", capacity=2), State.ONLINE, push=True)
        assert await stage.assignment.push() == 2
        assert [(await stage.board.ticket(id))[0].assignee for id in (1, 2, 3)] == [None, "li", "li"]

    run(database_url(), scene)


def test_tickets_of_an_agent_who_left_flow_back_with_their_age(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        conversation = await stage.hand_off("a", "电表走得太快")
        await stage.file("b", "P3 电表坏了")
        await stage.assignment.present(Agent("li"), State.ONLINE, push=True)
        assert await stage.assignment.push() == 2
        await stage.queue.reply(2, "li", "请稍等")
        opened = (await stage.board.ticket(1))[0].created_at
        stage.now += timedelta(seconds=91)  # no heartbeat: the page is gone
        await stage.rounds.once()
        row, events = await stage.board.ticket(1)
        assert (row.status, row.assignee, row.created_at) == (Status.NEW, None, opened)
        assert events[-1].kind == "flowed_back" and await stage.queue.position(conversation) == 0
        assert (await stage.board.ticket(2))[0].assignee == "li"  # nobody waits for an answer there
        await stage.say("b", "好了吗")
        await stage.rounds.once()
        assert (await stage.board.ticket(2))[0].status == Status.NEW

    run(database_url(), scene)


@pytest.mark.slow
def test_in_a_simulated_day_no_agent_idles_beside_a_waiting_ticket_and_work_is_even(database_url: Url) -> None:
    """Fewer tickets than the bench's 1,000 × 20, the same law; virtual time, the real queue."""

    async def scene(stage: Stage) -> None:
        found = await simulate(stage, tickets=60, agents=6)
        assert found.longest_idle_beside_waiting <= 2.0
        assert len(found.handled) == 6 and sum(found.handled.values()) == 60
        assert found.fairness >= 0.95

    run(database_url(), scene)


def test_jains_index_is_one_for_equal_shares_and_falls_with_inequality() -> None:
    assert jain([3, 3, 3]) == 1.0
    assert jain([9, 0, 0]) < 0.34
