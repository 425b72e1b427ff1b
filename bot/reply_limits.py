"""How long and how often a door still takes our replies; developers.weixin.qq.com, 客服消息, errors 45015 and 45047."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from bot.database import ContactRow, ConversationRow, Database, MessageRow
from bot.message import Delivery, Speaker

WINDOWS = {"wechat": timedelta(hours=48)}
"""After the customer's last message; doors not named have no limit."""
QUOTAS = {"wechat": 5}
"""After each message of the customer's, since 2023-06-12 (fewer after an event); doors not named have no limit."""


class ReplyLimits:
    """What agents are told before they write."""

    def __init__(self, database: Database) -> None:
        """Reads only."""
        self._database = database

    async def until(self, conversation: int) -> datetime | None:
        """Until when the customer's door takes replies; None without a limit."""
        window = WINDOWS.get(await self._channel(conversation))
        if window is None:
            return None
        async with self._database.read() as session:
            last = await session.scalar(
                select(MessageRow.at)
                .where(MessageRow.conversation_id == conversation, MessageRow.speaker == Speaker.CUSTOMER)
                .order_by(MessageRow.seq.desc())
                .limit(1)
            )
        return last + window if last else None

    async def left(self, conversation: int) -> int | None:
        """How many more messages the door takes until the customer writes again; None without a limit."""
        quota = QUOTAS.get(await self._channel(conversation))
        if quota is None:
            return None
        async with self._database.read() as session:
            last = select(func.max(MessageRow.seq)).where(
                MessageRow.conversation_id == conversation, MessageRow.speaker == Speaker.CUSTOMER
            )
            sent = await session.scalar(
                select(func.sum(MessageRow.delivery_parts)).where(
                    MessageRow.conversation_id == conversation,
                    MessageRow.seq > last.scalar_subquery(),
                    MessageRow.delivery == Delivery.SENT,
                )
            )
        return max(quota - (sent or 0), 0)

    async def _channel(self, conversation: int) -> str:
        async with self._database.read() as session:
            found = await session.scalars(
                select(ContactRow.channel)
                .join(ConversationRow, ConversationRow.contact_id == ContactRow.id)
                .where(ConversationRow.id == conversation)
            )
            return found.one()
