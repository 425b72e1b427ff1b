"""Usage alerts 用电提醒: set by the verified customer, fired once for each crossing of the threshold."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from sqlalchemy import ForeignKey, String, UniqueConstraint, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from actions.numbers import amount, kwh
from actions.question import Answer, Question
from actions.sentences import Sentences
from actions.speech import SHANGHAI, Clock, local, number
from actions.systems import BillingSystem, SystemUnavailable
from bot.conversation import Conversations
from bot.database import Base, Database, UtcDateTime

BALANCE, MONTH_KWH = "balance", "month_kwh"
UNITS = {BALANCE: "元", MONTH_KWH: "千瓦时"}
NAMES = {BALANCE: "账户余额低于", MONTH_KWH: "当月用电超过"}
HOW = re.compile("怎么|咋|如何|点样|怎样")
ENDING = "取消用电提醒"
CANCEL = re.compile(r"取消|关闭|关掉|关了|删除|不要.{0,4}提醒|停止")

log = logging.getLogger(__name__)


class UsageAlertRow(Base):
    """A threshold of one account; `crossed` until the value is back on the safe side, so that it fires once."""

    __tablename__ = "usage_alert"
    __table_args__ = (UniqueConstraint("conversation_id", "account_no", "kind"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), index=True)
    account_no: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(16))
    threshold: Mapped[str] = mapped_column(String(24))
    crossed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


_BALANCE = re.compile(r"余额\D{0,6}(\d{1,5})(?![\d.])")


def threshold(text: str) -> tuple[str, Decimal] | None:
    """The kind and value a message names: yuan of balance, or kWh of the month; None if it names neither."""
    if (energy := kwh(text)) is not None and energy > 0:
        return MONTH_KWH, energy
    if (money := amount(text)) is not None and money > 0:
        return BALANCE, money
    if (bare := _BALANCE.search(text)) is not None and int(bare[1]) > 0:
        return BALANCE, Decimal(bare[1])
    return None


class Alerts:
    """Sets, cancels and watches."""

    def __init__(
        self, database: Database, billing: BillingSystem, conversations: Conversations, sentences: Sentences,
        clock: Clock,
    ) -> None:  # fmt: skip
        """`clock` tells which month it is."""
        self._database = database
        self._billing = billing
        self._conversations = conversations
        self._sentences = sentences
        self._clock = clock
        self.answers: dict[str, Answer] = {"set_usage_alert": self.answer}

    async def answer(self, asked: Question) -> None:
        """Set the threshold that was named, or cancel all of this account's."""
        assert asked.account_no is not None
        if asked.threshold is None:
            if HOW.search(asked.text):
                asked.say("say_how_to_cancel", [{"title": ENDING, "payload": ENDING}], words=ENDING)
            elif CANCEL.search(asked.text):
                await self._cancel(asked.conversation, asked.account_no)
                asked.say("say_alert_cancelled")
            return
        kind, _, value = asked.threshold.partition(":")
        try:
            limit = Decimal(value)
        except InvalidOperation:
            asked.say("say_threshold_wrong")
            return
        now, as_of = await self._value(asked.account_no, kind)
        crossed = _crossed(kind, now, limit)
        await self._set(asked.conversation, asked.account_no, kind, limit, crossed)
        shown = {"what": NAMES[kind], "value": number(limit), "unit": UNITS[kind], "now": number(now), "as_of": as_of}
        asked.say("say_alert_set_crossed" if crossed else "say_alert_set", (), **shown)

    async def look(self) -> int:
        """One round: fire what has been crossed since the last; returns how many alerts were sent."""
        async with self._database.read() as session:
            rows: Sequence[UsageAlertRow] = list(await session.scalars(select(UsageAlertRow)))
        sent = 0
        for row in rows:
            try:
                now, as_of = await self._value(row.account_no, row.kind)
            except SystemUnavailable as failure:
                log.info("alert %s waits: %s", row.id, failure)
                continue
            crossed = _crossed(row.kind, now, Decimal(row.threshold))
            if crossed != row.crossed:
                sent += await self._turn(row, crossed, now, as_of)
        return sent

    async def _turn(self, row: UsageAlertRow, crossed: bool, now: Decimal, as_of: str) -> bool:
        async with self._database.write() as session:
            changed = await session.scalar(
                update(UsageAlertRow)
                .where(UsageAlertRow.id == row.id, UsageAlertRow.crossed.is_(not crossed))
                .values(crossed=crossed)
                .returning(UsageAlertRow.id)
                .execution_options(synchronize_session=False)
            )
            if changed is None or not crossed:
                return False
            values = {"what": NAMES[row.kind], "value": number(Decimal(row.threshold)), "unit": UNITS[row.kind]}
            notice = self._sentences.fill("say_alert_fired", **values, now=number(now), as_of=as_of)
            await self._conversations.notify(session, row.conversation_id, notice)
            return True

    async def _value(self, account_no: str, kind: str) -> tuple[Decimal, str]:
        if kind == BALANCE:
            account = await self._billing.account(account_no)
            if account is None:
                raise SystemUnavailable("营销系统", "a verified account is unknown")
            return account.balance, local(account.as_of)
        today = self._clock().astimezone(SHANGHAI).date()
        days = await self._billing.usage(account_no, date(today.year, today.month, 1), today)
        until = f"{days[0].date.month}月{days[0].date.day}日" if days else f"{today.month}月{today.day}日"
        return sum((day.kwh for day in days), Decimal(0)), until

    async def _set(self, conversation: int, account_no: str, kind: str, limit: Decimal, crossed: bool) -> None:
        async with self._database.write() as session:
            row = await session.scalar(
                select(UsageAlertRow).where(
                    UsageAlertRow.conversation_id == conversation,
                    UsageAlertRow.account_no == account_no,
                    UsageAlertRow.kind == kind,
                )
            )
            if row is None:
                row = UsageAlertRow(
                    conversation_id=conversation, account_no=account_no, kind=kind, created_at=self._clock()
                )
                session.add(row)
            row.threshold, row.crossed = str(limit), crossed

    async def _cancel(self, conversation: int, account_no: str) -> None:
        async with self._database.write() as session:
            await session.execute(
                delete(UsageAlertRow).where(
                    UsageAlertRow.conversation_id == conversation, UsageAlertRow.account_no == account_no
                )
            )


def _crossed(kind: str, now: Decimal, limit: Decimal) -> bool:
    return now < limit if kind == BALANCE else now > limit
