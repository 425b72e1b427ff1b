"""Logging in and out, users, presence, the audit trail."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from nlu_data.names import names
from triage.assignment import Agent
from triage.desk.access import COOKIE, SUPERVISORS, WORKERS
from triage.desk.auth import LASTS, NotAllowed, Role, User
from triage.desk.parts import Parts
from triage.presence import State


class Login(BaseModel):
    """用户名 and 密码."""

    username: str
    password: str


class NewUser(BaseModel):
    """A user an admin adds; `skills` are categories, empty for all."""

    username: str = Field(min_length=2, max_length=64, pattern=r"^[\w.\-]+$")
    password: str
    role: Role
    team: str | None = None
    skills: list[str] = []
    capacity: int = Field(3, ge=1, le=100)


class UserChange(BaseModel):
    """What an admin may change of a user; what is left out stays."""

    role: Role | None = None
    team: str | None = None
    skills: list[str] | None = None
    capacity: int | None = Field(None, ge=1, le=100)
    active: bool | None = None
    password: str | None = None


class Presence(BaseModel):
    """Sent every 30 s while the page is open; after 90 s of silence the agent counts as gone."""

    state: State
    push: bool = False


def people(parts: Parts) -> APIRouter:
    """`/api/login`, `/api/me`, `/api/users`, `/api/presence`, `/api/audit`."""
    api = APIRouter(route_class=parts.route, tags=["people"])
    users, taxonomy = parts.users, parts.taxonomy
    Me = Annotated[User, Depends(parts.access.user)]
    Worker = Annotated[User, Depends(parts.access.only(*WORKERS))]
    Supervisor = Annotated[User, Depends(parts.access.only(*SUPERVISORS))]
    Admin = Annotated[User, Depends(parts.access.only(Role.ADMIN))]

    @api.post("/login")
    async def login(body: Login, request: Request, response: Response) -> dict[str, str]:
        """A token for 12 hours, in the answer and as a cookie; five wrong tries pause that name for a minute."""
        address = request.client.host if request.client else ""
        try:
            token = await users.login(body.username, body.password, address)
        except NotAllowed as error:
            raise HTTPException(401, str(error)) from error
        user = await users.user(token)
        await parts.audit.add(user.username, "login", request.url.path, {"address": address})
        response.set_cookie(
            COOKIE, token, max_age=int(LASTS.total_seconds()), path="/", httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return {"token": token, "csrf": users.csrf(user.login)}

    @api.post("/logout", status_code=204)
    async def logout(user: Me, response: Response) -> None:
        """End this login at once; the agent goes offline and unanswered tickets flow back."""
        await users.revoke(user.login)
        response.delete_cookie(COOKIE, path="/")
        if len(await users.logins(user.username)) == 0:
            await parts.assignment.present(_agent(user), State.OFFLINE, False)

    @api.get("/me")
    async def me(user: Me) -> dict[str, Any]:
        """Who I am, and the words of the policy: categories, teams, priorities."""
        return {
            "username": user.username,
            "role": user.role,
            "team": user.team,
            "skills": user.skills,
            "capacity": user.capacity,
            "csrf": users.csrf(user.login),
            "categories": {key: category.name for key, category in taxonomy.categories.items()},
            "teams": taxonomy.teams,
            "intents": names().intents,
            "priorities": {key: promise.name for key, promise in taxonomy.priorities.items()},
        }

    @api.get("/logins")
    async def logins(user: Me) -> dict[str, Any]:
        """My logins that still count."""
        rows = await users.logins(user.username)
        return {
            "items": [
                {
                    "id": row.id, "address": row.address, "created_at": row.created_at.isoformat(),
                    "expires_at": row.expires_at.isoformat(), "current": row.id == user.login,
                }
                for row in rows
            ]
        }  # fmt: skip

    @api.delete("/logins/{id}", status_code=204)
    async def revoke(id: int, user: Me) -> None:
        """End one of my logins; an admin may end anybody's."""
        if not await users.revoke(id, None if user.role is Role.ADMIN else user.username):
            raise HTTPException(404, "没有这次登录")

    @api.get("/users")
    async def everyone(user: Supervisor) -> dict[str, Any]:
        """All users, with their presence and load."""
        present = {row.username: (row, load) for row, load in await parts.assignment.agents()}
        items = []
        for one in await users.everyone():
            row, load = present.get(one.username, (None, 0))
            items.append(
                {
                    "username": one.username, "role": one.role, "team": one.team, "skills": one.skills,
                    "capacity": one.capacity, "active": one.active, "state": row.state if row else "offline",
                    "seen_at": row.seen_at.isoformat() if row else None, "load": load,
                }
            )  # fmt: skip
        return {"items": items}

    @api.get("/colleagues")
    async def colleagues(user: Worker) -> dict[str, Any]:
        """Who works tickets, for mentions and transfers: name, team, state."""
        present = {row.username: row for row, _ in await parts.assignment.agents()}
        return {
            "items": [
                {
                    "username": one.username, "team": one.team,
                    "state": present[one.username].state if one.username in present else "offline",
                }
                for one in await users.everyone()
                if one.active and one.role in WORKERS
            ]
        }  # fmt: skip

    @api.post("/users", status_code=201)
    async def add_user(body: NewUser, user: Admin) -> dict[str, str]:
        """Add a user; 409 when the name is taken or the password too short."""
        if body.team is not None and body.team not in taxonomy.teams:
            raise HTTPException(422, f"没有“{body.team}”这个班组")
        try:
            await users.add(body.username, body.password, body.role, body.team, body.skills, body.capacity)
        except NotAllowed as error:
            raise HTTPException(409, str(error)) from error
        return {"username": body.username}

    @api.post("/users/{username}")
    async def change_user(username: str, body: UserChange, user: Admin) -> dict[str, str]:
        """Change a user; a new role or password, or deactivation, ends all their logins at once."""
        try:
            await users.change(username, **body.model_dump())
        except NotAllowed as error:
            raise HTTPException(409, str(error)) from error
        return {"username": username}

    @api.post("/presence")
    async def presence(body: Presence, user: Me, request: Request) -> dict[str, Any]:
        """Heartbeat and state; going offline gives unanswered tickets back at once, coming online gets the oldest due.

        `push`: tickets are handed to me without asking, up to my capacity.
        """
        request.state.unaudited = True
        if user.role is Role.TRAINER:
            raise HTTPException(403, "您没有这项权限")
        row = await parts.assignment.present(_agent(user), body.state, body.push)
        if body.push and body.state is State.ONLINE:
            await parts.assignment.push()
        return {"state": row.state, "push": row.push}

    @api.get("/audit")
    async def audit(
        user: Admin, before: int | None = None, actor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
    ) -> dict[str, Any]:  # fmt: skip
        """The audit trail, newest first; `before` continues."""
        rows = await parts.audit.page(before, limit, actor)
        return {
            "items": [
                {
                    "id": row.id, "at": row.at.isoformat(), "actor": row.actor, "action": row.action,
                    "target": row.target, "detail": row.detail, "hash": row.hash,
                }
                for row in rows
            ],
            "next_cursor": rows[-1].id if len(rows) == limit else None,
        }  # fmt: skip

    @api.get("/audit/verify")
    async def verify(user: Admin) -> dict[str, Any]:
        """Is the chain whole; `wrong` names the first broken row."""
        wrong = await parts.audit.verify()
        return {"whole": wrong is None, "wrong": wrong}

    return api


def _agent(user: User) -> Agent:
    return Agent(user.username, user.team, user.skills, user.capacity)
