"""Labels over real databases: what follows from the events, whatever trainers do and in whichever order."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from bot.database import Database
from nlu_data import Utterance
from nlu_data.checks import misaligned
from tests import databases
from tests.triage.stage import NOW, Stage, Url, run
from tests.triage.trainer.items import QUERY, add, labels, text_for
from triage.trainer.agreement import agreement, kappa
from triage.trainer.labels import (
    Accepted,
    LabelEventRow,
    NotNow,
    StaleItem,
    WrongLabel,
    accepted,
    effective,
    sampled,
    settle,
    standing,
)
from triage.trainer.review import Kind, ReviewItemRow, State

OTHER = {"intent": "query_usage", "entities": []}
ACCOUNT_NO = {"entity": "account_no", "start": 2, "end": 12}
ACTORS = ("ann", "bob", "cai")
OPS = st.lists(
    st.tuples(
        st.sampled_from(["label", "label", "label", "undo", "dismiss", "adjudicate"]),
        st.sampled_from(ACTORS), st.sampled_from([QUERY, OTHER]),
    ),
    max_size=14,
)  # fmt: skip


Play = Callable[[Callable[[Stage], Awaitable[None]]], None]


@pytest.fixture
def scenes(tmp_path: Path) -> Iterator[Play]:
    """Plays many scenes on one stage: a law is tried often, a database made once."""
    stage = Stage(databases.sqlite(tmp_path))
    with asyncio.Runner() as runner:
        runner.run(stage.database.migrate())
        yield lambda scene: runner.run(_play(scene, stage))
        runner.run(stage.database.close())


async def _play(scene: Callable[[Stage], Awaitable[None]], stage: Stage) -> None:
    await scene(stage)


async def item_of(stage: Stage, id: int) -> ReviewItemRow:
    async with stage.database.read() as session:
        return await session.get_one(ReviewItemRow, id)


async def ready(stage: Stage) -> list[Accepted]:
    async with stage.database.read() as session:
        return await accepted(session)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ops=OPS, twice=st.booleans())
def test_the_state_follows_from_the_events_and_undo_restores_it(scenes: Play, ops: list[Any], twice: bool) -> None:
    async def scene(stage: Stage) -> None:
        async with stage.database.read() as session:
            played = await session.scalar(select(func.count()).select_from(ReviewItemRow)) or 0
        id, book = await add(stage, text_for(twice, nth=played)), labels(stage)
        said: list[LabelEventRow] = []
        for op, actor, label in ops:
            version = (await item_of(stage, id)).version
            before = standing(said, twice)
            try:
                match op:
                    case "label" | "adjudicate":
                        await getattr(book, op)(id, actor, label, version)
                    case _:
                        await getattr(book, op)(id, actor, version)
            except NotNow:
                assert len(await book.events(id)) == len(said)
                continue
            said = await book.events(id)
            item, now = await item_of(stage, id), standing(said, twice)
            assert (item.status, item.version) == (now.state, len(said))
            assert [*(name for name, _ in now.readings), None, None][:2] == [item.first_reader, item.second_reader]
            assert said[-1].base == version and said[-1].actor == actor
            if op != "undo":
                undone = await book.undo(id, actor, item.version)
                assert (undone.status, undone.first_reader, undone.second_reader) == (
                    before.state, *[*(name for name, _ in before.readings), None, None][:2],
                )  # fmt: skip
                await getattr(book, op)(id, actor, *([label] if op in ("label", "adjudicate") else []), undone.version)
                said = await book.events(id)
                assert standing(said, twice) == now
            else:
                assert len(effective(said)) < len(said)
            assert (now.label is not None) == (now.state in (State.LABELLED, State.SECOND))

    scenes(scene)


def test_a_sample_is_read_twice_blind_and_a_third_decides(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        id, book = await add(stage, text_for(True)), labels(stage)
        assert (await book.label(id, "ann", QUERY, 0)).status == State.SECOND
        assert await ready(stage) == []
        assert (await book.label(id, "bob", OTHER, 1)).status == State.DISPUTED
        for actor in ("ann", "bob"):
            with pytest.raises(NotNow, match="第三个人"):
                await book.adjudicate(id, actor, QUERY, 2)
        with pytest.raises(NotNow):
            await book.label(id, "cai", QUERY, 2)
        assert (await book.adjudicate(id, "cai", OTHER, 2)).status == State.LABELLED
        (one,) = await ready(stage)
        assert (one.intent, one.corrected) == ("query_usage", True)
        found = await agreement(stage.database)
        assert found["intent"]["read_twice"] == 1 and found["intent"]["alike"] == 0
        async with stage.database.write() as session:
            await settle(session, [one], "cai", NOW)
        assert (await item_of(stage, id)).status == State.DONE and await ready(stage) == []
        with pytest.raises(NotNow):
            await book.undo(id, "cai", 4)
        assert await book.last_of("cai") is None

    run(database_url(), scene)


def test_a_label_made_on_an_older_version_is_refused_and_changes_nothing(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        id, book = await add(stage, text_for(False)), labels(stage)
        results = await asyncio.gather(
            *(book.label(id, actor, label, 0) for actor, label in zip(ACTORS, (QUERY, OTHER, QUERY), strict=True)),
            return_exceptions=True,
        )
        stale = [one for one in results if isinstance(one, StaleItem)]
        assert len(stale) == 2, results
        assert all(len(one.events) == 1 and one.events[0].action == "label" for one in stale)
        assert len(await book.events(id)) == 1 and (await item_of(stage, id)).version == 1

    run(database_url(), scene)


def test_a_label_settled_while_it_was_changed_stays_to_be_written(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        id, book = await add(stage, text_for(False)), labels(stage)
        await book.label(id, "ann", QUERY, 0)
        old = await ready(stage)
        await book.label(id, "ann", OTHER, 1)
        async with stage.database.write() as session:
            await settle(session, old, "ann", NOW)
        (one,) = await ready(stage)
        assert one.intent == "query_usage"

    run(database_url(), scene)


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ({"intent": "nlu_fallback"}, "意图"),
        ({"intent": "query_bill", "entities": [{"entity": "shoe", "start": 0, "end": 2}]}, "没有“shoe”"),
        ({"intent": "query_bill", "entities": [{"entity": "area", "start": 3, "end": 99}]}, "位置"),
        ({"intent": "query_bill", "entities": [{"entity": "area", "start": 2, "end": 2}]}, "位置"),
        ({"intent": "query_bill", "entities": [{"entity": "account_no", "start": 2, "end": 8}]}, "切断"),
        ({"intent": "query_bill", "entities": [{"entity": "account_no", "start": 2, "end": 13}]}, "标点"),
        ({"intent": "query_bill", "entities": [ACCOUNT_NO, {"entity": "date", "start": 3, "end": 4}]}, "重叠"),
    ],
)  # fmt: skip
def test_a_label_that_does_not_fit_is_refused(scenes: Play, label: dict[str, Any], why: str) -> None:
    async def scene(stage: Stage) -> None:
        id, book = await add(stage, "户号3310000017，电费多少"), labels(stage)
        with pytest.raises(WrongLabel, match=why):
            await book.label(id, "ann", label, 0)
        assert await book.events(id) == []

    scenes(scene)


ACCOUNT = st.from_regex(r"[0-9]{10}|[0-9]{13}", fullmatch=True)
PHONE = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
MONTH = st.sampled_from(["上个月", "10月", "这个月"])
AREA = st.sampled_from(["幸福里3栋2单元501", "人民路128号", "杨家湾村2组"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(account=ACCOUNT, phone=PHONE, month=MONTH, area=AREA, name=st.sampled_from(["张伟", "李娜", "欧阳明"]))
def test_spans_stay_aligned_and_nothing_personal_leaves(
    scenes: Play, account: str, phone: str, month: str, area: str, name: str
) -> None:
    parts = [("我叫", None), (name, None), ("，住", None), (area, "area"), ("，户号", None), (account, "account_no"),
             ("，电话", None), (phone, "phone"), ("，查", None), (month, "month"), ("电费[急]", None)]  # fmt: skip
    said, spans = "", []
    for value, entity in parts:
        if entity:
            spans.append({"entity": entity, "start": len(said), "end": len(said) + len(value)})
        said += value

    async def scene(stage: Stage) -> None:
        id = await add(stage, said)
        item = await labels(stage).label(id, "ann", {"intent": "query_bill", "entities": spans}, 0)
        if item.status == State.SECOND:
            await labels(stage).label(id, "bob", {"intent": "query_bill", "entities": spans}, 1)
        one = next(found for found in await ready(stage) if found.item == id)
        assert len(one.text) == len(said) and name not in one.text
        assert account not in one.text and phone not in one.text
        for (entity, start, end), span in zip(one.entities, spans, strict=True):
            assert (entity, start, end) == (span["entity"], span["start"], span["end"])
        values = {entity: one.text[start:end] for entity, start, end in one.entities}
        assert values["account_no"].isdigit() and len(values["account_no"]) == len(account)
        assert values["phone"][0] == "1" and values["month"] == month and values["area"][:2] == area[:2]
        row = Utterance("query_bill", one.marked)
        assert row.plain == one.text and [e for e, _ in row.entities] == [s["entity"] for s in spans]
        assert misaligned([row]) == []

    scenes(scene)


def test_triage_items_are_labelled_too(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        id = await add(
            stage, text_for(False, Kind.TRIAGE), Kind.TRIAGE, suggestion={"category": "billing", "priority": "P3"}
        )
        with pytest.raises(WrongLabel, match="类别"):
            await labels(stage).label(id, "ann", {"category": "x", "priority": "P3"}, 0)
        await labels(stage).label(id, "ann", {"category": "metering", "priority": "P2"}, 0)
        (one,) = await ready(stage)
        assert (one.kind, one.category, one.priority, one.intent) == (Kind.TRIAGE, "metering", "P2", None)

    run(database_url(), scene)


def test_one_in_ten_is_sampled_and_always_the_same() -> None:
    chosen = [sampled("dialogue", f"第{n}句") for n in range(5000)]
    assert 0.08 < sum(chosen) / 5000 < 0.12
    assert chosen == [sampled("dialogue", f"第{n}句") for n in range(5000)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=60))
def test_kappa_is_cohens(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    ours = kappa(pairs)
    if ours is None:
        assert len({label for pair in pairs for label in pair}) == 1
    else:
        assert ours == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))
        assert -1 <= ours <= 1 and kappa([(b, a) for a, b in pairs]) == pytest.approx(ours)


KILLED = """
import asyncio, sys
from tests.triage.stage import Stage
from tests.triage.trainer.items import QUERY, add, labels, text_for

async def work():
    stage = Stage(sys.argv[1])
    await stage.database.migrate()
    ids = [await add(stage, f"第{n}次查电费") for n in range(30)]
    print("ready", flush=True)
    while True:
        for id in ids:
            version = len(await labels(stage).events(id))
            await labels(stage).label(id, "ann", QUERY, version)
            print(id, flush=True)

asyncio.run(work())
"""


@pytest.mark.slow
def test_a_kill_loses_no_saved_label(tmp_path: Path) -> None:
    url = databases.sqlite(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", KILLED, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(60)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    told = [int(line) for line in said[1:] if line.endswith("\n")]

    async def look() -> None:
        database = Database(url)
        async with database.read() as session:
            rows = await session.execute(select(LabelEventRow.item_id, func.count()).group_by(LabelEventRow.item_id))
            stored = {id: count for id, count in rows}
        await database.close()
        assert len(told) >= 59
        for id in set(told):
            assert told.count(id) <= stored[id] <= told.count(id) + 1

    asyncio.run(look())
