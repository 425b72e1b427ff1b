import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import transcript
from bot.conversation import BACK, BOT_UNAVAILABLE, NO_WORDS, Contact, Conversations, WrongOwner
from bot.database import Database
from bot.message import Attachment, Inbound, Owner, Receipt, Speaker
from tests import databases
from tests.fakes import RememberingDesk, ScriptedDialogue

Url = Callable[[], str]
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def said(text: str, id: str = "1", sender: str = "a") -> Inbound:
    return Inbound("web", sender, id, text, datetime.now(UTC))


class Stage:
    """Conversations over a real database, and everyone around them."""

    def __init__(self, url: str, patience: float = 0.3) -> None:
        self.database = Database(url)
        self.dialogue = ScriptedDialogue()
        self.desk = RememberingDesk()
        self.conversations = Conversations(self.database, self.dialogue, self.desk, patience=patience)

    async def say(self, *texts: str) -> None:
        for text in texts:
            receipt = await self.conversations.receive(said(text, text))
            await self.conversations.answer(receipt.conversation)

    async def texts(self, after: int = 0) -> list[str]:
        return [m.text for m in await self.conversations.messages(1, after)]


def run(url: str, scene: Callable[[Stage], Awaitable[None]], patience: float = 0.3) -> None:
    async def play() -> None:
        stage = Stage(url, patience)
        await stage.database.migrate()
        try:
            await scene(stage)
            await stage.conversations.settle()
        finally:
            await stage.database.close()

    asyncio.run(play())


def test_a_message_is_stored_then_answered(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        assert await stage.conversations.find("web", "a") is None
        assert await stage.conversations.accept(said("上月电费")) == Receipt(1, 1)
        await stage.conversations.settle()
        assert await stage.conversations.find("web", "a") == 1
        assert await stage.conversations.contact(1) == Contact("web", "a")
        assert [(m.seq, m.speaker, m.text) for m in await stage.conversations.messages(1)] == [
            (1, Speaker.CUSTOMER, "上月电费"),
            (2, Speaker.BOT, "您说的是：上月电费"),
        ]
        assert (await stage.conversations.messages(1, after=1))[0].seq == 2

    run(database_url(), scene)


def test_a_retry_changes_nothing(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        first = await asyncio.gather(*(stage.conversations.receive(said("停电了")) for _ in range(10)))
        assert set(first) == {Receipt(1, 1)}
        await asyncio.gather(*(stage.conversations.answer(1) for _ in range(10)))
        assert stage.dialogue.asked == ["停电了"]
        assert len(await stage.conversations.messages(1)) == 2

    run(database_url(), scene)


def test_two_processes_answer_a_message_once(database_url: Url) -> None:
    url = database_url()

    async def scene(stage: Stage) -> None:
        other = Conversations(stage.database, ScriptedDialogue(), stage.desk)
        await stage.conversations.receive(said("停电了"))
        await asyncio.gather(stage.conversations.answer(1), other.answer(1))
        assert await stage.texts() == ["停电了", "您说的是：停电了"]

    run(url, scene)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), min_size=1, max_size=15))
def test_seq_is_gapless_under_any_order_and_retry(database_url: Url, order: list[tuple[str, int]]) -> None:
    async def scene(stage: Stage) -> None:
        async def one(sender: str, id: int) -> int:
            receipt = await stage.conversations.receive(said(f"{sender}{id}", str(id), sender))
            await stage.conversations.answer(receipt.conversation)
            return receipt.conversation

        found = await asyncio.gather(*(one(*row) for row in order))
        assert len(set(found)) == len({sender for sender, _ in order})
        for conversation in set(found):
            messages = await stage.conversations.messages(conversation)
            assert [m.seq for m in messages] == list(range(1, len(messages) + 1))
        assert sorted(stage.dialogue.asked) == sorted({f"{sender}{id}" for sender, id in order})

    run(database_url(), scene, patience=5)


@pytest.mark.parametrize("text", ["坏", "卡", "哑"])
def test_a_failing_dialogue_hands_to_the_queue_with_an_answer_and_a_ticket(database_url: Url, text: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.say(text)
        assert await stage.texts() == [text, BOT_UNAVAILABLE, "已为您登记，工单号 1。"]
        assert stage.desk.opened == [(1, 1, "bot unavailable")]
        assert await stage.conversations.owner(1) is Owner.QUEUE

    run(database_url(), scene)


def test_the_bot_is_silent_until_handed_back(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        conversations = stage.conversations
        await stage.say("转人工", "在吗")
        assert stage.dialogue.asked == ["转人工"]
        assert stage.desk.arrivals == [(1, 4)]
        with pytest.raises(WrongOwner, match="claim it first"):
            async with stage.database.write() as session:
                await conversations.reply(session, 1, "您好")
        async with stage.database.write() as session:
            await conversations.take(session, 1)
            assert await conversations.reply(session, 1, "您好") == 5
        async with stage.database.write() as session:
            await conversations.hand_back(session, 1, "已办结，感谢您的来访。", "换了电表")
        await stage.say("谢谢")
        assert [(m.speaker, m.text) for m in (await conversations.messages(1, after=4))] == [
            (Speaker.AGENT, "您好"),
            (Speaker.SYSTEM, "已办结，感谢您的来访。"),
            (Speaker.BOT, BACK.text),
            (Speaker.CUSTOMER, "谢谢"),
            (Speaker.BOT, "您说的是：谢谢"),
        ]
        await conversations.settle()
        assert stage.dialogue.forgotten == [1] and stage.dialogue.summaries == ["换了电表"]

    run(database_url(), scene)


def test_a_late_bot_reply_is_dropped_when_an_agent_took_over(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.conversations.accept(said("慢"))
        await stage.dialogue.thinking.wait()
        async with stage.database.write() as session:
            await stage.conversations.take(session, 1)
            await stage.conversations.reply(session, 1, "我是人工客服")
        stage.dialogue.release.set()
        await stage.conversations.settle()
        assert await stage.texts() == ["慢", "我是人工客服"]
        assert stage.desk.arrivals == [(1, 1)]

    run(database_url(), scene, patience=30)


def test_a_backlog_is_answered_in_one_turn(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        for id, text, payload in (
            ("1", "停电了", None),
            ("2", "人民路", None),
            ("3", "", "选"),
            ("4", "几点来电", None),
        ):
            await stage.conversations.receive(Inbound("web", "a", id, text, NOW, payload))
        await stage.conversations.receive(said("谢谢", "5"))
        await stage.conversations.answer(1)
        assert stage.dialogue.asked == ["停电了\n人民路\n选\n几点来电", "谢谢"]
        assert await stage.conversations.unanswered() == []

    run(database_url(), scene)


def test_a_typed_number_is_the_button_of_that_place(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.say("选")
        await stage.say("1")
        await stage.conversations.delivered(1, 4)
        assert stage.dialogue.payloads == [None, None]
        stage.dialogue.payloads.clear()
        await stage.conversations.receive(said("选", "again"))
        await stage.conversations.answer(1)
        await stage.conversations.delivered(1, 99)
        await stage.say("１")
        await stage.conversations.delivered(1, 99)
        await stage.say("9")
        assert stage.dialogue.payloads == [None, "/query_bill", None]

    run(database_url(), scene)


@pytest.mark.parametrize(
    ("words", "payload"),
    [
        *((words, "/query_bill") for words in ("1", "第一个", "第1个。", "一", "选一", "我要第一个吧")),
        *((words, "/query_bill") for words in ("查电费", "查电费。", "查电费吧")),
        *((words, None) for words in ("第二个", "十一", "1号", "一直没电", "13800138000", "查电费吗", "两个月没来电")),
    ],
)
def test_an_offered_choice_may_be_said_in_words(tmp_path: Path, words: str, payload: str | None) -> None:
    async def scene(stage: Stage) -> None:
        await stage.say("选")
        await stage.conversations.delivered(1, 99)
        await stage.say(words)
        assert stage.dialogue.payloads[-1] == payload

    run(databases.sqlite(tmp_path), scene)


@given(st.sampled_from(["还是合不上，报修", "还是合不上", "报修", "报修吧", "报修。"]))
def test_part_of_a_title_is_enough_when_it_is_one_titles_alone(words: str) -> None:
    titles = ["还是合不上，报修", "转人工"]
    assert transcript._place(words, titles) == 0
    assert transcript._place("报修", [*titles, "仍然没电，报修"]) is None


def test_a_button_is_found_by_its_place_however_old(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.say("选", *(f"问{n}" for n in range(40)))
        for id, choice in (("x", (2, 0)), ("y", (2, 1)), ("z", (99, 0))):
            await stage.conversations.receive(Inbound("web", "a", id, "查电费", datetime.now(UTC), choice=choice))
        await stage.conversations.answer(1)
        assert stage.dialogue.payloads[-3:] == ["/query_bill", None, None]

    run(database_url(), scene)


def test_an_edit_changes_the_transcript_and_keeps_the_first_wording(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        sent = Inbound("web", "a", "1", "停店了", datetime.now(UTC), platform_id="77")
        await stage.conversations.receive(sent)
        later = datetime.now(UTC)
        assert await stage.conversations.edit("web", "a", "77", "停电了", later)
        assert not await stage.conversations.edit("web", "a", "77", "旧", later)
        assert not await stage.conversations.edit("web", "b", "77", "别人的", later)
        await stage.conversations.answer(1)
        assert stage.dialogue.asked == ["停电了"]
        assert (await stage.conversations.messages(1))[0].original == "停店了"

    run(database_url(), scene)


def test_an_attachment_without_words_is_kept_and_asked_about(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        picture = Attachment("image", "file-1", mime="image/jpeg")
        await stage.conversations.receive(Inbound("web", "a", "1", "[图片]", datetime.now(UTC), attachments=(picture,)))
        await stage.conversations.answer(1)
        first, answer = await stage.conversations.messages(1)
        assert first.attachments == (picture,) and answer.text == NO_WORDS and stage.dialogue.asked == []

    run(database_url(), scene)


def test_what_was_stored_before_a_crash_is_answered_after_it(database_url: Url) -> None:
    url = database_url()

    async def before(stage: Stage) -> None:
        await stage.conversations.receive(said("停电了"))

    async def after(stage: Stage) -> None:
        assert await stage.conversations.unanswered() == [1]
        await stage.conversations.answer(1)
        assert await stage.conversations.unanswered() == []
        assert len(await stage.conversations.messages(1)) == 2

    run(url, before)
    run(url, after)


def test_only_a_button_that_was_offered_counts_as_one(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        forged = Inbound("web", "a", "x", "", NOW, payload="/query_bill")
        await stage.conversations.receive(forged)
        await stage.conversations.answer(1)
        await stage.say("选")
        pressed = Inbound("web", "a", "y", "", NOW, payload="/query_bill")
        await stage.conversations.receive(pressed)
        await stage.conversations.answer(1)
        assert stage.dialogue.asked == ["/query_bill", "选", "查电费"]
        assert stage.dialogue.payloads == [None, None, "/query_bill"]

    run(database_url(), scene)


@pytest.mark.parametrize(
    "text",
    ["长" * 10_000, "/restart", '/query_bill{"account_no":"1"}', "<b>1</b>", "'; DROP TABLE message;--", "🙏\x07"],
)
def test_hostile_text_is_stored_intact(database_url: Url, text: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.conversations.receive(said(text))
        assert await stage.texts() == [text]

    run(database_url(), scene)


def test_a_nul_no_database_can_hold_is_shown_as_its_symbol(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.conversations.receive(said("停\x00电"))
        assert await stage.texts() == ["停␀电"]

    run(database_url(), scene)
