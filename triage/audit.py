"""The audit trail 审计: a row for every write and every reveal of masked data, each sealed with the one before it.

`python -m triage.audit` verifies the chain of the configured database: exit code 1 names the first broken row.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, String, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, Database, UtcDateTime
from bot.settings import Settings

BATCH = 1000


class AuditRow(Base):
    """Who did what to what, when; `hash` covers the row and the hash before it."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64), index=True)
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(128))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    hash: Mapped[str] = mapped_column(String(64))


class AuditHeadRow(Base):
    """The chain's length and last hash, in one row that every append locks; a cut-off tail shows against it."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    length: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))


class Audit:
    """Adds to the chain and reads it."""

    def __init__(self, database: Database) -> None:
        """Any number of processes may add at once."""
        self._database = database

    async def add(self, actor: str, action: str, target: str, detail: Mapping[str, Any]) -> None:
        """Seal one more row, in a transaction of its own."""
        async with self._database.write() as session:
            await append(session, actor, action, target, detail)

    async def page(self, before: int | None, limit: int, actor: str | None = None) -> Sequence[AuditRow]:
        """The newest rows with an id below `before`."""
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditRow.id < before)
        if actor is not None:
            query = query.where(AuditRow.actor == actor)
        async with self._database.survey() as session:
            return list(await session.scalars(query))

    async def verify(self) -> str | None:
        """None when the chain is whole, otherwise what is wrong with which row."""
        last, number = "", 0
        async with self._database.survey() as session:
            while True:
                rows = list(
                    await session.scalars(
                        select(AuditRow).where(AuditRow.id > number).order_by(AuditRow.id).limit(BATCH)
                    )
                )
                for row in rows:
                    if row.id != number + 1:
                        return f"row {number + 1} is missing"
                    if row.hash != seal(last, row):
                        return f"row {row.id} was changed"
                    last, number = row.hash, row.id
                if len(rows) < BATCH:
                    break
            head = await session.get_one(AuditHeadRow, 1)
        if (head.length, head.hash) != (number, last):
            return f"rows after {number} are missing: the chain had {head.length}"
        return None


async def append(session: AsyncSession, actor: str, action: str, target: str, detail: Mapping[str, Any]) -> None:
    """Seal one more row in the caller's transaction."""
    length, last = (
        await session.execute(
            # the update locks the head, so that appends follow one another
            update(AuditHeadRow)
            .where(AuditHeadRow.id == 1)
            .values(length=AuditHeadRow.length + 1)
            .returning(AuditHeadRow.length, AuditHeadRow.hash)
            .execution_options(synchronize_session=False)
        )
    ).one()
    row = AuditRow(
        id=length, at=datetime.now(UTC), actor=actor, action=action[:64], target=target[:128], detail=dict(detail)
    )
    row.hash = seal(last, row)
    session.add(row)
    await session.execute(
        update(AuditHeadRow)
        .where(AuditHeadRow.id == 1)
        .values(hash=row.hash)
        .execution_options(synchronize_session=False)
    )


def seal(previous: str, row: AuditRow) -> str:
    """SHA-256 over the hash before and the row's own words."""
    words = [previous, row.id, row.at.isoformat(), row.actor, row.action, row.target, row.detail]
    return hashlib.sha256(json.dumps(words, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


async def _main() -> int:
    database = Database(Settings.read().database_url)
    try:
        wrong = await Audit(database).verify()
    finally:
        await database.close()
    print(f"The audit trail is broken: {wrong}" if wrong else "The audit trail is whole")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
