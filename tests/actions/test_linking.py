import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from actions.linking import LOCKED, NOT_BOUND, WRONG, LinkEventRow, Linking
from actions.systems_sample import SampleSystems
from actions.verification import Verification, Verified
from bot.conversation import Conversations
from bot.database import Database
from bot.message import Inbound
from tests.fakes import RememberingDesk, ScriptedDialogue

ACCOUNT, ENDING = "3310000017", "1580"


class Stage:
    def __init__(self, url: str) -> None:
        self.now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
        self.database = Database(url)
        self.linking = Linking(self.database, lambda: self.now)
        self.verification = Verification(self.database, SampleSystems(lambda: self.now), lambda: self.now)

    async def conversation(self, channel: str, sender: str) -> int:
        conversations = Conversations(self.database, ScriptedDialogue(), RememberingDesk())
        return (await conversations.receive(Inbound(channel, sender, "1", "您好", self.now))).conversation

    async def say(self, conversation: int, text: str) -> str:
        turn = await self.linking.shortcut(conversation, text)
        return turn.replies[0].text if turn else ""

    async def code(self, conversation: int) -> str:
        found = re.search(r"\d{6}", await self.say(conversation, "绑定"))
        assert found
        return found[0]


def run(url: str, scene: Callable[[Stage, int, int], Awaitable[None]]) -> None:
    async def play() -> None:
        stage = Stage(url)
        await stage.database.migrate()
        web, wechat = await stage.conversation("web", "w"), await stage.conversation("wechat", "o1")
        assert "先核验" in await stage.say(web, "绑定")
        assert await stage.verification.verify(web, ACCOUNT, ENDING) == Verified(ACCOUNT)
        try:
            await scene(stage, web, wechat)
        finally:
            await stage.database.close()

    asyncio.run(play())


def test_a_code_binds_another_door_once_and_can_be_undone(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage, web: int, wechat: int) -> None:
        code = await stage.code(web)
        assert "尾号0017" in await stage.say(wechat, f"绑定　{code}")
        assert await stage.verification.account(wechat) == ACCOUNT
        other = await stage.conversation("telegram", "7")
        assert await stage.say(other, f"绑定 {code}") == WRONG
        assert await stage.verification.account(other) is None
        assert "已解绑" in await stage.say(wechat, "解绑")
        assert await stage.verification.account(wechat) is None
        assert await stage.verification.account(web) == ACCOUNT
        assert await stage.say(wechat, "解绑") == NOT_BOUND
        async with stage.database.read() as session:
            events = list(await session.scalars(select(LinkEventRow).order_by(LinkEventRow.id)))
        assert [(e.conversation_id, e.kind, e.other_conversation) for e in events] == [
            (web, "given", None),
            (wechat, "bound", web),
            (other, "wrong", None),
            (wechat, "unbound", None),
        ]

    run(database_url(), scene)


def test_a_code_expires_and_guessing_locks_out(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage, web: int, wechat: int) -> None:
        code = await stage.code(web)
        stage.now += timedelta(minutes=10, seconds=1)
        assert await stage.say(wechat, f"绑定{code}") == WRONG
        fresh = await stage.code(web)
        guess = "000000" if fresh != "000000" else "000001"
        for _ in range(4):
            assert await stage.say(wechat, f"绑定{guess}") == WRONG
        assert await stage.say(wechat, f"绑定{fresh}") == LOCKED
        stage.now += timedelta(minutes=31)
        assert "尾号0017" in await stage.say(wechat, f"绑定{await stage.code(web)}")

    run(database_url(), scene)


def test_other_texts_are_left_alone(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage, web: int, wechat: int) -> None:
        for text in ("怎么绑定户号", "绑定 12345", "绑定 1234567", "我要解绑代扣"):
            assert await stage.linking.shortcut(wechat, text) is None

    run(database_url(), scene)
