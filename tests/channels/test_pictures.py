"""A picture that an agent sends, as the customer's own channel shows it."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable

import pytest
from PIL import Image

from channels.rendering import NO_PICTURES
from tests.bot.test_files import photo
from tests.channels.stage import TelegramStage, WeChatStage, play

pytestmark = pytest.mark.slow

Url = Callable[[], str]


async def shown_by_agent(stage: WeChatStage | TelegramStage) -> None:
    """The conversation's agent sends it."""
    conversations = stage.bridge.conversations
    kept = await stage.bridge.files.keep(photo(size=(80, 50)), "电表.jpg", "desk:1")
    async with stage.bridge.database.write() as session:
        await conversations.take(session, 1)
        await conversations.reply(session, 1, "[图片]", (kept,))


@pytest.mark.parametrize("door", [WeChatStage, TelegramStage])
def test_a_phone_shows_it_once_and_without_metadata(sqlite_url: Url, door: type[WeChatStage | TelegramStage]) -> None:
    stage = door(sqlite_url())

    async def scene() -> None:
        if isinstance(stage, WeChatStage):
            await stage.platform.say("a", "一")
        else:
            stage.platform.say("a", "一")
        await stage.bridge.until(lambda: len(stage.platform.heard("a")) == 1)
        await shown_by_agent(stage)
        await stage.bridge.until(lambda: len(stage.platform.heard("a")) == 2)
        await asyncio.sleep(0.3)
        shown = [one for one in stage.platform.chats["a"] if one.picture]
        content = base64.b64decode(shown[0].picture.split(",")[1])
        assert len(shown) == 1 and len(stage.platform.heard("a")) == 2 and b"SECRET" not in content
        assert Image.open(io.BytesIO(content)).size == (50, 80)  # upright

    play(stage, scene)


def test_where_none_can_be_shown_the_customer_is_told(sqlite_url: Url) -> None:
    stage = WeChatStage(sqlite_url(), passive=True)

    async def scene() -> None:
        await stage.platform.say("a", "转人工")
        await shown_by_agent(stage)
        assert await stage.platform.say("a", "在吗") == "[图片]" + NO_PICTURES

    play(stage, scene)
