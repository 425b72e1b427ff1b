"""Bulk changes 批量, split 拆分 and link 关联: previewed, undone within 30 s, with every ticket's history kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot.bell import Bell
from bot.database import Base, Database, UtcDateTime
from triage.calendar import SHANGHAI
from triage.history import History
from triage.queue import TicketQueue
from triage.ticket import IllegalMove, QueueError, Status, TicketRow

UNDO_WITHIN = timedelta(seconds=30)
MOST = 500
RESTORED = ("status", "assignee", "team", "category", "priority", "priority_locked", "merged_into", "ages_at",
            "escalate_at", "text")  # fmt: skip
ACTIONS = ("transfer", "priority", "category", "merge")


class UndoRow(Base):
    """What a change did, so that it can be taken back: the fields of before and the versions it left."""

    __tablename__ = "undo"
    token: Mapped[str] = mapped_column(String(32), primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    before: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LinkRow(Base):
    """关联: two tickets that belong together; stored once, the lower id first."""

    __tablename__ = "ticket_link"
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)


@dataclass(frozen=True)
class Effect:
    """What happens, or would happen, to one ticket: `refused` says why nothing does."""

    id: int
    number: str
    change: str
    refused: str | None = None


@dataclass(frozen=True)
class Done:
    """What was changed, and the token that takes it back; None when nothing was."""

    effects: Sequence[Effect]
    undo: str | None


class Bulk:
    """Changes many tickets at once; each is its own transaction, so one that refuses does not hold up the others."""

    def __init__(self, database: Database, queue: TicketQueue, bell: Bell, now: Callable[[], datetime]) -> None:
        """`queue` makes the changes."""
        self._database = database
        self._queue = queue
        self._history = History(bell, now)
        self._now = now

    async def preview(self, ids: Sequence[int], action: str, arguments: Mapping[str, Any]) -> Sequence[Effect]:
        """What `run` would do; raises `IllegalMove` for an unknown action or too many tickets."""
        _check(ids, action)
        async with self._database.survey() as session:
            rows = {row.id: row for row in await session.scalars(select(TicketRow).where(TicketRow.id.in_(ids)))}
        effects = []
        for id in dict.fromkeys(ids):
            row = rows.get(id)
            refused = None
            if row is None:
                refused = f"没有工单 {id}"
            elif row.status in (Status.RESOLVED, Status.CLOSED):
                refused = "工单已办结，请先重开"
            elif action == "merge" and id == arguments.get("into"):
                refused = "不能合并到自己"
            effects.append(Effect(id, row.number if row else "", _words(action, row, arguments), refused))
        return effects

    async def run(self, ids: Sequence[int], action: str, arguments: Mapping[str, Any], agent: str) -> Done:
        """Do it; `action` is transfer, priority, category or merge, with the arguments of the single change."""
        _check(ids, action)
        effects, before = [], []
        if action == "merge":
            before += await self._fields([int(arguments["into"])])
        for id in dict.fromkeys(ids):
            fields = await self._fields([id])
            change = _words(action, None, arguments)
            try:
                row = await self._one(id, action, arguments, agent)
            except QueueError as refusal:
                number = fields[0]["number"] if fields else ""
                effects.append(Effect(id, number, change, str(refusal)))
                continue
            before.append({**fields[0], "left": row.version})
            effects.append(Effect(id, row.number, change))
        changed = [effect for effect in effects if effect.refused is None]
        if action == "merge" and changed:
            before[0]["left"] = (await self._fields([before[0]["id"]]))[0]["version"]
        elif action == "merge":
            before = []
        return Done(effects, await self._remember(agent, action, before) if changed else None)

    async def split(self, id: int, agent: str, text: str, category: str, version: int | None = None) -> Done:
        """拆分: a matter of its own out of a ticket becomes a new one in the same conversation, linked to the first."""
        async with self._database.write() as session:
            row = await self._history.open_ticket(session, id, version)
            made = await self._queue.split_off(session, row, agent, text, category)
            await _link(session, row.id, made.id)
            effects = [Effect(row.id, row.number, f"拆分出 {made.number}"), Effect(made.id, made.number, "新工单")]
            token = self._keep(session, agent, "split", [{"id": made.id, "number": made.number, "left": made.version}])
        return Done(effects, token)

    async def link(self, id: int, other: int, agent: str) -> None:
        """关联 two tickets; both histories say so. Raises `NoTicket`, or `IllegalMove` for itself."""
        if id == other:
            raise IllegalMove("不能关联到自己")
        async with self._database.write() as session:
            first, second = await self._history.locked(session, id), await self._history.locked(session, other)
            if await _link(session, id, other):
                self._history.remark(session, first, "linked", agent, {"number": second.number})
                self._history.remark(session, second, "linked", agent, {"number": first.number})

    async def links(self, id: int) -> Sequence[TicketRow]:
        """Tickets linked to this one."""
        async with self._database.survey() as session:
            pairs = await session.scalars(select(LinkRow).where(or_(LinkRow.ticket_id == id, LinkRow.other_id == id)))
            ids = [pair.other_id if pair.ticket_id == id else pair.ticket_id for pair in pairs]
            return list(await session.scalars(select(TicketRow).where(TicketRow.id.in_(ids)).order_by(TicketRow.id)))

    async def undo(self, token: str, agent: str) -> Sequence[Effect]:
        """Take a change back within 30 s; a ticket that was changed since is left as it is and named.

        Raises `IllegalMove` for a token that is unknown, used, too old or another agent's.
        """
        now, effects = self._now(), []
        async with self._database.write() as session:
            kept = await session.get(UndoRow, token, with_for_update=True)
            if kept is None or kept.username != agent or kept.undone_at is not None:
                raise IllegalMove("没有可以撤销的操作")
            if now - kept.made_at > UNDO_WITHIN:
                raise IllegalMove("超过30秒，不能撤销了")
            kept.undone_at = now
            for fields in kept.before:
                row = await self._history.locked(session, fields["id"])
                if row.version != fields["left"]:
                    effects.append(Effect(row.id, row.number, "撤销", "之后又有改动，未撤销"))
                    continue
                await self._restore(session, row, kept.kind, fields, agent)
                effects.append(Effect(row.id, row.number, "撤销"))
        return effects

    async def _restore(
        self, session: AsyncSession, row: TicketRow, kind: str, fields: Mapping[str, Any], agent: str
    ) -> None:
        if kind == "split":
            row.status, row.ages_at = Status.CLOSED, None
            await self._queue.stop_clocks(session, row)
        else:
            for name in RESTORED:
                value = fields[name]
                if name.endswith("_at") and value is not None:
                    value = datetime.fromisoformat(value)
                setattr(row, name, value)
            await self._queue.restored(session, row)
        self._history.record(session, row, "undone", agent, {"change": kind})

    async def _one(self, id: int, action: str, arguments: Mapping[str, Any], agent: str) -> TicketRow:
        match action:
            case "transfer":
                return await self._queue.transfer(
                    id, agent, arguments.get("note", ""), team=arguments.get("team"),
                    assignee=arguments.get("assignee"),
                )  # fmt: skip
            case "priority":
                return await self._queue.set_priority(id, agent, arguments["priority"], arguments.get("reason", "批量"))
            case "category":
                return await self._queue.set_category(id, agent, arguments["category"])
            case _:
                return await self._queue.merge(id, agent, int(arguments["into"]))

    async def _fields(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        async with self._database.survey() as session:
            rows = await session.scalars(select(TicketRow).where(TicketRow.id.in_(ids)))
            return [
                {
                    "id": row.id, "number": row.number, "version": row.version,
                    **{name: _plain(getattr(row, name)) for name in RESTORED},
                }
                for row in rows
            ]  # fmt: skip

    async def _remember(self, agent: str, kind: str, before: list[dict[str, Any]]) -> str:
        async with self._database.write() as session:
            return self._keep(session, agent, kind, before)

    def _keep(self, session: AsyncSession, agent: str, kind: str, before: list[dict[str, Any]]) -> str:
        token = secrets.token_hex(16)
        session.add(UndoRow(token=token, username=agent, kind=kind, before=before, made_at=self._now()))
        return token


async def _link(session: AsyncSession, id: int, other: int) -> bool:
    pair = (min(id, other), max(id, other))
    if await session.get(LinkRow, pair) is not None:
        return False
    session.add(LinkRow(ticket_id=pair[0], other_id=pair[1]))
    return True


def _check(ids: Sequence[int], action: str) -> None:
    if action not in ACTIONS:
        raise IllegalMove(f"没有“{action}”这种批量操作")
    if not ids or len(ids) > MOST:
        raise IllegalMove(f"一次可以改1到{MOST}张工单")


def _words(action: str, row: TicketRow | None, arguments: Mapping[str, Any]) -> str:
    match action:
        case "transfer":
            return f"转派给 {arguments.get('team') or arguments.get('assignee')}"
        case "priority":
            before = f"{row.priority} → " if row is not None else ""
            return f"优先级 {before}{arguments.get('priority')}"
        case "category":
            before = f"{row.category} → " if row is not None else ""
            return f"类别 {before}{arguments.get('category')}"
        case _:
            return f"合并到 {arguments.get('into')}"


def _plain(value: Any) -> Any:
    return value.astimezone(SHANGHAI).isoformat() if isinstance(value, datetime) else value
