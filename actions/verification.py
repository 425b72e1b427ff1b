"""Verification 身份核验: which account a contact may see; kept in our database, never in Rasa's slots.

Account number plus the last four digits of the phone on the account. Five wrong tries lock the contact out for
30 minutes; a wrong number and an unknown account are answered alike.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column

from actions.systems import BillingSystem
from bot.database import Base, Database, UtcDateTime

TRIES = 5
LOCK = timedelta(minutes=30)


class AccountLinkRow(Base):
    """The account a conversation was verified for."""

    __tablename__ = "account_link"
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), primary_key=True, autoincrement=False)
    account_no: Mapped[str] = mapped_column(String(32))
    verified_at: Mapped[datetime] = mapped_column(UtcDateTime)


class VerificationLockRow(Base):
    """Wrong tries since the last success or lock, and until when the contact is locked out."""

    __tablename__ = "verification_lock"
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), primary_key=True, autoincrement=False)
    wrong: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Verified:
    """The contact may see this account."""

    account_no: str


@dataclass(frozen=True)
class Refused:
    """The pair did not match; `left` tries remain."""

    left: int


@dataclass(frozen=True)
class Locked:
    """No try counts before `until` (aware)."""

    until: datetime


class Verification:
    """Checks, counts and remembers."""

    def __init__(self, database: Database, billing: BillingSystem, clock: Callable[[], datetime]) -> None:
        """`clock` gives the aware present."""
        self._database = database
        self._billing = billing
        self._clock = clock

    async def account(self, conversation: int) -> str | None:
        """The verified account number of a conversation, or None."""
        async with self._database.read() as session:
            wanted = select(AccountLinkRow.account_no).where(AccountLinkRow.conversation_id == conversation)
            found: str | None = await session.scalar(wanted)
            return found

    async def locked(self, conversation: int) -> Locked | None:
        """The lock that holds now, or None."""
        async with self._database.read() as session:
            wanted = select(VerificationLockRow.locked_until).where(VerificationLockRow.conversation_id == conversation)
            until = await session.scalar(wanted)
        return Locked(until) if until is not None and until > self._clock() else None

    async def verify(self, conversation: int, account_no: str, last_four: str) -> Verified | Refused | Locked:
        """Try once; raises `SystemUnavailable`, which costs no try."""
        if (lock := await self.locked(conversation)) is not None:
            return lock
        account = await self._billing.account(account_no)
        expected = account.phone[-4:] if account is not None else ""
        matches = hmac.compare_digest(expected.encode(), last_four.encode())
        now = self._clock()
        async with self._database.write() as session:
            row = await session.get(VerificationLockRow, conversation, with_for_update=True)
            if row is None:
                row = VerificationLockRow(conversation_id=conversation, wrong=0)
                session.add(row)
            if row.locked_until is not None and row.locked_until > now:
                return Locked(row.locked_until)
            if matches:
                row.wrong, row.locked_until = 0, None
                await session.merge(
                    AccountLinkRow(conversation_id=conversation, account_no=account_no, verified_at=now)
                )
                return Verified(account_no)
            row.wrong += 1
            if row.wrong >= TRIES:
                row.wrong, row.locked_until = 0, now + LOCK
                return Locked(now + LOCK)
            return Refused(TRIES - row.wrong)
