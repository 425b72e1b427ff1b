"""Who works at the desk: users, passwords, and logins that can be revoked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import JSON, ColumnElement, ForeignKey, String, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, Database, UtcDateTime

LASTS = timedelta(hours=12)
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
    """A person at the desk; `skills` are categories (empty: all), `capacity` how many tickets may wait for them."""

    __tablename__ = "desk_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    role: Mapped[str] = mapped_column(String(16))
    team: Mapped[str | None] = mapped_column(String(32))
    skills: Mapped[list[str]] = mapped_column(JSON, default=list)
    capacity: Mapped[int] = mapped_column(default=3)
    active: Mapped[bool] = mapped_column(default=True)


class LoginRow(Base):
    """One login 登录; the token itself is not kept, only its digest."""

    __tablename__ = "desk_login"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("desk_user.id"), index=True)
    address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class User:
    """Who asks; `login` is the id of the login they use, 0 for a pass to the live stream."""

    username: str
    role: Role
    team: str | None
    skills: tuple[str, ...] = ()
    capacity: int = 3
    login: int = 0


class NotAllowed(Exception):
    """Wrong password, unknown or expired token; the message is for the person, in Chinese."""


class Users:
    """Logs people in and out, and reads their tokens."""

    def __init__(self, database: Database, secret_key: str) -> None:
        """`secret_key` signs the passes of the live stream and the CSRF tokens."""
        self._database = database
        self._key = secret_key.encode()
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

    async def add(
        self, username: str, password: str, role: Role, team: str | None, skills: Sequence[str] = (), capacity: int = 3
    ) -> None:
        """Add a user; raises `NotAllowed` when the name is taken or the password too short."""
        if len(password) < 8:
            raise NotAllowed("密码至少8位")
        hashed = await asyncio.to_thread(self._hasher.hash, password)
        async with self._database.write() as session:
            if await session.scalar(select(DeskUserRow.id).where(DeskUserRow.username == username)):
                raise NotAllowed("用户名已存在")
            session.add(
                DeskUserRow(
                    username=username, password_hash=hashed, role=role, team=team, skills=list(skills),
                    capacity=capacity, active=True,
                )
            )  # fmt: skip

    async def change(
        self, username: str, *, role: Role | None = None, team: str | None = None, skills: Sequence[str] | None = None,
        capacity: int | None = None, active: bool | None = None, password: str | None = None,
    ) -> None:  # fmt: skip
        """Change what is given; a new password, a new role or deactivation ends the user's logins.

        Raises `NotAllowed` for an unknown user or a short password.
        """
        if password is not None and len(password) < 8:
            raise NotAllowed("密码至少8位")
        hashed = await asyncio.to_thread(self._hasher.hash, password) if password is not None else None
        async with self._database.write() as session:
            row = await session.scalar(select(DeskUserRow).where(DeskUserRow.username == username))
            if row is None:
                raise NotAllowed("没有这个用户")
            row.role, row.team = role or row.role, team if team is not None else row.team
            row.skills = list(skills) if skills is not None else row.skills
            row.capacity = capacity if capacity is not None else row.capacity
            row.active = active if active is not None else row.active
            row.password_hash = hashed or row.password_hash
            if hashed or role is not None or active is False:
                await self._revoke(session, LoginRow.user_id == row.id)

    async def everyone(self) -> Sequence[DeskUserRow]:
        """All users by name."""
        async with self._database.read() as session:
            return list(await session.scalars(select(DeskUserRow).order_by(DeskUserRow.username)))

    async def logins(self, username: str) -> Sequence[LoginRow]:
        """The user's logins that still count, newest first."""
        async with self._database.read() as session:
            rows = await session.scalars(
                select(LoginRow)
                .join(DeskUserRow, DeskUserRow.id == LoginRow.user_id)
                .where(
                    DeskUserRow.username == username, LoginRow.revoked_at.is_(None),
                    LoginRow.expires_at > datetime.now(UTC),
                )
                .order_by(LoginRow.id.desc())
            )  # fmt: skip
            return list(rows)

    async def revoke(self, id: int, username: str | None = None) -> bool:
        """End a login at once (only if it is `username`'s, when given); False when there is none such."""
        whose = select(DeskUserRow.id).where(DeskUserRow.username == username)
        which = LoginRow.id == id
        if username is not None:
            which = which & LoginRow.user_id.in_(whose)
        async with self._database.write() as session:
            return await self._revoke(session, which)

    def csrf(self, login: int) -> str:
        """What a page that logs in by cookie must send with every write, in `X-CSRF-Token`."""
        return hmac.new(self._key, f"csrf-{login}".encode(), hashlib.sha256).hexdigest()

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
        token, now = secrets.token_urlsafe(32), datetime.now(UTC)
        async with self._database.write() as session:
            session.add(
                LoginRow(
                    digest=_digest(token), user_id=row.id, address=address[:64], created_at=now, expires_at=now + LASTS
                )
            )
        return token

    async def user(self, token: str) -> User:
        """Whose token this is; raises `NotAllowed` when it is unknown, expired or revoked, or its user inactive."""
        async with self._database.read() as session:
            found = (
                await session.execute(
                    select(LoginRow, DeskUserRow)
                    .join(DeskUserRow, DeskUserRow.id == LoginRow.user_id)
                    .where(LoginRow.digest == _digest(token))
                )
            ).first()
        if found is None or found[0].revoked_at is not None or found[0].expires_at < datetime.now(UTC):
            raise NotAllowed("请重新登录")
        return _user(found[1], found[0].id)

    def live_ticket(self, user: User) -> str:
        """A pass of one minute for opening the live stream, fit for a URL."""
        return self._live_signer.dumps(user.username)

    async def live_user(self, ticket: str) -> User:
        """Whose pass this is; raises `NotAllowed`."""
        try:
            username = self._live_signer.loads(ticket, max_age=LIVE_LASTS)
        except BadSignature as error:
            raise NotAllowed("请重新登录") from error
        async with self._database.read() as session:
            row = await session.scalar(select(DeskUserRow).where(DeskUserRow.username == username))
        if row is None:
            raise NotAllowed("请重新登录")
        return _user(row, 0)

    @staticmethod
    async def _revoke(session: AsyncSession, which: ColumnElement[bool]) -> bool:
        done = await session.execute(
            update(LoginRow)
            .where(which, LoginRow.revoked_at.is_(None))
            .values(revoked_at=datetime.now(UTC))
            .returning(LoginRow.id)
        )
        return done.first() is not None

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except VerificationError:
            return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _user(row: DeskUserRow, login: int) -> User:
    if not row.active:
        raise NotAllowed("用户已停用")
    return User(row.username, Role(row.role), row.team, tuple(row.skills), row.capacity, login)
