import asyncio
import unicodedata
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from bot.conversation import Conversations
from bot.database import Database
from bot.message import Inbound, Outbound, Reading, Turn
from bot.readings import LONGEST_KEY, ReadingRow, text_key
from tests.fakes import RememberingDesk, ScriptedDialogue

Url = Callable[[], str]
MONTH = {"entity": "month", "value": "上个月", "start": 1, "end": 4}
READING = Reading((("query_bill", 0.5), ("pay_bill", 0.375)), (MONTH,), "v1")


@given(st.text(max_size=700))
def test_a_key_is_its_own_key_whatever_the_width_case_and_punctuation(text: str) -> None:
    key = text_key(text)
    assert len(key) <= LONGEST_KEY
    if len(key) < LONGEST_KEY:
        assert text_key(key) == key
    assert text_key(f" {text.strip()}？！") == key or len(text) > 300
    assert text_key("".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)) == text_key(
        unicodedata.normalize("NFKC", text)
    )


def test_equal_but_for_form_is_one_text() -> None:
    assert text_key("我 上个月，电费多少？") == text_key("我上个月电费多少") == "我上个月电费多少"
    assert text_key("ＡＢＣ１２") == "abc12"
    assert text_key("？？") == ""


def play(url: str, scene: Callable[[Conversations, ScriptedDialogue, Database], Awaitable[None]]) -> None:
    async def run() -> None:
        database, dialogue = Database(url), ScriptedDialogue()
        await database.migrate()
        conversations = Conversations(database, dialogue, RememberingDesk(), patience=30)
        try:
            await scene(conversations, dialogue, database)
            await conversations.settle()
        finally:
            await database.close()

    asyncio.run(run())


async def rows(database: Database) -> list[ReadingRow]:
    async with database.read() as session:
        return list(await session.scalars(select(ReadingRow).order_by(ReadingRow.seq)))


def said(text: str, id: str) -> Inbound:
    return Inbound("web", "a", id, text, datetime.now(UTC))


def test_a_turn_stores_what_was_read_once(database_url: Url) -> None:
    async def scene(conversations: Conversations, dialogue: ScriptedDialogue, database: Database) -> None:
        dialogue.planned["我上个月电费多少？"] = Turn((Outbound("172.46元"),), reading=READING)
        dialogue.planned["哑"] = Turn((), reading=Reading((("greet", 0.25),), (), "v2", fallback=True))
        for _ in range(2):
            await conversations.receive(said("我上个月电费多少？", "1"))
            await asyncio.gather(conversations.answer(1), conversations.answer(1))
        await conversations.receive(said("没有读的", "2"))
        await conversations.answer(1)
        await conversations.receive(said("哑", "3"))
        await conversations.answer(1)
        first, last = await rows(database)
        assert (first.conversation_id, first.seq, first.text_key) == (1, 1, "我上个月电费多少")
        assert (first.intent, first.confidence, first.second, first.margin) == ("query_bill", 0.5, "pay_bill", 0.125)
        assert first.ranking == [["query_bill", 0.5], ["pay_bill", 0.375]] and first.entities == [MONTH]
        assert (first.model, first.fallback) == ("v1", False)
        assert (last.seq, last.second, last.margin, last.fallback) == (5, None, 0.25, True)

    play(database_url(), scene)


def test_what_was_read_is_kept_though_an_agent_took_over(database_url: Url) -> None:
    async def scene(conversations: Conversations, dialogue: ScriptedDialogue, database: Database) -> None:
        dialogue.read = READING
        await conversations.accept(said("慢", "1"))
        await dialogue.thinking.wait()
        async with database.write() as session:
            await conversations.take(session, 1)
        dialogue.release.set()
        await conversations.settle()
        assert [m.text for m in await conversations.messages(1)] == ["慢"]
        assert [row.model for row in await rows(database)] == ["v1"]

    play(database_url(), scene)
