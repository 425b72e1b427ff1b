"""One fault, one incident; every customer under it told once."""

import asyncio
import random
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.message import Owner
from tests.triage.stage import Stage, Url, run
from triage.incident import IncidentRow, Place
from triage.ticket import Status


async def incidents(stage: Stage, status: str = "open") -> list[IncidentRow]:
    async with stage.database.read() as session:
        rows = await session.scalars(select(IncidentRow).where(IncidentRow.status == status).order_by(IncidentRow.id))
        return list(rows)


async def report(stage: Stage, sender: str, place: Place) -> None:
    stage.places[sender] = place
    await stage.file(sender, "P2 停电了", sender)


@pytest.mark.slow
def test_reports_of_three_faults_become_three_incidents(database_url: Url) -> None:
    """A whole feeder, one transformer of a second, one of a third: the issue's 500 reports, in 60."""

    async def scene(stage: Stage) -> None:
        draw = random.Random(3)
        reports = [Place(f"小区{n % 6}", f"A-T{n % 6}", "馈线A") for n in range(30)]
        reports += [Place("城东", "B-T1", "馈线B") for _ in range(20)]
        reports += [Place("城西", "C-T9", "馈线C") for _ in range(10)]
        draw.shuffle(reports)
        for start in range(0, len(reports), 6):
            stage.now += timedelta(minutes=1)
            chunk = list(enumerate(reports))[start : start + 6]
            await asyncio.gather(*(report(stage, f"户{n}", place) for n, place in chunk))
        found = {row.feeder: row for row in await incidents(stage)}
        assert {feeder: row.reports for feeder, row in found.items()} == {"馈线A": 30, "馈线B": 20, "馈线C": 10}
        assert (found["馈线A"].transformer, found["馈线B"].transformer) == (None, "B-T1")
        assert len(found) == len(await incidents(stage))

    run(database_url(), scene)


def test_a_lone_report_a_later_one_and_other_matters_make_no_incident(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        place = Place("城东", "T1", "F1")
        await report(stage, "a", place)
        stage.now += timedelta(hours=3)
        await report(stage, "b", place)
        stage.places["c"] = place
        await stage.file("c", "P3 电费不对", "c")
        assert await incidents(stage) == []
        await report(stage, "d", place)
        assert [(row.reports, row.transformer) for row in await incidents(stage)] == [(2, "T1")]

    run(database_url(), scene)


def test_every_customer_is_told_once_and_asked_whether_power_is_back(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        place = Place("城东", "T1", "F1")
        for sender in ("a", "b", "c"):
            await report(stage, sender, place)
        await stage.queue.claim(2, "wang")
        (incident,) = await incidents(stage)
        assert await stage.mass.reply(incident.id, "li", "抢修人员已到现场，预计20点来电。", "k1") == 3
        await stage.mass.reply(incident.id, "li", "抢修人员已到现场，预计20点来电。", "k1")
        assert [(await stage.texts(n)).count("抢修人员已到现场，预计20点来电。") for n in (1, 2, 3)] == [1, 1, 1]
        assert await stage.mass.resolve(incident.id, "li", "线路已修复") == 3
        for conversation in (1, 2, 3):
            said = await stage.conversations.messages(conversation)
            assert sum("线路已修复" in message.text for message in said) == 1
            assert said[-1].text == "您家来电了吗？" and said[-1].buttons[1].title == "还没来电"
            assert await stage.conversations.owner(conversation) is Owner.BOT
        assert {(await stage.board.ticket(id))[0].status for id in (1, 2, 3)} == {Status.RESOLVED}
        assert [row.resolved_at for row in await incidents(stage, "resolved")] == [stage.now]

    run(database_url(), scene)


def test_the_same_matter_while_it_is_open_is_added_and_urged(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        first = await stage.file("a", "P4 电费不对")
        stage.now += timedelta(hours=1)
        assert await stage.file("a", "P4 电费还是不对") == first
        stage.now += timedelta(hours=1)
        assert await stage.file("a", "P4 发票开不出") != first
        row, events = await stage.board.ticket(1)
        assert row.text == "P4 电费不对\nP4 电费还是不对" and (row.urged, row.priority) == (1, "P3")
        assert [event.kind for event in events] == ["opened", "repeated", "urged"]

    run(database_url(), scene)


def test_what_is_told_later_goes_with_the_open_ticket_once_and_urges_nothing(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        number = await stage.file("a", "P4 电费不对")
        for _ in range(2):
            added = await stage.queue.add(1, 2, "翠湖小区")
            assert added is not None and added.number == number
        row, events = await stage.board.ticket(1)
        assert (row.text, row.urged) == ("P4 电费不对\n翠湖小区", 0)
        assert [event.kind for event in events] == ["opened", "customer_message"]
        assert await stage.queue.add(2, 1, "翠湖小区") is None

    run(database_url(), scene)
