"""A second person approves, the date comes, and the file says it; what would lose something is refused."""

from __future__ import annotations

import asyncio
import difflib
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import nlu_data
from actions.sentences import Sentences
from bot.database import Database
from bot.dialogue.responses import HERE, Responses
from channels.preview import previews
from nlu_data import words
from tests.triage.stage import Url
from triage.trainer.answer_source import VARIABLES, ResponseSource, Unfit, sources, variables
from triage.trainer.answers import Answers, NoChange, NotNow, State

NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)
NAME = "say_no_bill"


class Stage:
    def __init__(self, url: str, root: Path) -> None:
        self.root, self.now = root, NOW
        for folder in ("domain", "sentences"):
            shutil.copytree(HERE / folder, root / "dialogue" / folder, dirs_exist_ok=True)
        shutil.copytree(nlu_data.HERE / "lookups", root / "nlu" / "lookups", dirs_exist_ok=True)
        self.database = Database(url)
        self.answers = Answers(self.database, sources(root / "dialogue", root / "nlu"), previews(), lambda: self.now)

    def entry(self, name: str = NAME) -> dict[str, Any]:
        return dict(self.answers.entry("response", name) or {})

    async def propose(self, text: str, name: str = NAME, after: timedelta = timedelta()) -> int:
        content = {**self.entry(name), "text": text}
        return (await self.answers.propose("zhou", "response", name, content, "写短一点", self.now + after)).id

    def differences(self) -> list[str]:
        """The lines that differ from the project's own files."""
        found = []
        for file in sorted((self.root / "dialogue").rglob("*.yml")):
            ours = (HERE / file.relative_to(self.root / "dialogue")).read_text("utf-8")
            lines = difflib.ndiff(ours.splitlines(), file.read_text("utf-8").splitlines())
            found += [line for line in lines if line[0] in "+-"]
        return found


def play(url: Url, root: Path, scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def whole() -> None:
        stage = Stage(url(), root)
        await stage.database.migrate()
        try:
            await scene(stage)
        finally:
            await stage.database.close()

    asyncio.run(whole())


def test_a_change_goes_into_the_file_on_its_date_and_nothing_else_does(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        said = Sentences(Responses((tmp_path / "dialogue" / "domain", tmp_path / "dialogue" / "sentences")))
        change = await stage.propose("没有查到{month}的账单，请看看别的月份。", after=timedelta(hours=1))
        with pytest.raises(NotNow, match="自己"):
            await stage.answers.approve("zhou", change)
        assert await stage.answers.apply_due() == 0
        assert (await stage.answers.approve("lin", change)).state == State.APPROVED
        assert await stage.answers.apply_due() == 0 and stage.differences() == []
        assert "新账单一般在" in said.fill(NAME, month="10月").text
        stage.now += timedelta(hours=1)
        assert await stage.answers.apply_due() == 1
        assert await stage.answers.apply_due() == 0
        assert [line[:2] + line[2:].strip() for line in stage.differences()] == [
            "- - text: 没有查到{month}的账单。新账单一般在月初抄表后几天出来，您可以看看其他月份。",
            "+ - text: 没有查到{month}的账单，请看看别的月份。",
        ]
        await asyncio.sleep(1.1)
        assert said.fill(NAME, month="10月").text == "没有查到10月的账单，请看看别的月份。"
        events = [(event.actor, event.action) for event in await stage.answers.events([change])]
        assert events == [("zhou", "propose"), ("lin", "approve"), ("system", "applied")]

    play(database_url, tmp_path, scene)


def test_rejected_and_withdrawn_changes_are_never_written(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        first = await stage.propose("没有{month}的账单。")
        with pytest.raises(NotNow, match="已经提了"):
            await stage.propose("没查到{month}的账单。")
        with pytest.raises(Unfit, match="为什么"):
            await stage.answers.reject("lin", first, " ")
        await stage.answers.reject("lin", first, "语气太硬")
        second = await stage.propose("没查到{month}的账单。")
        await stage.answers.approve("lin", second)
        with pytest.raises(NotNow, match="撤回"):
            await stage.answers.withdraw("gao", second)
        await stage.answers.withdraw("zhou", second)
        with pytest.raises(NotNow, match="处理过"):
            await stage.answers.approve("lin", second)
        with pytest.raises(NoChange):
            await stage.answers.approve("lin", 99)
        assert await stage.answers.apply_due() == 0
        assert stage.differences() == []
        assert [row.state for row in await stage.answers.changes()] == ["withdrawn", "rejected"]

    play(database_url, tmp_path, scene)


def test_a_change_of_what_was_changed_meanwhile_is_stale(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        change = await stage.propose("没有{month}的账单。")
        await stage.answers.approve("lin", change)
        file = tmp_path / "dialogue" / "sentences" / "billing.yml"
        file.write_text(file.read_text("utf-8").replace("您可以看看其他月份", "您可以换个月份看"), "utf-8")
        before = file.read_bytes()
        assert await stage.answers.apply_due() == 0
        assert file.read_bytes() == before
        (row,) = await stage.answers.changes(["stale"])
        assert row.id == change
        with pytest.raises(NotNow):
            await stage.answers.approve("lin", change)

    play(database_url, tmp_path, scene)


def test_a_process_that_ended_between_file_and_table_is_made_good(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        change = await stage.propose("没有{month}的账单。")
        row = await stage.answers.approve("lin", change)
        stage.answers._write(row)  # the file was written, then the process ended
        after = stage.differences()
        assert await stage.answers.apply_due() == 1
        assert stage.differences() == after
        assert [row.state for row in await stage.answers.changes()] == ["applied"]

    play(database_url, tmp_path, scene)


def test_several_processes_apply_a_change_once(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        others = [Answers(stage.database, stage.answers.sources, {}, lambda: stage.now) for _ in range(3)]
        await stage.answers.approve("lin", await stage.propose("没有{month}的账单。"))
        await stage.answers.approve("lin", await stage.propose("好的，下次见。", "utter_goodbye"))
        await asyncio.gather(*(one.apply_due() for one in (stage.answers, *others)))
        assert {row.state for row in await stage.answers.changes()} == {"applied"}
        applied = [e for e in await stage.answers.events([1, 2]) if e.action == "applied"]
        assert len(applied) == 2 and len(stage.differences()) == 4

    play(database_url, tmp_path, scene)


LONG = "很" * 81
REFUSED = [
    ({"text": "没有查到账单。"}, "漏了要填的内容：{month}（月份）"),
    ({"text": "没有查到{month}{kwh}的账单。"}, "没有这些内容可填：{kwh}"),
    ({"text": "没有查到{month的账单。"}, "花括号"),
    ({"text": "没有查到{month!r}{0}。"}, "花括号"),
    ({"text": f"{{month}}。{LONG}。"}, "81个字"),
    ({"text": " "}, "空的"),
    ({"text": "{month}\x07"}, "看不见"),
    ({"text": "{month}。", "buttons": [{"title": "转人工", "payload": "/request_human"}]}, "按钮不能增减"),
    (None, "不能新增或删除"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED)
def test_what_may_not_be_said_is_refused(content: dict[str, Any] | None, message: str) -> None:
    source = ResponseSource()
    everything = source.read()
    new = {"buttons": [], **content} if content is not None else None
    with pytest.raises(Unfit) as refused:
        source.check(NAME, everything[NAME], new, everything)
    assert message in str(refused.value)


def test_buttons_may_be_renamed_only() -> None:
    source = ResponseSource()
    everything = source.read()
    old = everything["say_inform"]
    for change in (lambda b: b[1:], lambda b: b[::-1], lambda b: [{**b[0], "title": " "}, *b[1:]]):
        with pytest.raises(Unfit, match="按钮"):
            source.check("say_inform", old, {**old, "buttons": change(old["buttons"])}, everything)
    renamed = {**old, "buttons": [{**old["buttons"][0], "title": "查查电费"}, *old["buttons"][1:]]}
    source.check("say_inform", old, renamed, everything)


def test_every_variable_of_every_response_has_a_meaning_and_an_example() -> None:
    used = {name for content in ResponseSource().read().values() for name in variables(content["text"])}
    assert used <= set(VARIABLES)
    assert all(VARIABLES[name]["means"] and VARIABLES[name]["example"] for name in used)


def test_words_are_written_on_their_date_too(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        answers, root = stage.answers, tmp_path / "nlu"
        before = {name: (root / name).read_text("utf-8") for name in (words.SYNONYMS, words.POWER)}
        many = {"words": [*words.synonyms(root)["电表"], "小火表"]}
        content: dict[str, Any] | None
        for kind, name, content in (
            ("synonym", "电表", many),
            ("synonym", "热水器", {"words": ["电热水器"]}),
            ("word", "空开", {"times": 30000}),
            ("word", "户名", None),
        ):
            row = await answers.propose("zhou", kind, name, content, "客户常说", stage.now)
            await answers.approve("lin", row.id)
        assert await answers.apply_due() == 4
        assert words.synonyms(root)["电表"][-1] == "小火表" and words.synonyms(root)["热水器"] == ["电热水器"]
        assert words.power(root)["空开"] == 30000 and "户名" not in words.power(root)
        changed = [
            line
            for name, text in before.items()
            for line in difflib.ndiff(text.splitlines(), (root / name).read_text("utf-8").splitlines())
            if line[0] in "+-"
        ]
        assert len(changed) == 6
        for kind, name, content, message in (
            ("synonym", "热水器", {"words": ["没得"]}, "已经归在“没有”下面"),
            ("synonym", "热 水", {"words": ["电热水"]}, "不是一个词"),
            ("synonym", "热水", {"words": []}, "至少写一个"),
            ("word", "热水", {"times": 0}, "词频"),
            ("word", "空开", {"times": 30000}, "一样"),
        ):
            with pytest.raises(Unfit, match=message):
                await answers.propose("zhou", kind, name, content, "客户常说", stage.now)

    play(database_url, tmp_path, scene)


def test_each_channel_shows_it_in_its_own_way_and_a_diff_tells_what_changed(tmp_path: Path) -> None:
    stage = Stage("sqlite+aiosqlite://", tmp_path)
    shown = stage.answers.preview(stage.entry("say_balance"))
    assert set(shown) == {"web", "wechat", "telegram"}
    assert shown["web"][0]["text"].startswith("您是预付费用户，账户余额35.20元。")
    assert shown["web"][0]["buttons"] == ["余额不足时提醒我"] == shown["telegram"][-1]["buttons"]
    assert shown["wechat"][0]["buttons"] == [] and "1. 余额不足时提醒我" in shown["wechat"][0]["text"]
    old = stage.entry()
    pieces = stage.answers.diff("response", old, {**old, "text": old["text"].replace("几天", "三天")})
    assert ("-", "几") in pieces and ("+", "三") in pieces
    assert "".join(text for sign, text in pieces if sign != "+") == old["text"]
