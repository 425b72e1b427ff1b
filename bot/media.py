"""Media 媒体: pictures, voices and files that a platform holds are brought in, checked and kept like the web page's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update

from bot.bell import MEDIA, Bell, conversation_topic, rung
from bot.channel import Channel, Gone
from bot.conversation import Conversations
from bot.database import ContactRow, ConversationRow, Database, MessageRow
from bot.files import LARGEST, TOO_LARGE, Files, Unfit
from bot.message import Attachment, Outbound
from bot.transcript import MediaRow

LOOK_EVERY = 2.0
AT_ONCE = 8
WITHIN = 60.0
LEASE = timedelta(seconds=2 * WITHIN)
FIRST_WAIT, LONGEST_WAIT = 2.0, 600.0
MAX_TRIES = 14
NAMES = {"image": "图片", "voice": "语音", "video": "视频", "file": "文件"}
NO_VIDEO = "暂时不能接收视频，请发图片或用文字说明。"
NOT_GIVEN = "平台一直没有给我们内容，请重新发一次。"
TOLD = "您发的{name}我们没有收到：{why}"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Awaited:
    message: int
    conversation: int
    seq: int
    channel: str
    attachments: tuple[Attachment, ...]
    tries: int


class Media:
    """Brings in what is awaited, after the message was stored and acknowledged, and however often we are restarted.

    A platform that fails is asked again after 2, 4, 8 … 600 seconds, `MAX_TRIES` times (about an hour). What it never
    gives, or what we do not take, leaves the message with a note for the agent, and the customer is told.
    """

    def __init__(
        self,
        database: Database,
        channels: Sequence[Channel],
        files: Files,
        conversations: Conversations,
        bell: Bell,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """What came through a door that is not mounted waits until it is. `clock` gives the aware present."""
        self._database = database
        self._channels: Mapping[str, Channel] = {channel.name: channel for channel in channels}
        self._files = files
        self._conversations = conversations
        self._bell = bell
        self._clock = clock

    async def run(self) -> None:
        """Bring in until cancelled: at each ring, and every two seconds."""
        with self._bell.listen(MEDIA) as rings:
            while True:
                try:
                    while await self.look():
                        continue
                except Exception:
                    log.exception("media could not be looked for; trying again")
                await rung(rings, LOOK_EVERY)

    async def look(self) -> int:
        """Bring in what is due now, at most `AT_ONCE`; returns how many messages were due."""
        due = await self._claim()
        ends = await asyncio.gather(*(self._bring(one) for one in due), return_exceptions=True)
        for one, end in zip(due, ends, strict=True):
            if isinstance(end, BaseException):
                log.error("media of message %s could not be kept; tried again later", one.message, exc_info=end)
        return len(due)

    async def _claim(self) -> list[_Awaited]:
        """Leased by moving their due time: two processes never bring the same, and a killed one's are tried again."""
        now = self._clock()
        due = (
            select(MediaRow.message_id)
            .join(MessageRow, MessageRow.id == MediaRow.message_id)
            .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
            .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
            .where(MediaRow.due <= now, ContactRow.channel.in_(self._channels))
            .order_by(MediaRow.due)
            .limit(AT_ONCE)
        )
        async with self._database.read() as session:
            ids = (await session.scalars(due)).all()
        if not ids:
            return []
        async with self._database.write() as session:
            claimed = await session.scalars(
                update(MediaRow)
                .where(MediaRow.message_id.in_(ids), MediaRow.due <= now)
                .values(due=now + LEASE)
                .returning(MediaRow.message_id)
                .execution_options(synchronize_session=False)
            )
            rows = await session.execute(
                select(MessageRow, ContactRow.channel, MediaRow.tries)
                .join(MediaRow, MediaRow.message_id == MessageRow.id)
                .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
                .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
                .where(MessageRow.id.in_(claimed.all()))
            )
            return [
                _Awaited(row.id, row.conversation_id, row.seq, channel,
                         tuple(Attachment(**one) for one in row.attachments), tries)
                for row, channel, tries in rows
            ]  # fmt: skip

    async def _bring(self, awaited: _Awaited) -> None:
        found: list[Attachment] = []
        again, why = False, ""
        for place, one in enumerate(awaited.attachments):
            if one.awaited:
                try:
                    one = await self._kept(awaited, place, one)
                except (Unfit, Gone) as refusal:
                    one, why = replace(one, note=str(refusal)), str(refusal)
                except Exception as failure:
                    log.warning("message %s: its %s did not come: %r", awaited.message, one.kind, failure)
                    if awaited.tries + 1 < MAX_TRIES:
                        again = True
                    else:
                        one, why = replace(one, note=NOT_GIVEN), NOT_GIVEN
            found.append(one)
        async with self._database.write() as session:
            await session.execute(
                update(MessageRow)
                .where(MessageRow.id == awaited.message)
                .values(attachments=[asdict(one) for one in found])
            )
            mine = MediaRow.message_id == awaited.message
            if again:
                wait = timedelta(seconds=min(FIRST_WAIT * 2**awaited.tries, LONGEST_WAIT))
                await session.execute(
                    update(MediaRow).where(mine).values(tries=awaited.tries + 1, due=self._clock() + wait)
                )
            else:
                await session.execute(delete(MediaRow).where(mine))
            if why:
                name = next(NAMES.get(one.kind, NAMES["file"]) for one in found if one.note == why)
                told = Outbound(TOLD.format(name=name, why=why))
                await self._conversations.notify(session, awaited.conversation, told)
        self._bell.ring(conversation_topic(awaited.conversation))

    async def _kept(self, awaited: _Awaited, place: int, one: Attachment) -> Attachment:
        if one.kind == "video":
            raise Unfit("bad_file", NO_VIDEO)
        if one.size > LARGEST:
            raise Unfit(*TOO_LARGE)
        async with asyncio.timeout(WITHIN):
            content = await self._channels[awaited.channel].media(one)
        key = f"{awaited.channel}:{awaited.conversation}:{awaited.seq}:{place}"
        kept = await self._files.keep(content, one.name, key, spoken=one.kind == "voice")
        return replace(kept, source=one.source)
