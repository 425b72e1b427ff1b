"""Who works at the desk: users, passwords, tokens."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, Database

LASTS = 12 * 3600
WRONG_TRIES = 5
PAUSE = 60.0
LIVE_LASTS = 60


class Role(StrEnum):
    """What a user may do: an agent works tickets, a supervisor sees to them, a trainer to the models."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    TRAINER = "trainer"
    ADMIN = "admin"


class DeskUserRow(Base):
    """A person at the desk."""

    __tablename__ = "desk_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    role: Mapped[str] = mapped_column(String(16))
    team: Mapped[str | None] = mapped_column(String(32))
    active: Mapped[bool] = mapped_column(default=True)


@dataclass(frozen=True)
class User:
    """Who asks."""

    username: str
    role: Role
    team: str | None


class NotAllowed(Exception):
    """Wrong password, unknown or expired token; the message is for the person, in Chinese."""


class Users:
    """Logs people in and reads their tokens."""

    def __init__(self, database: Database, secret_key: str) -> None:
        """`secret_key` signs the tokens."""
        self._database = database
        self._signer = URLSafeTimedSerializer(secret_key, salt="desk")
        self._live_signer = URLSafeTimedSerializer(secret_key, salt="desk-live")
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_hex(8))
        self._wrong: dict[str, tuple[int, float]] = {}

    async def ensure_admin(self, password: str | None, tell: Callable[[str], None]) -> None:
        """Make the first user `admin`; a password that was made up is told once, a given one replaces the old."""
        async with self._database.write() as session:
            row = await session.scalar(select(DeskUserRow).where(DeskUserRow.username == "admin"))
            if row is None:
                chosen = password or secrets.token_urlsafe(9)
                session.add(
                    DeskUserRow(username="admin", password_hash=self._hasher.hash(chosen), role=Role.ADMIN, active=True)
                )
                if password is None:
                    tell(f"The desk's first user is admin, password {chosen} (shown only this once)")
            elif password is not None and not self._matches(row.password_hash, password):
                row.password_hash = self._hasher.hash(password)

    async def add(self, username: str, password: str, role: Role, team: str | None) -> None:
        """Add a user; raises `NotAllowed` when the name is taken or the password too short."""
        if len(password) < 8:
            raise NotAllowed("密码至少8位")
        async with self._database.write() as session:
            if await session.scalar(select(DeskUserRow.id).where(DeskUserRow.username == username)):
                raise NotAllowed("用户名已存在")
            session.add(
                DeskUserRow(
                    username=username, password_hash=self._hasher.hash(password), role=role, team=team, active=True
                )
            )

    async def login(self, username: str, password: str, address: str) -> str:
        """A token for 12 hours; raises `NotAllowed`. Five wrong tries pause that name and address for a minute."""
        key = f"{username}@{address}"
        wrong, since = self._wrong.get(key, (0, 0.0))
        if wrong >= WRONG_TRIES and time.monotonic() - since < PAUSE:
            raise NotAllowed("尝试次数过多，请一分钟后再试")
        async with self._database.read() as session:
            row = await session.scalar(select(DeskUserRow).where(DeskUserRow.username == username))
        hashed = row.password_hash if row is not None and row.active else self._nobody
        if not await asyncio.to_thread(self._matches, hashed, password) or row is None:
            self._wrong[key] = (wrong + 1, time.monotonic())
            raise NotAllowed("用户名或密码不对")
        self._wrong.pop(key, None)
        return self._signer.dumps(username)

    async def user(self, token: str) -> User:
        """Whose token this is; raises `NotAllowed`."""
        return await self._user(self._signer, token, LASTS)

    def live_ticket(self, user: User) -> str:
        """A pass of one minute for opening the live stream, fit for a URL."""
        return self._live_signer.dumps(user.username)

    async def live_user(self, ticket: str) -> User:
        """Whose pass this is; raises `NotAllowed`."""
        return await self._user(self._live_signer, ticket, LIVE_LASTS)

    async def _user(self, signer: URLSafeTimedSerializer, token: str, lasts: int) -> User:
        try:
            username = signer.loads(token, max_age=lasts)
        except BadSignature as error:
            raise NotAllowed("请重新登录") from error
        async with self._database.read() as session:
            row = await session.scalar(select(DeskUserRow).where(DeskUserRow.username == username))
        if row is None or not row.active:
            raise NotAllowed("用户已停用")
        return User(row.username, Role(row.role), row.team)

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except VerificationError:
            return False
