"""Engine, transactions, the UTC type, and the tables contact, conversation and message."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, String, Text, UniqueConstraint, event, select
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator
from sqlalchemy.util import await_only

from bot import in_loop

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS, LOCKED_FOR, LOOK_AGAIN = 50, 30.0, 0.02


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; a naive one is refused with `ValueError`."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC on the way in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Name the zone again, which SQLite forgets."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Base(DeclarativeBase):
    """Root of every table."""


class ContactRow(Base):
    """客户: one person at one door."""

    __tablename__ = "contact"
    __table_args__ = (UniqueConstraint("channel", "sender"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(32))
    sender: Mapped[str] = mapped_column(String(128))


class ConversationRow(Base):
    """会话: `owner_token` grows whenever the owner changes, `last_seq` with every message."""

    __tablename__ = "conversation"
    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), unique=True)
    owner: Mapped[str] = mapped_column(String(8), default="bot")
    owner_token: Mapped[int] = mapped_column(default=0)
    last_seq: Mapped[int] = mapped_column(default=0)


class MessageRow(Base):
    """消息: `inbound_id` is the channel's own id; `answered` is False until a customer's message had its turn.

    `delivery` is a `bot.message.Delivery`; `delivery_due` is when to try (again), or until when someone is trying;
    `delivery_tries` of a customer's own message counts how often the platform gave it to us and `response` what a
    door without push answered. `answers` is the seq of the message a bot's reply answers; `original` the text before
    edits.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        UniqueConstraint("conversation_id", "inbound_id"),
        Index("ix_message_delivery", "delivery", "delivery_due"),
        Index("ix_message_answered", "answered"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    seq: Mapped[int]
    speaker: Mapped[str] = mapped_column(String(8))
    text: Mapped[str] = mapped_column(Text)
    buttons: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    card: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    inbound_id: Mapped[str | None] = mapped_column(String(128))
    payload: Mapped[str | None] = mapped_column(String(512))
    answered: Mapped[bool] = mapped_column(default=True)
    attachments: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    platform_id: Mapped[str | None] = mapped_column(String(64))
    original: Mapped[str | None] = mapped_column(Text)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answers: Mapped[int | None]
    response: Mapped[str | None] = mapped_column(Text)
    delivery: Mapped[str] = mapped_column(String(12), default="none")
    delivery_parts: Mapped[int] = mapped_column(default=0)
    delivery_tries: Mapped[int] = mapped_column(default=0)
    delivery_due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivery_error: Mapped[str | None] = mapped_column(String(256))


class Database:
    """One database by its SQLAlchemy URL: `sqlite+aiosqlite:///path` or `postgresql+…://…` (psycopg is used)."""

    def __init__(self, url: str) -> None:
        """Open the engine; nothing is created until `migrate`. Raises `ValueError` for another kind of database."""
        parsed = make_url(url)
        match parsed.get_backend_name():
            case "sqlite":
                self._engine, self._surveys = (_sqlite(parsed, driver) for driver in (in_loop.DRIVER, "aiosqlite"))
            case "postgresql":
                self._engine = create_async_engine(
                    parsed.set(drivername="postgresql+psycopg"), pool_size=10, max_overflow=20, pool_pre_ping=True
                )
                self._surveys = self._engine
            case other:
                raise ValueError(f"database {other!r} is not supported: use sqlite or postgresql")
        self._writer = self._engine.execution_options(write=True)
        # SQLite has one writer and lets those who wait for it starve; here they take turns
        self._turns = asyncio.Lock() if parsed.get_backend_name() == "sqlite" else nullcontext()

    async def migrate(self) -> None:
        """Bring the schema to the newest version."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["url"] = self._engine.url
        await asyncio.to_thread(command.upgrade, config, "head")

    async def ping(self) -> None:
        """Raise if the database does not answer."""
        async with self.read() as session:
            await session.execute(select(1))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that only looks, at a few rows."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def survey(self) -> AsyncIterator[AsyncSession]:
        """A session that only looks, at so many rows that nobody else should have to wait for it."""
        async with AsyncSession(self._surveys, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction: committed on leaving, rolled back on an error."""
        async with (
            self._turns,
            AsyncSession(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    async def close(self) -> None:
        """Give every connection back."""
        for engine in {self._engine, self._surveys}:
            await engine.dispose()


def after_commit(session: AsyncSession, call: Callable[[], None]) -> None:
    """Run `call` once the session's transaction is committed; never if it is rolled back."""
    event.listen(session.sync_session, "after_commit", lambda _: call(), once=True)


def _sqlite(url: URL, driver: str) -> AsyncEngine:
    engine = create_async_engine(url.set(drivername=f"sqlite+{driver}"), connect_args={"timeout": LOCKED_FOR})
    event.listen(engine.sync_engine, "connect", _configure_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that later writes can fail with "database is locked" at once; an immediate one waits.
    # past the engine's own book-keeping, which costs more than the statement
    cursor: Any = connection.connection.cursor()
    if not connection.get_execution_options().get("write", False):
        cursor.execute("BEGIN")
        cursor.close()
        return
    until = time.monotonic() + LOCKED_FOR
    while True:
        try:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.close()
            return
        except sqlite3.OperationalError as error:
            # another process writes: the loop goes on meanwhile
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            await_only(asyncio.sleep(LOOK_AGAIN))
