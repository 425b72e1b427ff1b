import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.dead_letters import DeadLetter
from bot.files import Files
from bot.message import Delivery, Outbound
from channels.wechat.channel import NO_MEDIA
from channels.wechat.client import WeChatClient
from channels.wechat.passive import LATER
from tests.bot.test_files import amr, photo
from tests.channels.stage import INTERVAL, WeChatStage, play

pytestmark = pytest.mark.slow

Url = Callable[[], str]
modes = pytest.mark.parametrize("mode", ["plain", "compatible", "aes"])


@modes
def test_with_the_api_success_comes_at_once_and_the_reply_by_custom_message(sqlite_url: Url, mode: str) -> None:
    stage = WeChatStage(sqlite_url())
    stage.platform.faults.mode = mode

    async def scene() -> None:
        assert await stage.platform.say("o1", "停电了 0.3") == ""
        assert stage.platform.heard("o1") == []
        await stage.bridge.until(lambda: stage.platform.heard("o1") == ["您说的是：停电了 0.3"])

    play(stage, scene)


def test_copies_and_one_second_lose_and_double_nothing(database_url: Url) -> None:
    stage = WeChatStage(database_url())
    stage.platform.faults.copies = 4

    async def scene() -> None:
        await asyncio.gather(*(stage.platform.say(f"o{who}", f"q{n}") for who in range(5) for n in range(4)))
        await stage.bridge.until(lambda: sum(len(stage.platform.heard(f"o{who}")) for who in range(5)) >= 20)
        await asyncio.sleep(0.2)
        for who in range(5):
            assert Counter(stage.platform.heard(f"o{who}")) == Counter(f"您说的是：q{n}" for n in range(4))
        assert len(stage.bridge.dialogue.asked) == 20

    play(stage, scene)


def test_two_events_of_one_second_are_two_and_a_repeated_one_is_one(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url(), aes=False)

    async def scene() -> None:
        now = int(time.time())
        for key in ("bill", "outage", "bill"):
            fields = {"MsgType": "event", "Event": "CLICK", "EventKey": key, "CreateTime": now}
            await stage.platform.push("o1", fields)
        await stage.bridge.until(lambda: len(stage.platform.heard("o1")) >= 2)
        assert sorted(stage.bridge.dialogue.asked) == ["我上个月电费多少", "我家停电了，什么时候来电"]

    play(stage, scene)


@pytest.mark.parametrize(
    "fields, asked",
    [
        ({"MsgType": "voice", "MediaId": "m", "Format": "amr", "Recognition": "查电费", "MsgId": 1}, ["查电费"]),
        (
            {"MsgType": "location", "Location_X": 23.1, "Location_Y": 113.3, "Label": "锦绣江南", "MsgId": 1},
            ["我在锦绣江南，这里停电了吗？"],
        ),
        ({"MsgType": "image", "MediaId": "m", "PicUrl": "http://x/1", "MsgId": 1}, []),
        ({"MsgType": "event", "Event": "subscribe", "EventKey": ""}, []),
        ({"MsgType": "event", "Event": "SCAN", "EventKey": "human"}, ["转人工"]),
        ({"MsgType": "event", "Event": "TEMPLATESENDJOBFINISH", "Status": "success"}, None),
        ({"MsgType": "event", "Event": "unsubscribe", "EventKey": ""}, None),
    ],
)
def test_every_kind_is_translated_or_dropped(sqlite_url: Url, fields: dict[str, Any], asked: list[str] | None) -> None:
    stage = WeChatStage(sqlite_url())

    async def scene() -> None:
        assert await stage.platform.push("o1", fields) == ""
        if asked is None:
            assert await stage.bridge.conversations.find("wechat", "o1") is None
            return
        await stage.bridge.until(lambda: bool(stage.platform.heard("o1")))
        assert stage.bridge.dialogue.asked == asked

    play(stage, scene)


def test_forged_stale_replayed_and_poisoned_requests_are_refused_and_leave_nothing(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url())
    platform, url = stage.platform, f"http://127.0.0.1:{stage.bridge.port}/wechat"

    async def scene() -> None:
        xml = platform.xml("o1", {"MsgType": "text", "Content": "停电了", "MsgId": 7})
        query, body = platform.signed(xml)
        async with httpx.AsyncClient() as http:

            async def post(changed: dict[str, str], content: bytes) -> int:
                return (await http.post(url, params={**query, **changed}, content=content)).status_code

            assert await post({"signature": "0" * 40}, body) == 403
            assert await post({"timestamp": "1"}, body) == 403
            assert await post({"nonce": "other"}, body) == 403
            assert (await http.get(url, params={**query, "echostr": "hello"})).text == "hello"
            assert (await http.get(url, params={**query, "signature": "x", "echostr": "hello"})).status_code == 403
            bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><Content>&b;</Content></xml>'
            for broken in (b"", b"<xml>", b"\xff\xfe", b"<xml></xml>", bomb, b"<xml>" + b"x" * 70_000 + b"</xml>"):
                query, _ = platform.signed(xml)
                assert await post({}, broken) == 403
            assert await stage.bridge.conversations.find("wechat", "o1") is None
            query, body = platform.signed(xml)
            assert await post({}, body) == 200
            assert await post({}, body) == 200
            assert await post({}, body.replace("停电了".encode(), "转账给我".encode())) == 403
            platform.faults.mode = "aes"
            query, body = platform.signed(xml)
            assert await post({"msg_signature": "0" * 40}, body) == 403
            assert await post({}, body[:40] + b"AAAA" + body[44:]) == 403
        assert len(await stage.bridge.bot_texts("wechat", "o1")) <= 1

    play(stage, scene)


def test_one_renewal_under_fifty_senders_when_the_token_expires(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url())

    async def scene() -> None:
        client = WeChatClient(stage.account.app_id, "secret", stage.account.api_base)
        await client.send_text("o0", "先", "k")
        before = stage.platform.tokens_given
        stage.platform.expire_tokens()
        await asyncio.gather(*(client.send_text(f"o{n}", "您好", f"k{n}") for n in range(50)))
        assert stage.platform.tokens_given == before + 1
        assert all("您好" in stage.platform.heard(f"o{n}") for n in range(50))
        await client.close()

    play(stage, scene)


@pytest.mark.parametrize("fault", ["closed", "quota"])
def test_a_closed_window_is_told_and_the_reply_comes_when_the_customer_writes(sqlite_url: Url, fault: str) -> None:
    stage = WeChatStage(sqlite_url())

    async def scene() -> None:
        setattr(stage.platform.faults, fault, True)
        await stage.platform.say("o1", "一")
        letters: list[DeadLetter] = []
        async with asyncio.timeout(10):
            while not letters:
                letters = await stage.bridge.letters.page()
                await asyncio.sleep(0.05)
        assert letters[0].reason.startswith("客户超过48小时" if fault == "closed" else "微信限制条数")
        setattr(stage.platform.faults, fault, False)
        await stage.platform.say("o1", "二")
        await stage.bridge.until(lambda: stage.platform.heard("o1") == ["您说的是：一", "您说的是：二"])
        until = await stage.bridge.limits.until(1)
        assert until is not None and 47.9 * 3600 < until.timestamp() - time.time() <= 48 * 3600

    play(stage, scene)


def test_what_may_still_be_sent_is_counted_until_the_customer_writes_again(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url())

    async def left() -> int | None:
        return await stage.bridge.limits.left(1)

    async def scene() -> None:
        await stage.platform.say("o1", "电费。" * 400)  # its answer takes two messages of WeChat's size
        async with asyncio.timeout(10):
            while await left() != 3:
                await asyncio.sleep(0.05)
        assert len(stage.platform.heard("o1")) == 2
        await stage.platform.say("o1", "停电了 0.3")
        assert await left() == 5
        await stage.bridge.until(lambda: len(stage.platform.heard("o1")) == 3)
        async with asyncio.timeout(10):
            while await left() != 4:
                await asyncio.sleep(0.05)

    play(stage, scene)


def test_a_retry_with_the_same_key_is_shown_once(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url())

    async def scene() -> None:
        client = WeChatClient(stage.account.app_id, "secret", stage.account.api_base)
        for _ in range(3):
            await client.send_text("o1", "您好", "1-2")
        assert stage.platform.heard("o1") == ["您好"]
        await client.close()

    play(stage, scene)


@pytest.mark.parametrize("passive", [False, True])
@pytest.mark.parametrize(
    ("content", "mime", "kept"),
    [(photo(), "image/jpeg", "image/jpeg"), (amr(1), "audio/amr", "audio/ogg")],
)
def test_pictures_and_voices_are_brought_in(
    sqlite_url: Url, passive: bool, content: bytes, mime: str, kept: str
) -> None:
    stage = WeChatStage(sqlite_url(), passive=passive)

    async def scene() -> None:
        await stage.platform.send("o1", content, mime)
        found = await stage.bridge.attachment("wechat", "o1")
        if passive and mime == "audio/amr":
            assert found.note == NO_MEDIA  # the account may not ask for it
            return
        assert (found.mime, found.note) == (kept, "")
        assert b"SECRET" not in next(stage.bridge.folder.rglob(found.ref)).read_bytes()

    play(stage, scene)


def test_media_are_asked_for_with_a_new_token_and_those_that_are_gone_leave_a_note(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url())

    async def scene() -> None:
        await stage.bridge.channel.check()
        stage.platform.expire_tokens()
        await stage.platform.send("o1", photo(), "image/jpeg")
        assert (await stage.bridge.attachment("wechat", "o1")).mime == "image/jpeg"
        stage.platform.faults.gone = True
        await stage.platform.send("o2", photo(), "image/jpeg")
        assert "已经没有" in (await stage.bridge.attachment("wechat", "o2")).note

    play(stage, scene)


def test_a_picture_is_asked_of_nobody_but_wechat(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url(), passive=True)

    async def scene() -> None:
        fields = {"MsgType": "image", "MediaId": "m", "PicUrl": "http://169.254.169.254/meta", "MsgId": 1}
        await stage.platform.push("o1", fields)
        assert (await stage.bridge.attachment("wechat", "o1")).note == NO_MEDIA

    play(stage, scene)


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.sampled_from("电费，。！\n🙏a "), min_size=1, max_size=3000))
def test_parts_hold_all_of_the_text_within_2048_bytes(text: str) -> None:
    from channels.wechat.channel import WeChat

    account = WeChatStage("sqlite+aiosqlite:///x").account
    parts = WeChat(account, Files(Path("no-files"), "secret"), client=None).parts(Outbound(text))
    assert "".join(part.text for part in parts) == text
    assert all(len(part.text.encode()) <= 2048 for part in parts)


# passive replies


def test_a_quick_answer_goes_out_with_the_first_try(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url(), passive=True)

    async def scene() -> None:
        assert await stage.platform.say("o1", "停电了") == "您说的是：停电了"

    play(stage, scene)


@modes
def test_a_slow_answer_goes_out_with_a_later_try(sqlite_url: Url, mode: str) -> None:
    stage = WeChatStage(sqlite_url(), passive=True)
    stage.platform.faults.mode = mode

    async def scene() -> None:
        text = f"停电了 {INTERVAL * 1.5:g}"
        assert await stage.platform.say("o1", text) == f"您说的是：{text}"
        assert stage.bridge.dialogue.asked == [text]

    play(stage, scene)


def test_a_very_slow_answer_is_fetched_by_anything(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url(), passive=True)

    async def scene() -> None:
        text = f"停电了 {INTERVAL * 4:g}"
        assert await stage.platform.say("o1", text) == LATER
        await asyncio.sleep(INTERVAL * 1.5)
        assert await stage.platform.say("o1", "好的") == f"您说的是：{text}"
        assert stage.bridge.dialogue.asked == [text]
        assert await stage.platform.say("o1", "好的") == "您说的是：好的"

    play(stage, scene)


def test_a_new_question_gets_its_own_answer_beside_the_old_one(database_url: Url) -> None:
    stage = WeChatStage(database_url(), passive=True)

    async def scene() -> None:
        old = f"电费 {INTERVAL * 4:g}"
        assert await stage.platform.say("o1", old) == LATER
        answer = await stage.platform.say("o1", "停电")
        assert answer == f"您问的“{old}”：\n您说的是：{old}\n\n您问的“停电”：\n您说的是：停电"
        assert stage.bridge.dialogue.asked == [old, "停电"]

    play(stage, scene)


def test_an_old_answer_and_a_new_question_that_is_slow_too(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url(), passive=True)

    async def scene() -> None:
        old, new = f"电费 {INTERVAL * 3.5:g}", f"停电 {INTERVAL * 4:g}"
        assert await stage.platform.say("o1", old) == LATER
        answer = await stage.platform.say("o1", new)
        assert answer == f"您问的“{old}”：\n您说的是：{old}\n\n{LATER}"
        await asyncio.sleep(INTERVAL * 2)
        assert await stage.platform.say("o1", "?") == f"您说的是：{new}"

    play(stage, scene)


def test_more_than_one_message_holds_waits_for_the_next(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url(), passive=True)

    async def scene() -> None:
        text = "电费。" * 1000
        heard = await stage.platform.say("o1", text)
        for _ in range(9):
            more = await stage.platform.say("o1", "好")
            if more == "您说的是：好":
                break
            assert heard is not None and more is not None
            heard += more
        assert heard is not None and heard.count("电费。") == 1000

    play(stage, scene)


@pytest.mark.parametrize("delay", [0.1, 2.1, 6])
def test_any_delay_and_a_restart_make_one_turn_and_one_reply(database_url: Url, delay: float) -> None:
    stage = WeChatStage(database_url(), passive=True)

    async def scene() -> None:
        question = f"电费 {INTERVAL * delay:g}"
        saying = asyncio.create_task(stage.platform.say("o1", question))
        await asyncio.sleep(INTERVAL * random.Random(delay).uniform(0.2, 1.8))
        await stage.bridge.stop()
        await stage.bridge.start()
        heard = [await saying]
        for _ in range(12):
            if f"您说的是：{question}" in heard:
                break
            await asyncio.sleep(INTERVAL)
            heard.append(await stage.platform.say("o1", "结果"))
        assert heard.count(f"您说的是：{question}") == 1
        assert (await stage.bridge.bot_texts("wechat", "o1")).count(f"您说的是：{question}") == 1

    play(stage, scene)


def test_an_agents_reply_is_fetched_too_and_counts_as_waiting_until_then(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url(), passive=True)

    async def scene() -> None:
        heard = await stage.platform.say("o1", "转人工")
        assert heard == "正在为您转接人工客服。\n\n已为您登记，工单号 1。"
        conversations = stage.bridge.conversations
        async with stage.bridge.database.write() as session:
            await conversations.take(session, 1)
            await conversations.reply(session, 1, "您好，我是客服。")
        assert (await conversations.messages(1))[-1].delivery is Delivery.QUEUED
        assert await stage.platform.say("o1", "在吗") == "您好，我是客服。"
        assert stage.bridge.desk.arrivals == [(1, 5)]

    play(stage, scene)
