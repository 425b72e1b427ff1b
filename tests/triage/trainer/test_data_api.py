"""The trainers' data and answers over the API: previews write nothing, imports are whole, approval takes two."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import nlu_data
from bot.dialogue.responses import HERE
from nlu_data import Utterance
from tests.triage.stage import Stage, Url
from triage.desk.auth import Role
from triage.trainer import exchange

Scene = Callable[[Stage, httpx.AsyncClient, Path], Awaitable[None]]


def folders(root: Path) -> dict[str, Path]:
    """A copy of the files that trainers change."""
    for name in ("intents", "complaints", "frozen", "lookups"):
        shutil.copytree(nlu_data.HERE / name, root / "nlu" / name)
    for name in ("domain", "rules", "sentences"):
        shutil.copytree(HERE / name, root / "dialogue" / name)
    shutil.copy(HERE / "door.py", root / "dialogue")
    return {"nlu": root / "nlu", "dialogue": root / "dialogue"}


def play(url: Url, root: Path, scene: Scene) -> None:
    async def whole() -> None:
        stage = Stage(url(), **folders(root))
        await stage.database.migrate()
        try:
            await scene(stage, await stage.login("zhou", Role.TRAINER), root)
        finally:
            await stage.database.close()

    asyncio.run(whole())


def file(name: str, rows: list[exchange.Row]) -> dict[str, str]:
    content = base64.b64encode(exchange.dump(name, rows)).decode()
    return {"format": name, "name": "甲.csv", "content": content}


@pytest.mark.slow
def test_counts_and_findings_come_in_words(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage, zhou: httpx.AsyncClient, root: Path) -> None:
        clean = (await zhou.get("/trainer/data")).json()
        assert not clean["blocked"] and clean["findings"] == []
        rows = sum(one.intent == "query_bill" for one in nlu_data.utterances())
        assert {"name": "query_bill", "title": "查电费", "rows": rows} in clean["intents"]
        path = root / "nlu" / "intents" / "handoff.yml"
        path.write_text(path.read_text("utf-8").replace("- 转人工\n", "- 转人工\n    - 停电了\n", 1), "utf-8")
        found = (await zhou.get("/trainer/data")).json()
        assert found["blocked"] and "handoff.yml:6" in found["findings"][0]["place"]
        assert found["findings"][0]["todo"] == "定下一种，删掉其余"
        agent = await stage.login("li", Role.AGENT)
        assert (await agent.get("/trainer/data")).status_code == 403
        assert (await agent.post("/trainer/data/import", json=file("csv", []))).status_code == 403

    play(database_url, tmp_path, scene)


def test_an_import_is_previewed_and_then_written_whole(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage, zhou: httpx.AsyncClient, root: Path) -> None:
        intents = root / "nlu" / "intents"
        before = {path: path.read_bytes() for path in intents.iterdir()}
        rows: list[exchange.Row] = [
            Utterance("query_bill", "[上回](month)那张单子数目看不懂"),
            Utterance("query_restore_time", "停电了"),
            Utterance("greet", "哈喽"),
        ]
        sent = file("csv", rows)
        shown = (await zhou.post("/trainer/data/preview", json=sent)).json()
        assert (shown["added"], shown["changed"], shown["same"]) == (1, 1, 1)
        assert shown["rows"]["changed"][0]["was"]["label"] == "report_outage"
        assert {path: path.read_bytes() for path in intents.iterdir()} == before
        assert (await zhou.post("/trainer/data/import", json=sent)).status_code == 409
        done = await zhou.post("/trainer/data/import", json={**sent, "sha256": shown["sha256"]})
        assert done.json()["added"] == 1
        assert Utterance("query_restore_time", "停电了") in list(nlu_data.utterances(intents))
        exported = await zhou.get("/trainer/data/export", params={"format": "doccano", "rows": "utterances"})
        assert exchange.parse("doccano", exported.content) == list(nlu_data.utterances(intents))
        wrong = {**sent, "content": base64.b64encode("text,intent\n你好,nonsense\n".encode()).decode()}
        refused = await zhou.post("/trainer/data/preview", json=wrong)
        assert refused.status_code == 422 and "甲.csv:2" in refused.json()["detail"]

    play(database_url, tmp_path, scene)


@pytest.mark.slow
def test_complaints_leave_in_every_format_but_rasas(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage, zhou: httpx.AsyncClient, root: Path) -> None:
        for name in exchange.FORMATS:
            answer = await zhou.get("/trainer/data/export", params={"format": name, "rows": "complaints"})
            assert answer.status_code == (422 if name == "rasa" else 200)
        config = await zhou.get("/trainer/data/label-studio-config", params={"rows": "complaints"})
        assert '<Choice value="outage"/>' in config.text

    play(database_url, tmp_path, scene)


def test_an_answer_takes_two_people(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage, zhou: httpx.AsyncClient, root: Path) -> None:
        lin = await stage.login("lin", Role.TRAINER)
        listed = (await zhou.get("/trainer/answers")).json()
        (entry,) = (one for one in listed["entries"]["response"] if one["name"] == "utter_goodbye")
        assert entry["title"] == "告别"
        draft: dict[str, Any] = {
            "kind": "response", "name": "utter_goodbye", "content": {"text": "再见，祝您用电平安。", "buttons": []},
        }  # fmt: skip
        shown = (await zhou.post("/trainer/answers/preview", json=draft)).json()
        assert shown["wrong"] == "" and set(shown["channels"]) == {"web", "wechat", "telegram"}
        assert ["+", "用电平安"] in shown["diff"]
        bill = {**draft, "name": "say_no_bill"}
        assert "{month}" in (await zhou.post("/trainer/answers/preview", json=bill)).json()["wrong"]
        refused = await zhou.post("/trainer/answers/changes", json={**bill, "why": "短"})
        assert refused.status_code == 422
        made = (await zhou.post("/trainer/answers/changes", json={**draft, "why": "更贴近用电"})).json()
        path = f"/trainer/answers/changes/{made['id']}"
        assert (await zhou.post(f"{path}/approve")).status_code == 409
        assert (await lin.post(f"{path}/reject", json={"why": " "})).status_code == 422
        done = (await lin.post(f"{path}/approve")).json()
        assert done["state"] == "applied" and [e["action"] for e in done["events"]] == ["propose", "approve", "applied"]
        assert "再见，祝您用电平安。" in (root / "dialogue" / "domain" / "smalltalk.yml").read_text("utf-8")
        assert (await lin.post("/trainer/answers/changes/99/approve")).status_code == 404
        history = (await zhou.get("/trainer/answers/changes", params={"name": "utter_goodbye"})).json()
        assert [one["id"] for one in history] == [made["id"]]

    play(database_url, tmp_path, scene)


def test_a_word_can_be_added_and_removed(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage, zhou: httpx.AsyncClient, root: Path) -> None:
        lin = await stage.login("lin", Role.TRAINER)
        for name, content in (("空开盒", {"times": 20000}), ("户名", None)):
            draft = {"kind": "word", "name": name, "content": content, "why": "客户常说"}
            assert (await zhou.post("/trainer/answers/preview", json=draft)).json()["wrong"] == ""
            made = (await zhou.post("/trainer/answers/changes", json=draft)).json()
            await lin.post(f"/trainer/answers/changes/{made['id']}/approve")
        text = (root / "nlu" / "lookups" / "power.txt").read_text("utf-8")
        assert text.endswith("空开盒 20000\n") and "户名 " not in text

    play(database_url, tmp_path, scene)


@pytest.mark.slow
def test_rows_are_changed_relabelled_taken_out_and_put_back_where_they_were(database_url: Url, tmp_path: Path) -> None:
    async def scene(stage: Stage, zhou: httpx.AsyncClient, root: Path) -> None:
        files = [*sorted((root / "nlu" / "intents").iterdir()), *sorted((root / "nlu" / "complaints").iterdir())]
        before = {path: path.read_bytes() for path in files}

        async def post(**edit: Any) -> httpx.Response:
            return await zhou.post("/trainer/data/rows", json=edit)

        for kind, label, changed in (
            ("utterances", "query_bill", {"text": "上回那张单子的数目怎么念", "intent": "query_bill"}),
            ("utterances", "query_bill", {"text": "上回那张单子的数目怎么念", "intent": "greet"}),
            ("complaints", "metering", {"text": "门口那只表从来没人来瞧过", "category": "other", "priority": "P4"}),
        ):
            page = (await zhou.get("/trainer/data/rows", params={"kind": kind, "label": label, "offset": 3})).json()
            assert page["total"] > 50 and len(page["items"]) == 50
            seen = page["items"][0]
            place = seen.pop("place")
            assert (await post(old=seen, new={**seen, **changed})).json()["row"]["text"] == changed["text"]
            late = await post(old=seen, new={**seen, "text": "别人改过的一句"})
            assert late.status_code == 409 and "别人" in late.json()["detail"]
            found = await zhou.get("/trainer/data/rows", params={"kind": kind, "q": changed["text"]})
            assert [one["text"] for one in found.json()["items"]] == [changed["text"]]
            assert (await post(old={**seen, **changed}, new=seen, place=place)).status_code == 200
            assert before == {path: path.read_bytes() for path in files}, changed
            assert (await post(old=seen)).json() == {"row": None}
            assert (await post(old=seen)).status_code == 409
            assert (await post(new=seen, place=place)).status_code == 200
            assert before == {path: path.read_bytes() for path in files}, seen
        frozen = next(row for row in nlu_data.utterances(root / "nlu" / "frozen" / "intents.yml") if len(row.plain) > 8)
        near: dict[str, Any] = {"new": {"text": frozen.text, "intent": frozen.intent}}
        for wrong in (near, {}, {"old": {"text": "x", "intent": "greet"}}):
            assert (await post(**wrong)).status_code in (409, 422), wrong
        agent = await stage.login("li", Role.AGENT)
        assert (await agent.post("/trainer/data/rows", json={"old": seen})).status_code == 403
        audit = await stage.desk.audit.page(None, 20)
        assert [row.target for row in audit if row.action == "edit"] == ["/api/trainer/data/rows"] * 12

    play(database_url, tmp_path, scene)
