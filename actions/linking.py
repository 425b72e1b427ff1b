"""Link codes 绑定码: one person at several doors, bound to one verified account; only on proof, undoable, recorded.

A conversation that is verified for an account gets a code of six digits; whoever writes it at another door within ten
minutes is bound to the same account there. Five wrong codes lock a conversation out for 30 minutes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from actions.verification import AccountLinkRow
from bot.database import Base, Database, UtcDateTime
from bot.message import Button, Outbound, Turn

LASTS = timedelta(minutes=10)
TRIES = 5
LOCK = timedelta(minutes=30)
CODE = "您的绑定码是{code}，10分钟内有效，只能用一次。请在微信或 Telegram 里给我发送：绑定 {code}"
FIRST_VERIFY = "请先核验身份，再发送“绑定”，就能拿到绑定码。"
BOUND = "绑定好了，户号尾号{ending}。以后在这里可以直接查账单；发送“解绑”可以取消。"
WRONG = "绑定码不对或已过期，请在已核验的渠道重新获取。"
LOCKED = "绑定码错误次数太多，请30分钟后再试，或者发送“转人工”。"
UNBOUND = "已解绑，户号尾号{ending}。需要时可以重新核验。"
NOT_BOUND = "这里还没有绑定户号。"


class LinkCodeRow(Base):
    """A code that was given out, as its hash; `used_by` is the conversation that redeemed it."""

    __tablename__ = "link_code"
    id: Mapped[int] = mapped_column(primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), index=True)
    account_no: Mapped[str] = mapped_column(String(32))
    given_to: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_by: Mapped[int | None] = mapped_column(ForeignKey("conversation.id"))


class LinkEventRow(Base):
    """What happened to a link: given, bound, unbound or wrong; `before` is the account bound until then."""

    __tablename__ = "link_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    account_no: Mapped[str | None] = mapped_column(String(32))
    before: Mapped[str | None] = mapped_column(String(32))
    other_conversation: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Linking:
    """Gives, redeems and undoes."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        """`clock` gives the aware present."""
        self._database = database
        self._clock = clock

    async def shortcut(self, conversation: int, text: str) -> Turn | None:
        """Answers 「绑定」, 「绑定 123456」 and 「解绑」; None for everything else."""
        said = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
        if said == "绑定":
            return await self._give(conversation)
        if said == "解绑":
            return _say(await self._unbind(conversation))
        if match := re.fullmatch(r"绑定码?:?(\d{6})", said):
            return _say(await self._redeem(conversation, match[1]))
        return None

    async def _give(self, conversation: int) -> Turn:
        async with self._database.write() as session:
            link = await session.get(AccountLinkRow, conversation)
            if link is None:
                return Turn((Outbound(FIRST_VERIFY, (Button("现在核验", "我上个月电费多少"),)),))
            code, now = f"{secrets.randbelow(10**6):06d}", self._clock()
            session.add(
                LinkCodeRow(
                    code_hash=_hash(code), account_no=link.account_no, given_to=conversation, expires_at=now + LASTS
                )
            )
            self._record(session, conversation, "given", link.account_no)
        return _say(CODE.format(code=code))

    async def _redeem(self, conversation: int, code: str) -> str:
        now = self._clock()
        async with self._database.write() as session:
            wrong = await session.scalar(
                select(func.count())
                .select_from(LinkEventRow)
                .where(
                    LinkEventRow.conversation_id == conversation,
                    LinkEventRow.kind == "wrong",
                    LinkEventRow.at > now - LOCK,
                )
            )
            if (wrong or 0) >= TRIES:
                return LOCKED
            found = (
                await session.execute(
                    update(LinkCodeRow)
                    .where(
                        LinkCodeRow.code_hash == _hash(code),
                        LinkCodeRow.expires_at > now,
                        LinkCodeRow.used_by.is_(None),
                    )
                    .values(used_by=conversation)
                    .returning(LinkCodeRow.account_no, LinkCodeRow.given_to)
                )
            ).first()
            if found is None:
                self._record(session, conversation, "wrong", None)
                return WRONG
            before = await session.get(AccountLinkRow, conversation)
            self._record(session, conversation, "bound", found[0], before.account_no if before else None, found[1])
            await session.merge(AccountLinkRow(conversation_id=conversation, account_no=found[0], verified_at=now))
        return BOUND.format(ending=found[0][-4:])

    async def _unbind(self, conversation: int) -> str:
        async with self._database.write() as session:
            gone = await session.scalar(
                delete(AccountLinkRow)
                .where(AccountLinkRow.conversation_id == conversation)
                .returning(AccountLinkRow.account_no)
            )
            if gone is None:
                return NOT_BOUND
            self._record(session, conversation, "unbound", None, gone)
        return UNBOUND.format(ending=gone[-4:])

    def _record(
        self,
        session: AsyncSession,
        conversation: int,
        kind: str,
        account_no: str | None,
        before: str | None = None,
        other: int | None = None,
    ) -> None:
        session.add(
            LinkEventRow(
                conversation_id=conversation,
                kind=kind,
                account_no=account_no,
                before=before,
                other_conversation=other,
                at=self._clock(),
            )
        )


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _say(text: str) -> Turn:
    return Turn((Outbound(text),))
