import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.conversation import BOT_UNAVAILABLE, Conversations, WrongOwner
from bot.database import Database
from bot.message import Inbound, Owner, Speaker
from tests.fakes import ScriptedDialogue

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def said(text: str, id: str = "1", sender: str = "a") -> Inbound:
    return Inbound("web", sender, id, text, NOW)


@asynccontextmanager
async def opened(file: Path, dialogue: ScriptedDialogue) -> AsyncIterator[Conversations]:
    database = Database(f"sqlite+aiosqlite:///{file}")
    await database.migrate()
    try:
        yield Conversations(database, dialogue, patience=0.3)
    finally:
        await database.close()


def run(tmp_path: Path, scene: Callable[[Conversations, ScriptedDialogue], Awaitable[None]]) -> None:
    async def play() -> None:
        dialogue = ScriptedDialogue()
        async with opened(tmp_path / "bridge.db", dialogue) as conversations:
            await scene(conversations, dialogue)

    asyncio.run(play())


def test_a_message_is_stored_then_answered(tmp_path: Path) -> None:
    async def scene(conversations: Conversations, dialogue: ScriptedDialogue) -> None:
        conversation, seq = await conversations.receive(said("上月电费"))
        assert seq == 1
        await conversations.answer(conversation)
        assert [(m.seq, m.speaker, m.text) for m in await conversations.messages(conversation)] == [
            (1, Speaker.CUSTOMER, "上月电费"),
            (2, Speaker.BOT, "您说的是：上月电费"),
        ]
        assert (await conversations.messages(conversation, after=1))[0].seq == 2

    run(tmp_path, scene)


def test_a_retry_changes_nothing(tmp_path: Path) -> None:
    async def scene(conversations: Conversations, dialogue: ScriptedDialogue) -> None:
        first = await asyncio.gather(*(conversations.receive(said("停电了")) for _ in range(10)))
        assert set(first) == {(1, 1)}
        await asyncio.gather(*(conversations.answer(1) for _ in range(10)))
        assert dialogue.asked == ["停电了"]
        assert len(await conversations.messages(1)) == 2

    run(tmp_path, scene)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), min_size=1, max_size=15))
def test_seq_is_gapless_under_any_order_and_retry(
    tmp_path_factory: pytest.TempPathFactory, order: list[tuple[str, int]]
) -> None:
    async def scene(conversations: Conversations, dialogue: ScriptedDialogue) -> None:
        async def one(sender: str, id: int) -> int:
            conversation, _ = await conversations.receive(said(f"{sender}{id}", str(id), sender))
            await conversations.answer(conversation)
            return conversation

        found = await asyncio.gather(*(one(*row) for row in order))
        assert len(set(found)) == len({sender for sender, _ in order})
        for conversation in set(found):
            messages = await conversations.messages(conversation)
            assert [m.seq for m in messages] == list(range(1, len(messages) + 1))
        assert sorted(dialogue.asked) == sorted({f"{sender}{id}" for sender, id in order})

    run(tmp_path_factory.mktemp("seq"), scene)


@pytest.mark.parametrize("text", ["坏", "卡", "哑"])
def test_a_failing_dialogue_hands_to_the_queue_with_an_answer(tmp_path: Path, text: str) -> None:
    async def scene(conversations: Conversations, dialogue: ScriptedDialogue) -> None:
        await conversations.receive(said(text))
        await conversations.answer(1)
        assert [m.text for m in await conversations.messages(1)] == [text, BOT_UNAVAILABLE]
        assert await conversations.owner(1) is Owner.QUEUE

    run(tmp_path, scene)


def test_the_bot_is_silent_until_handed_back(tmp_path: Path) -> None:
    async def scene(conversations: Conversations, dialogue: ScriptedDialogue) -> None:
        for id, text in enumerate(["转人工", "在吗"]):
            await conversations.receive(said(text, str(id)))
            await conversations.answer(1)
        assert dialogue.asked == ["转人工"]
        with pytest.raises(WrongOwner, match="claim it first"):
            await conversations.reply(1, "您好")
        await conversations.take(1)
        assert await conversations.reply(1, "您好") == 4
        await conversations.hand_back(1, "已办结，感谢您的来访。")
        await conversations.receive(said("谢谢", "9"))
        await conversations.answer(1)
        assert [(m.speaker, m.text) for m in (await conversations.messages(1, after=3))] == [
            (Speaker.AGENT, "您好"),
            (Speaker.SYSTEM, "已办结，感谢您的来访。"),
            (Speaker.CUSTOMER, "谢谢"),
            (Speaker.BOT, "您说的是：谢谢"),
        ]

    run(tmp_path, scene)


def test_a_late_bot_reply_is_dropped_when_an_agent_took_over(tmp_path: Path) -> None:
    async def play() -> None:
        dialogue = ScriptedDialogue()
        async with opened(tmp_path / "bridge.db", dialogue) as conversations:
            conversations._patience = 30
            await conversations.receive(said("慢"))
            turn = asyncio.create_task(conversations.answer(1))
            await dialogue.thinking.wait()
            await conversations.take(1)
            await conversations.reply(1, "我是人工客服")
            dialogue.release.set()
            await turn
            assert [m.text for m in await conversations.messages(1)] == ["慢", "我是人工客服"]

    asyncio.run(play())


def test_what_was_stored_before_a_crash_is_answered_after_it(tmp_path: Path) -> None:
    async def play() -> None:
        file = tmp_path / "bridge.db"
        async with opened(file, ScriptedDialogue()) as conversations:
            await conversations.receive(said("停电了"))
        async with opened(file, ScriptedDialogue()) as conversations:
            assert await conversations.unanswered() == [1]
            await conversations.answer(1)
            assert await conversations.unanswered() == []
            assert len(await conversations.messages(1)) == 2

    asyncio.run(play())


@pytest.mark.parametrize(
    "text",
    ["长" * 10_000, "/restart", '/query_bill{"account_no":"1"}', "<b>1</b>", "'; DROP TABLE message;--", "🙏\x07"],
)
def test_hostile_text_is_stored_intact(tmp_path: Path, text: str) -> None:
    async def scene(conversations: Conversations, dialogue: ScriptedDialogue) -> None:
        await conversations.receive(said(text))
        assert (await conversations.messages(1))[0].text == text

    run(tmp_path, scene)
