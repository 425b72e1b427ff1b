"""Answers 答案: a trainer proposes, a second one approves, and on its date the change is in the files.

Rasa and the actions read the files again within a second (`bot.dialogue.responses`), so a response changes without a
training, a restart or a dropped turn. Synonyms and dictionary words belong to what a model was trained on: they are
written on their date and understood from the next training on. A change keeps the content it was proposed on; where
the file says something else by then, it is not written but marked stale.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, Database, UtcDateTime
from bot.message import Button, Outbound
from nlu_data import DataError
from nlu_data.files import Busy, changing
from triage.trainer.answer_source import Content, Source, Unfit, filled

LOOK_EVERY = 2.0
LONGEST_WHY = 200
Preview = Callable[[Outbound], Sequence[Mapping[str, Any]]]
"""From a message to what a channel shows of it: pieces {text, buttons: [title]}."""

log = logging.getLogger(__name__)


class State(StrEnum):
    """PROPOSED and APPROVED are open; WRITING is on its way into the files; STALE: the file had changed meanwhile."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    WRITING = "writing"
    APPLIED = "applied"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    STALE = "stale"


OPEN = (State.PROPOSED, State.APPROVED, State.WRITING)


class NoChange(LookupError):
    """There is no such change or entry."""


class NotNow(ValueError):
    """The change is in another state, or this user may not do it; the message says which."""


class ChangeRow(Base):
    """修改: `base` is what the file said when it was proposed, `content` what it shall say; None is no entry."""

    __tablename__ = "answer_change"
    __table_args__ = (Index("ix_answer_change_due", "state", "effective_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(80), index=True)
    base: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    why: Mapped[str] = mapped_column(String(LONGEST_WHY))
    state: Mapped[str] = mapped_column(String(12))
    proposer: Mapped[str] = mapped_column(String(64))
    approver: Mapped[str | None] = mapped_column(String(64))
    effective_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ChangeEventRow(Base):
    """What happened to a change, append-only."""

    __tablename__ = "answer_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    change_id: Mapped[int] = mapped_column(ForeignKey("answer_change.id"), index=True)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(12))
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Answers:
    """Proposals, approvals, and their way into the files."""

    def __init__(
        self, database: Database, sources: Mapping[str, Source], previews: Mapping[str, Preview],
        now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        """`sources` by kind of change, `previews` by channel; `now` is the aware present."""
        self._database = database
        self.sources = sources
        self._previews = previews
        self._now = now

    def entry(self, kind: str, name: str) -> Content:
        """What the files say now; None for a word that is not there. Raises `NoChange` for an unknown kind."""
        return self._source(kind).read().get(name)

    def check(self, kind: str, name: str, content: Content) -> None:
        """Raise `Unfit` for a content that may not be proposed, `NoChange` for an unknown kind."""
        source = self._source(kind)
        everything = source.read()
        old = everything.get(name)
        if content == old:
            raise Unfit("和现在的内容一样，没有要改的")
        source.check(name, old, content, everything)

    def preview(self, content: Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, Any]]]:
        """How a response looks in each channel, with examples in place of variables."""
        buttons = tuple(Button(filled(str(b["title"])), str(b["payload"])) for b in content.get("buttons") or ())
        message = Outbound(filled(str(content["text"])), buttons)
        return {channel: show(message) for channel, show in self._previews.items()}

    def diff(self, kind: str, old: Content, new: Content) -> list[tuple[str, str]]:
        """Pieces of both, in order: ("=" kept, "-" gone, "+" come; text)."""
        source = self._source(kind)
        before, after = source.shown(old), source.shown(new)
        pieces: list[tuple[str, str]] = []
        for tag, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if tag == "equal":
                pieces.append(("=", before[a:b]))
                continue
            pieces += [(sign, text) for sign, text in (("-", before[a:b]), ("+", after[c:d])) if text]
        return pieces

    async def propose(
        self, actor: str, kind: str, name: str, content: Content, why: str, effective_at: datetime
    ) -> ChangeRow:
        """Ask for a change; raises `Unfit`, `NoChange`, or `NotNow` when one of the same entry is open."""
        await asyncio.to_thread(self.check, kind, name, content)
        if not why.strip() or len(why) > LONGEST_WHY:
            raise Unfit(f"请写明为什么改，不超过{LONGEST_WHY}个字")
        base = await asyncio.to_thread(self.entry, kind, name)
        async with self._database.write() as session:
            same = select(ChangeRow).where(ChangeRow.kind == kind, ChangeRow.name == name, ChangeRow.state.in_(OPEN))
            if (other := await session.scalar(same.limit(1))) is not None:
                raise NotNow(f"{other.proposer} 已经提了修改（第{other.id}号），先处理完再提")
            row = ChangeRow(
                kind=kind, name=name, base=_plain(base), content=_plain(content), why=why.strip(),
                state=State.PROPOSED, proposer=actor, effective_at=max(effective_at, self._now()),
                created_at=self._now(),
            )  # fmt: skip
            session.add(row)
            await session.flush()
            self._record(session, row, actor, "propose", row.why)
        return row

    async def approve(self, actor: str, change: int) -> ChangeRow:
        """A second person agrees; raises `NoChange`, and `NotNow` for the proposer or what is no longer proposed."""
        async with self._database.read() as session:
            wanted = await self._open(session, change, State.PROPOSED)
        now = await asyncio.to_thread(self.entry, wanted.kind, wanted.name)
        async with self._database.write() as session:
            row = await self._open(session, change, State.PROPOSED)
            if row.proposer == actor:
                raise NotNow("不能批准自己提的修改，请让另一位训练师看")
            if now != row.base:
                self._close(session, row, "system", State.STALE, "提出以后内容已被改过")
            else:
                row.state, row.approver = State.APPROVED, actor
                self._record(session, row, actor, "approve", "")
        if row.state == State.STALE:
            raise NotNow("提出以后内容已被改过，请在新的内容上重新提")
        return row

    async def reject(self, actor: str, change: int, why: str) -> ChangeRow:
        """Turn a proposal down with a reason; raises `NoChange`, `NotNow`, and `Unfit` without a reason."""
        if not why.strip():
            raise Unfit("请写明为什么退回")
        async with self._database.write() as session:
            row = await self._open(session, change, State.PROPOSED)
            self._close(session, row, actor, State.REJECTED, why.strip()[:LONGEST_WHY])
        return row

    async def withdraw(self, actor: str, change: int) -> ChangeRow:
        """The proposer or the approver takes an open change back before it is applied."""
        async with self._database.write() as session:
            row = await self._open(session, change, State.PROPOSED, State.APPROVED)
            if actor not in (row.proposer, row.approver):
                raise NotNow("只有提出或批准的人可以撤回")
            self._close(session, row, actor, State.WITHDRAWN, "")
        return row

    async def apply_due(self) -> int:
        """Write what is approved and due into the files; returns how many. What was left half-way is done again."""
        due = (ChangeRow.state.in_((State.APPROVED, State.WRITING)), ChangeRow.effective_at <= self._now())
        async with self._database.read() as session:
            if await session.scalar(select(ChangeRow.id).where(*due).limit(1)) is None:
                return 0
        async with self._database.write() as session:
            rows = list(await session.scalars(select(ChangeRow).where(*due).order_by(ChangeRow.id).with_for_update()))
            for row in rows:
                row.state = State.WRITING
        applied = 0
        for row in rows:
            # no transaction is open while files are written: a turn never waits for them
            state, note = State.APPLIED, ""
            try:
                await asyncio.to_thread(self._write, row)
            except (DataError, NotNow) as error:
                state, note = State.STALE, str(error)
                log.warning("change %d of %s was not written: %s", row.id, row.name, error)
            async with self._database.write() as session:
                found = await session.get_one(ChangeRow, row.id, with_for_update=True)
                if found.state == State.WRITING:
                    self._close(session, found, "system", state, note)
                    applied += state is State.APPLIED
        return applied

    async def run(self) -> None:
        """Look every few seconds until cancelled; any number of processes may."""
        while True:
            try:
                await self.apply_due()
            except Busy as error:
                log.warning("answers wait: %s", error)
            except Exception:
                log.exception("answers could not be applied; the next look tries again")
            await asyncio.sleep(LOOK_EVERY)

    async def changes(self, states: Sequence[str] = (), name: str | None = None, most: int = 200) -> list[ChangeRow]:
        """Changes, newest first."""
        wanted = select(ChangeRow).order_by(ChangeRow.id.desc()).limit(most)
        if states:
            wanted = wanted.where(ChangeRow.state.in_(states))
        if name is not None:
            wanted = wanted.where(ChangeRow.name == name)
        async with self._database.read() as session:
            return list(await session.scalars(wanted))

    async def events(self, changes: Sequence[int]) -> list[ChangeEventRow]:
        """What happened to these changes, oldest first."""
        wanted = select(ChangeEventRow).where(ChangeEventRow.change_id.in_(changes)).order_by(ChangeEventRow.id)
        async with self._database.read() as session:
            return list(await session.scalars(wanted))

    def _write(self, row: ChangeRow) -> None:
        source = self._source(row.kind)
        with changing(source.root) as change:
            now = self.entry(row.kind, row.name)
            if now == row.content:
                return
            if now != row.base:
                raise NotNow("提出以后内容已被改过")
            source.write(change, row.name, row.content)

    def _source(self, kind: str) -> Source:
        if kind not in self.sources:
            raise NoChange(f"没有这一类：{kind}")
        return self.sources[kind]

    async def _open(self, session: AsyncSession, change: int, *states: State) -> ChangeRow:
        row = await session.get(ChangeRow, change, with_for_update=True)
        if row is None:
            raise NoChange(f"没有第{change}号修改")
        if row.state not in states:
            raise NotNow(f"第{change}号修改已经处理过了")
        return row

    def _close(self, session: AsyncSession, row: ChangeRow, actor: str, state: State, note: str) -> None:
        row.state = state
        self._record(session, row, actor, state.value, note)

    def _record(self, session: AsyncSession, row: ChangeRow, actor: str, action: str, note: str) -> None:
        session.add(ChangeEventRow(change_id=row.id, actor=actor, action=action, note=note, at=self._now()))


def _plain(content: Content) -> dict[str, Any] | None:
    return None if content is None else dict(content)
