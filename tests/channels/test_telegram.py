import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.message import Button, Delivery, Outbound
from channels import rendering
from channels.telegram import BLOCKED, GROUP, NOT_THERE
from tests import databases
from tests.bot.test_files import document, photo, voice
from tests.channels.stage import TelegramStage, play

pytestmark = pytest.mark.slow

Url = Callable[[], str]
doors = pytest.mark.parametrize("webhook", [False, True])


@doors
def test_copies_lose_and_double_nothing_and_keep_the_order(database_url: Url, webhook: bool) -> None:
    stage = TelegramStage(database_url(), webhook)
    stage.platform.faults.copies = 3

    async def scene() -> None:
        for n in range(5):
            for who in "abc":
                stage.platform.say(who, f"q{n}")
        await stage.bridge.until(lambda: sum(len(stage.platform.heard(who)) for who in "abc") >= 15)
        await asyncio.sleep(0.3)
        for who in "abc":
            heard = stage.platform.heard(who)
            assert Counter(heard) == Counter(f"您说的是：q{n}" for n in range(5))
            if not webhook:
                assert heard == [f"您说的是：q{n}" for n in range(5)]

    play(stage, scene)


def test_a_button_survives_a_restart_and_is_answered_first(sqlite_url: Url) -> None:
    stage = TelegramStage(sqlite_url())

    async def scene() -> None:
        stage.platform.say("a", "选")
        await stage.bridge.until(lambda: len(stage.platform.heard("a")) == 1)
        title, data = stage.platform.chats["a"][-1].buttons[0]
        assert title == "查电费" and len(data.encode()) <= 64
        await stage.bridge.stop()
        await stage.bridge.start()
        stage.platform.press("b", data)
        stage.platform.press("a", data[:-1] + ("A" if data[-1] != "A" else "B"))
        stage.platform.press("a", "9:9:xxxxxxxxxxxx")
        stage.platform.press("a", data)
        await stage.bridge.until(lambda: len(stage.platform.heard("a")) == 2)
        assert stage.bridge.dialogue.payloads == [None, "/query_bill"]
        assert len(stage.platform.answered_queries) == 4
        assert stage.platform.heard("b") == []

    play(stage, scene)


def test_an_edit_updates_the_transcript(sqlite_url: Url) -> None:
    stage = TelegramStage(sqlite_url())

    async def scene() -> None:
        id = stage.platform.say("a", "停店了")
        await stage.bridge.until(lambda: len(stage.platform.heard("a")) == 1)
        stage.platform.edit("a", id, "停电了")
        async with asyncio.timeout(10):
            while (first := (await stage.bridge.conversations.messages(1))[0]).original is None:
                await asyncio.sleep(0.02)
        assert (first.text, first.original) == ("停电了", "停店了")

    play(stage, scene)


@pytest.mark.parametrize(
    "more, kind, asked",
    [
        ({"photo": [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]}, "image", []),
        ({"voice": {"file_id": "f", "file_unique_id": "u", "duration": 1, "mime_type": "audio/ogg"}}, "voice", []),
        (
            {"document": {"file_id": "f", "file_unique_id": "u", "file_name": "账单.pdf"}, "caption": "看看"},
            "file",
            ["看看"],
        ),
        ({"location": {"latitude": 23.1, "longitude": 113.3}}, "location", []),
        (
            {
                "location": {"latitude": 23.1, "longitude": 113.3},
                "venue": {
                    "location": {"latitude": 23.1, "longitude": 113.3},
                    "title": "锦绣江南",
                    "address": "",
                },
            },
            "location",
            ["我在锦绣江南，这里停电了吗？"],
        ),
    ],
)
def test_what_comes_beside_text_is_kept(sqlite_url: Url, more: dict[str, Any], kind: str, asked: list[str]) -> None:
    stage = TelegramStage(sqlite_url())

    async def scene() -> None:
        stage.platform.say("a", **more)
        await stage.bridge.until(lambda: len(stage.platform.heard("a")) == 1)
        (attachment,) = (await stage.bridge.conversations.messages(1))[0].attachments
        assert attachment.kind == kind
        assert stage.bridge.dialogue.asked == asked

    play(stage, scene)


@pytest.mark.parametrize(
    ("content", "mime", "name", "kept"),
    [
        (photo(), "image/jpeg", "", "image/jpeg"),
        (voice(), "audio/ogg", "", "audio/ogg"),
        (document(), "application/pdf", "账单.pdf", "application/pdf"),
    ],
)
def test_a_file_is_brought_in_bare_of_what_it_says_besides(
    sqlite_url: Url, content: bytes, mime: str, name: str, kept: str
) -> None:
    stage = TelegramStage(sqlite_url())

    async def scene() -> None:
        stage.platform.send("a", content, mime, name)
        found = await stage.bridge.attachment("telegram", str(stage.platform.person("a")))
        assert (found.mime, found.note) == (kept, "") and (not name or found.name == name)
        stored = next(stage.bridge.folder.rglob(found.ref)).read_bytes()
        assert b"SECRET" not in stored

    play(stage, scene)


def test_a_file_telegram_no_longer_has_leaves_a_note(sqlite_url: Url) -> None:
    stage = TelegramStage(sqlite_url())

    async def scene() -> None:
        stage.platform.faults.gone = True
        stage.platform.send("a", photo(), "image/jpeg")
        found = await stage.bridge.attachment("telegram", str(stage.platform.person("a")))
        assert found.note == NOT_THERE
        told = f"您发的图片我们没有收到：{NOT_THERE}"
        await stage.bridge.until(lambda: told in stage.platform.heard("a"))

    play(stage, scene)


def test_kinds_we_do_not_handle_are_dropped_and_polling_goes_on(sqlite_url: Url) -> None:
    stage = TelegramStage(sqlite_url())

    async def scene() -> None:
        stage.platform.say("a", sticker={"file_id": "f"})
        stage.platform.update("a", "message", {"new_chat_title": "x"})
        stage.platform._give({"something_new": {"x": 1}})
        stage.platform.say("a", "停电了")
        await stage.bridge.until(lambda: stage.platform.heard("a") == ["您说的是：停电了"])

    play(stage, scene)


def test_a_group_gets_public_information_and_a_link_only(sqlite_url: Url) -> None:
    stage = TelegramStage(sqlite_url())

    async def scene() -> None:
        for text in ("大家好", "/menu@dianqiao_bot"):
            stage.platform.update("g", "message", {"text": text, "chat": {"id": -5, "type": "group", "title": "群"}})
        await stage.bridge.until(lambda: stage.platform.heard("-5") == [GROUP])
        assert stage.platform.chats["-5"][0].buttons[0][1] == "https://t.me/dianqiao_bot?start=menu"
        assert stage.bridge.dialogue.asked == []

    play(stage, scene)


def test_blocked_is_told_and_the_reply_comes_when_they_are_back(sqlite_url: Url) -> None:
    stage = TelegramStage(sqlite_url())

    async def scene() -> None:
        stage.platform.faults.blocked = True
        stage.platform.say("a", "一")
        async with asyncio.timeout(10):
            while not (letters := await stage.bridge.letters.page()):
                await asyncio.sleep(0.02)
        assert letters[0].reason == BLOCKED
        stage.platform.faults.blocked = False
        stage.platform.say("a", "二")
        await stage.bridge.until(lambda: stage.platform.heard("a") == ["您说的是：一", "您说的是：二"])

    play(stage, scene)


def test_throttling_is_waited_out(sqlite_url: Url) -> None:
    stage = TelegramStage(sqlite_url())

    async def scene() -> None:
        stage.platform.faults.throttled = 1
        stage.platform.say("a", "一")
        await stage.bridge.until(lambda: stage.bridge.dialogue.asked == ["一"])
        await asyncio.sleep(0.3)
        assert stage.platform.heard("a") == []
        stage.platform.faults.throttled = 0
        await stage.bridge.until(lambda: stage.platform.heard("a") == ["您说的是：一"])
        async with asyncio.timeout(5):
            while (await stage.bridge.conversations.messages(1))[1].delivery is not Delivery.SENT:
                await asyncio.sleep(0.02)

    play(stage, scene)


def test_a_restart_in_the_middle_loses_nothing(database_url: Url) -> None:
    stage = TelegramStage(database_url())

    async def scene() -> None:
        for n in range(10):
            stage.platform.say("a", f"q{n}")
        await stage.bridge.until(lambda: len(stage.platform.heard("a")) >= 3)
        await stage.bridge.stop()
        stage.platform.say("a", "q10")
        await stage.bridge.start()
        for n in range(11):
            await stage.bridge.until(lambda n=n: f"您说的是：q{n}" in stage.platform.heard("a"), 90)  # type: ignore[misc]

    play(stage, scene)


def test_a_webhook_without_the_secret_token_is_refused(sqlite_url: Url) -> None:
    stage = TelegramStage(sqlite_url(), webhook=True)

    async def scene() -> None:
        async with httpx.AsyncClient() as http:
            url, secret = f"http://127.0.0.1:{stage.bridge.port}/telegram", "X-Telegram-Bot-Api-Secret-Token"
            assert (await http.post(url, json={"update_id": 1})).status_code == 403
            assert (await http.post(url, json={"update_id": 1}, headers={secret: "wrong"})).status_code == 403
            assert (await http.post(url, content=b"{", headers={secret: "hook-secret"})).status_code == 400
            assert (await http.post(url, json={"update_id": 1}, headers={secret: "hook-secret"})).status_code == 200

    play(stage, scene)


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.sampled_from("电费，。！\n🙏a "), min_size=1, max_size=9000))
def test_pieces_hold_all_of_the_text_within_4096_units(text: str) -> None:
    pieces = rendering.split(text, 4096, rendering.utf16_size)
    assert "".join(pieces) == text
    assert all(rendering.utf16_size(piece) <= 4096 for piece in pieces)


def test_the_last_of_several_parts_has_the_buttons(tmp_path: Any) -> None:
    stage = TelegramStage(databases.sqlite(tmp_path))

    async def scene() -> None:
        door = stage.bridge.channel
        parts = door.parts(Outbound("长" * 5000, (Button("好", "/affirm"),), None, "1-2"))
        assert [len(part.buttons) for part in parts] == [0, 1]

    play(stage, scene)
