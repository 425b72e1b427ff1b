"""The label step over a real database and a copy of the training files; promotion over registries in a folder."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

import nlu_data
from bot.message import Reading
from bot.readings import store, text_key
from models import NoModel, Registry
from nlu_data import dialogues
from nlu_data.dialogues import Fault
from tests.triage.stage import Stage, Url, run
from tests.triage.trainer.items import add
from tests.triage.trainer.versions import evaluated, version
from triage import training
from triage.classifier import OnnxClassifier
from triage.trainer import promotion, report, steps
from triage.trainer.jobs import Jobs, Work
from triage.trainer.labels import Labels
from triage.trainer.promotion import Override, Worse
from triage.trainer.rehearsal import Played
from triage.trainer.report import NoReport, Row
from triage.trainer.review import Kind, ReviewItemRow, State


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shutil.copytree(nlu_data.HERE, tmp_path / "nlu_data", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "nlu_data"


def job(folder: Path) -> Work:
    jobs = Jobs(folder, ("true",))
    return Work(jobs.start("zhou", ["labels"], {}), lambda _: None, folder / "part")


async def labelled(stage: Stage, text: str, intent: str, read: str = "greet") -> int:
    """A misunderstood message that a trainer gave an intent; the item's id."""
    conversation = await stage.say(f"c-{text}", text)
    suggestion = {"intent": read, "confidence": 0.2, "ranking": [], "entities": []}
    async with stage.database.write() as session:
        store(session, conversation, 1, text, Reading(((read, 0.2),), (), "v1", True))
        item = ReviewItemRow(
            kind=Kind.DIALOGUE, text_key=text_key(text), text=text, conversation_id=conversation, seq=1, reasons=[],
            value=1.0, suggestion=suggestion, created_at=stage.now, updated_at=stage.now,
        )  # fmt: skip
        session.add(item)
    await Labels(stage.database, lambda: stage.now).label(item.id, "zhou", {"intent": intent, "entities": []}, 0)
    return item.id


async def state(stage: Stage, id: int) -> str:
    async with stage.database.read() as session:
        return (await session.get_one(ReviewItemRow, id)).status


@pytest.mark.slow
def test_settled_labels_go_into_the_files_once_and_become_regressions(
    database_url: Url, tmp_path: Path, data: Path
) -> None:
    async def scene(stage: Stage) -> None:
        wrong = await labelled(stage, "那个盒盒今天不走字喽", "report_meter_problem")
        right = await labelled(stage, "嗨喽小桥我又来咯", "greet")
        work = job(tmp_path)
        await steps.labels(work, stage.database, data)
        assert await state(stage, wrong) == await state(stage, right) == State.DONE
        rows = {row.plain: row.intent for row in nlu_data.utterances(data / "intents")}
        assert rows["那个盒盒今天不走字喽"] == "report_meter_problem" and rows["嗨喽小桥我又来咯"] == "greet"
        kept = [json.loads(line) for line in (data / "regressions.jsonl").read_text("utf-8").splitlines()]
        assert [(one["text"], one["intent"]) for one in kept][-1:] == [("那个盒盒今天不走字喽", "report_meter_problem")]
        assert "嗨喽小桥我又来咯" not in {one["text"] for one in kept}
        before = {file: file.read_bytes() for file in data.rglob("*.*l")}
        await steps.labels(work, stage.database, data)
        assert before == {file: file.read_bytes() for file in data.rglob("*.*l")}

    run(database_url(), scene)


def test_a_correction_keeps_what_the_customer_did_before_it(database_url: Url, tmp_path: Path, data: Path) -> None:
    said = "那个盒盒今天不走字喽"

    async def scene(stage: Stage) -> None:
        await stage.say("c" + said, "昨天的事")
        stage.now += timedelta(hours=2)
        for text in ("我叫王小明，电费好高", "3310991234 8811"):
            await stage.say("c" + said, text)
        item = await add(stage, said)
        label = {"intent": "report_meter_problem", "entities": []}
        book = Labels(stage.database, lambda: stage.now)
        for number, reader in enumerate(("zhou", "lin")):
            if (await book.label(item, reader, label, number)).status == State.LABELLED:
                break
        await steps.labels(job(tmp_path), stage.database, data)
        regressions = data / "regressions.jsonl"
        (kept,) = (json.loads(line) for line in regressions.read_text("utf-8").splitlines() if said in line)
        name, account = (turn["say"] for turn in kept["before"])
        assert account == "{plain_no} {plain_end}"
        assert "王小明" not in name and name.startswith("我叫") and name.endswith("，电费好高")
        (found,) = (one for one in dialogues.corrected(regressions) if one.name == said)
        assert [turn["say"] for turn in found.turns] == [name, "3310000017 1580", said]
        assert found.turns[-1]["read"] == "report_meter_problem" and found.corrected

    run(database_url(), scene)


def test_what_an_agent_corrected_becomes_a_regression_of_triage(
    database_url: Url, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        said = "门口那只表从来没人来瞧过"
        read = {"category": "metering", "priority": "P3", "confidence": 0.9, "model": "v1", "model_priority": "P4"}
        item = await add(stage, said, Kind.TRIAGE, suggestion=read)
        label = {"category": "metering", "priority": "P3"}
        book = Labels(stage.database, lambda: stage.now)
        for number, reader in enumerate(("zhou", "lin")):
            row = await book.label(item, reader, label, number)
            if row.status == State.LABELLED:
                break
        await steps.labels(job(tmp_path), stage.database, data)
        assert await state(stage, item) == State.DONE
        monkeypatch.setattr(report, "REGRESSIONS", data / "regressions.jsonl")
        (kept,) = (one for one in report._corrected("category") if one["text"] == said)
        assert (kept["category"], kept["priority"]) == ("metering", "P3")

    run(database_url(), scene)


def test_a_sentence_of_the_frozen_set_is_settled_but_not_learnt(database_url: Url, tmp_path: Path, data: Path) -> None:
    frozen = next(row for row in nlu_data.utterances(data / "frozen" / "intents.yml") if len(row.plain) > 8)

    async def scene(stage: Stage) -> None:
        id = await labelled(stage, frozen.plain, "query_bill" if frozen.intent != "query_bill" else "greet")
        work = job(tmp_path)
        await steps.labels(work, stage.database, data)
        assert await state(stage, id) == State.DONE
        assert frozen.plain not in {row.plain for row in nlu_data.utterances(data / "intents")}
        regressions = data / "regressions.jsonl"
        assert not regressions.exists() or frozen.plain not in regressions.read_text("utf-8")
        assert any("太像" in note for note in work.job.notes)

    run(database_url(), scene)


def test_a_worse_version_needs_a_person_and_a_reason(tmp_path: Path) -> None:
    registry = Registry("dialogue", tmp_path)
    version(registry, "v1", "2026-11-01")
    version(registry, "v2", "2026-11-02")
    assert promotion.promote("dialogue", "v1", "zhou", "第一版", None, tmp_path) is None
    with pytest.raises(NoReport):
        promotion.promote("dialogue", "v2", "zhou", "", None, tmp_path)
    evaluated(registry, "v1", [Row("电线掉了", "report_safety_hazard", "report_safety_hazard", 0.9)])
    evaluated(registry, "v2", [Row("电线掉了", "report_safety_hazard", "greet", 0.9)])
    with pytest.raises(Worse, match="人身安全"):
        promotion.promote("dialogue", "v2", "zhou", "", None, tmp_path)
    for short in (Override("", "都已经看过了"), Override("周老师", "行")):
        with pytest.raises(ValueError, match="责任人"):
            promotion.promote("dialogue", "v2", "zhou", "", short, tmp_path)
    assert registry.current().name == "v1"
    promotion.promote("dialogue", "v2", "zhou", "", Override("周老师", "另有词表兜底"), tmp_path)
    assert registry.current().name == "v2"
    last = registry.history()[-1]
    assert last.author == "zhou" and "责任人：周老师，理由：另有词表兜底" in last.why
    assert promotion.rollback("dialogue", "li", tmp_path) == "v1" and registry.current().name == "v1"
    with pytest.raises(NoModel):
        promotion.rollback("dialogue", "li", tmp_path)


def test_a_dialogue_that_fails_blocks_the_promotion(tmp_path: Path) -> None:
    registry = Registry("dialogue", tmp_path)
    version(registry, "v1", "2026-11-01")
    version(registry, "v2", "2026-11-02")
    registry.promote("v1", "zhou", "第一版")
    rows = [Row("你好", "greet", "greet", 0.9)]
    evaluated(registry, "v1", rows, [Played("查电费")])
    evaluated(registry, "v2", rows, [Played("查电费", Fault(1, "查电费", ["没有回答"], ""))])
    with pytest.raises(Worse, match="1段原来能办完的对话"):
        promotion.promote("dialogue", "v2", "zhou", "", None, tmp_path)
    promotion.promote("dialogue", "v2", "zhou", "", Override("周老师", "这段对话要改"), tmp_path)
    assert registry.current().name == "v2"


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [{"category": "other"}, {"priority": "P4"}])
def test_a_complaint_that_is_misread_again_blocks_the_promotion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    training.ensure()
    registry, model = Registry("triage", tmp_path), Registry("triage").current()
    for name in ("v1", "v2"):
        shutil.copytree(model, registry.folder / name)
    registry.promote("v1", "zhou", "第一版")
    monkeypatch.setattr(report, "REGRESSIONS", tmp_path / "regressions.jsonl")
    monkeypatch.setitem(report.SETS, "triage", dict.fromkeys(report.SETS["triage"], "complaints_valid.jsonl"))
    text = "抄表员三个月没来抄表，电费乱收"
    [read] = OnnxClassifier(model).classify([text])
    right = {"text": text, "category": read.category, "priority": read.priority}
    for corrected, broken in ((right, 0), ({**right, **wrong}, 1)):
        (tmp_path / "regressions.jsonl").write_text(json.dumps(corrected, ensure_ascii=False) + "\n", "utf-8")
        for name in ("v1", "v2"):
            report.make("triage", name, registry)
        assert len(promotion.compared("triage", "v2", tmp_path).broken) == broken
    with pytest.raises(Worse, match="1句纠正过的话又读错了"):
        promotion.promote("triage", "v2", "zhou", "", None, tmp_path)
    assert registry.current().name == "v1"


def test_a_job_plays_dialogues_only_for_the_dialogue_model() -> None:
    assert "rehearse-dialogue" in steps.plan("evaluate", ["dialogue"])
    assert "rehearse-dialogue" not in steps.plan("train", ["triage"])


def test_a_report_is_out_of_date_once_a_correction_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry("dialogue", tmp_path)
    version(registry, "v1", "2026-11-01")
    monkeypatch.setattr(report, "REGRESSIONS", tmp_path / "regressions.jsonl")
    evaluated(registry, "v1", [Row("你好", "greet", "greet", 0.9)])
    assert report.find("dialogue", "v1", registry).rows["frozen"][0].text == "你好"
    (tmp_path / "regressions.jsonl").write_text('{"text": "x", "intent": "greet"}\n')
    with pytest.raises(NoReport, match="重新评测"):
        report.find("dialogue", "v1", registry)
