"""What customers send through a platform: brought in, checked, kept; or a note that says why not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.bell import Bell
from bot.conversation import Conversations
from bot.database import Database
from bot.files import LARGEST, Files
from bot.media import LEASE, LONGEST_WAIT, MAX_TRIES, NOT_GIVEN, Media
from bot.message import Attachment, Inbound, Message
from tests import databases
from tests.bot.test_files import document, photo, voice
from tests.fakes import RememberingChannel, RememberingDesk, ScriptedDialogue


class Held(RememberingChannel):
    """Counts what it is asked for; `down` raises first."""

    asked = 0
    down = 0

    async def media(self, attachment: Attachment) -> bytes:
        self.asked += 1
        if self.down:
            self.down -= 1
            raise ConnectionError("down")
        return await super().media(attachment)


class Stage:
    def __init__(self, url: str, folder: Path) -> None:
        self.database, self.bell, self.channel = Database(url), Bell(), Held()
        self.conversations = Conversations(self.database, ScriptedDialogue(), RememberingDesk(), self.bell)
        self.files = Files(folder / "files", "a secret of the tests")
        self.at = datetime.now(UTC)
        self.media = self.another()

    def another(self) -> Media:
        return Media(self.database, [self.channel], self.files, self.conversations, self.bell, clock=lambda: self.at)

    async def send(self, kind: str, content: bytes | None, size: int = 0) -> None:
        if content is not None:
            self.channel.held[kind] = content
        attachment = Attachment(kind, name="电表.heic", source=kind, size=size)
        inbound = Inbound("web", "a", kind, f"[{kind}]", self.at, attachments=(attachment,))
        await self.conversations.receive(inbound)
        self.at = max(self.at, datetime.now(UTC))

    async def first(self) -> Message:
        return (await self.conversations.messages(1))[0]

    async def last(self) -> str:
        return (await self.conversations.messages(1))[-1].text


def play(url: str, folder: Path, scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        stage = Stage(url, folder)
        await stage.database.migrate()
        try:
            await scene(stage)
        finally:
            await stage.database.close()

    asyncio.run(run())


def test_a_picture_is_kept_once_and_shown_like_the_web_pages(database_url: Callable[[], str], tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.send("image", photo())
        assert await stage.media.look() == 1
        assert await stage.media.look() == 0
        (kept,) = (await stage.first()).attachments
        assert (kept.kind, kept.mime, kept.source, kept.note) == ("image", "image/jpeg", "image", "")
        assert "url" in stage.files.shown(kept)
        stored = next(tmp_path.rglob("*.jpg")).read_bytes()
        assert b"SECRET" not in stored and stage.channel.asked == 1

    play(database_url(), tmp_path, scene)


@pytest.mark.parametrize(
    ("kind", "content", "size", "why"),
    [
        ("file", b"PK\x03\x04 a spreadsheet", 0, "只能发送图片"),
        ("file", b"%PDF-" + b"\0" * LARGEST, 0, "太大"),
        ("image", photo(), LARGEST + 1, "太大"),
        ("image", photo()[:300], 0, "没有传完整"),
        ("image", None, 0, "没有了"),
        ("voice", photo(), 0, "语音打不开"),
        ("image", voice(), 0, "只能发送图片"),
        ("video", b"....ftypmp42", 0, "不能接收视频"),
    ],
)
def test_what_cannot_be_kept_leaves_a_note_and_the_customer_is_told(
    tmp_path: Path, kind: str, content: bytes | None, size: int, why: str
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.send(kind, content, size)
        await stage.media.look()
        (left,) = (await stage.first()).attachments
        assert why in left.note and not left.ref
        assert why in stage.files.shown(left)["note"]
        assert why in await stage.last() and "没有收到" in await stage.last()
        assert await stage.media.look() == 0
        assert not list((tmp_path / "files").rglob("*.*"))

    play(databases.sqlite(tmp_path), tmp_path, scene)


def test_a_platform_that_fails_is_asked_again_and_then_given_up(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.send("image", photo())
        stage.channel.down = 2
        for _ in range(3):
            await stage.media.look()
            assert await stage.media.look() == 0
            stage.at += timedelta(seconds=LONGEST_WAIT)
        assert (await stage.first()).attachments[0].ref and stage.channel.asked == 3
        await stage.send("file", document())
        stage.channel.down = MAX_TRIES
        for _ in range(MAX_TRIES):
            assert await stage.media.look() == 1
            stage.at += timedelta(seconds=LONGEST_WAIT)
        assert NOT_GIVEN in await stage.last()
        assert await stage.media.look() == 0

    play(databases.sqlite(tmp_path), tmp_path, scene)


def test_two_processes_bring_it_once_and_a_killed_ones_is_brought_by_the_next(
    database_url: Callable[[], str], tmp_path: Path
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.send("image", photo())
        await asyncio.gather(stage.media.look(), stage.another().look())
        assert stage.channel.asked == 1
        await stage.send("voice", voice())
        assert len(await stage.media._claim()) == 1  # and killed
        assert await stage.another().look() == 0
        stage.at += LEASE
        assert await stage.another().look() == 1
        assert (await stage.conversations.messages(1))[-1].attachments[0].mime == "audio/ogg"

    play(database_url(), tmp_path, scene)
