"""The desk's API and page; `desk_routes` adds them to the app."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.staticfiles import StaticFiles

from bot.bell import QUEUE, Bell, conversation_topic
from bot.conversation import Conversations
from triage.board import Board, Filter, WrongCursor, event_view
from triage.desk.auth import NotAllowed, Role, User, Users
from triage.queue import IllegalMove, NoTicket, StaleTicket, TicketQueue
from triage.taxonomy import Taxonomy
from triage.ticket import TicketRow

STATIC = Path(__file__).with_name("static")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEARTBEAT = 15.0
LONGEST_REPLY = 2000


class Login(BaseModel):
    """用户名 and 密码."""

    username: str
    password: str


class NewUser(BaseModel):
    """A user an admin adds."""

    username: str = Field(min_length=2, max_length=64)
    password: str
    role: Role
    team: str | None = None


class Change(BaseModel):
    """What every write may carry: the version it was made on."""

    version: int | None = None


class Text(Change):
    """A reply or a note."""

    text: str = Field(min_length=1, max_length=LONGEST_REPLY)


class Transfer(Change):
    """To a team or to a colleague."""

    team: str | None = None
    assignee: str | None = None
    note: str = ""


class Resolve(Change):
    """The result, which the customer reads."""

    resolution: str = Field(min_length=1, max_length=LONGEST_REPLY)


class Reopen(Change):
    """Why."""

    reason: str = Field(min_length=1)


class Priority(Change):
    """The new priority and why."""

    priority: str
    reason: str = Field(min_length=1)


class Category(Change):
    """The right category."""

    category: str


class Merge(Change):
    """The ticket that stays."""

    into: int


def desk_routes(
    app: FastAPI, queue: TicketQueue, conversations: Conversations, board: Board, bell: Bell, users: Users,
    taxonomy: Taxonomy,
) -> None:  # fmt: skip
    """Add `/desk`, `/api/…` and their error answers to the app."""
    api = APIRouter(prefix="/api")

    async def who(authorization: Annotated[str, Header()] = "") -> User:
        try:
            return await users.user(authorization.removeprefix("Bearer "))
        except NotAllowed as error:
            raise HTTPException(401, str(error), {"WWW-Authenticate": "Bearer"}) from error

    Me = Annotated[User, Depends(who)]

    def view(row: TicketRow) -> dict[str, Any]:
        return board.view(row, full=True)

    @api.post("/login")
    async def login(body: Login, request: Request) -> dict[str, str]:
        address = request.client.host if request.client else ""
        try:
            return {"token": await users.login(body.username, body.password, address)}
        except NotAllowed as error:
            raise HTTPException(401, str(error)) from error

    @api.get("/me")
    async def me(user: Me) -> dict[str, Any]:
        return {
            "username": user.username,
            "role": user.role,
            "team": user.team,
            "categories": {key: category.name for key, category in taxonomy.categories.items()},
            "teams": taxonomy.teams,
            "priorities": {key: promise.name for key, promise in taxonomy.priorities.items()},
        }

    @api.post("/users", status_code=201)
    async def add_user(body: NewUser, user: Me) -> dict[str, str]:
        if user.role is not Role.ADMIN:
            raise HTTPException(403, "只有管理员可以添加用户")
        try:
            await users.add(body.username, body.password, body.role, body.team)
        except NotAllowed as error:
            raise HTTPException(409, str(error)) from error
        return {"username": body.username}

    @api.get("/tickets")
    async def tickets(
        user: Me, status: str | None = None, category: str | None = None, priority: str | None = None,
        team: str | None = None, assignee: str | None = None, q: str | None = None, cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> dict[str, Any]:  # fmt: skip
        wanted = Filter(status, category, priority, team, assignee, q)
        try:
            items, more = await board.page(wanted, cursor, limit)
        except WrongCursor as error:
            raise HTTPException(422, str(error)) from error
        return {"items": items, "next_cursor": more, "counts": await board.counts()}

    @api.post("/tickets/claim")
    async def claim_next(user: Me) -> Response:
        row = await queue.claim_next(user.username, user.team)
        return Response(status_code=204) if row is None else JSONResponse(view(row))

    @api.get("/tickets/{id}")
    async def ticket(id: int, user: Me) -> dict[str, Any]:
        row, events = await board.ticket(id)
        messages = await conversations.messages(row.conversation_id)
        return {
            **view(row),
            "owner": await conversations.owner(row.conversation_id),
            "transcript": [
                {
                    "seq": m.seq, "from": m.speaker, "text": m.text, "card": m.card, "at": m.at.isoformat(),
                    "undelivered": m.undelivered,
                }
                for m in messages
            ],
            "events": [event_view(event) for event in events],
        }  # fmt: skip

    @api.post("/tickets/{id}/claim")
    async def claim(id: int, body: Change, user: Me) -> dict[str, Any]:
        return view(await queue.claim(id, user.username, body.version))

    @api.post("/tickets/{id}/reply")
    async def reply(id: int, body: Text, user: Me) -> dict[str, Any]:
        return view(await queue.reply(id, user.username, body.text, body.version))

    @api.post("/tickets/{id}/note")
    async def note(id: int, body: Text, user: Me) -> dict[str, Any]:
        return view(await queue.note(id, user.username, body.text, body.version))

    @api.post("/tickets/{id}/transfer")
    async def transfer(id: int, body: Transfer, user: Me) -> dict[str, Any]:
        if (body.team is None) == (body.assignee is None):
            raise HTTPException(422, "请选择一个班组或一位坐席")
        return view(
            await queue.transfer(
                id, user.username, body.note, team=body.team, assignee=body.assignee, version=body.version
            )
        )

    @api.post("/tickets/{id}/resolve")
    async def resolve(id: int, body: Resolve, user: Me) -> dict[str, Any]:
        return view(await queue.resolve(id, user.username, body.resolution, body.version))

    @api.post("/tickets/{id}/reopen")
    async def reopen(id: int, body: Reopen, user: Me) -> dict[str, Any]:
        return view(await queue.reopen(id, user.username, body.reason, body.version))

    @api.post("/tickets/{id}/priority")
    async def priority(id: int, body: Priority, user: Me) -> dict[str, Any]:
        return view(await queue.set_priority(id, user.username, body.priority, body.reason, body.version))

    @api.post("/tickets/{id}/category")
    async def category(id: int, body: Category, user: Me) -> dict[str, Any]:
        return view(await queue.set_category(id, user.username, body.category, body.version))

    @api.post("/tickets/{id}/merge")
    async def merge(id: int, body: Merge, user: Me) -> dict[str, Any]:
        return view(await queue.merge(id, user.username, body.into, body.version))

    @api.post("/tickets/{id}/typing", status_code=204)
    async def typing(id: int, user: Me) -> None:
        row, _ = await board.ticket(id)
        if row.assignee == user.username:
            bell.ring(conversation_topic(row.conversation_id), {"type": "typing", "from": "agent", "ttl": 5})

    @api.post("/live")
    async def live_ticket(user: Me) -> dict[str, str]:
        return {"ticket": users.live_ticket(user)}

    @api.get("/live")
    async def live(ticket: str, conversation: int | None = None) -> Response:
        try:
            await users.live_user(ticket)
        except NotAllowed as error:
            raise HTTPException(401, str(error)) from error
        return StreamingResponse(
            _stream(bell, conversation),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @app.get("/desk", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(STATIC / "desk.html", headers={"Content-Security-Policy": POLICY})

    app.include_router(api)
    app.mount("/desk/static", StaticFiles(directory=STATIC))
    app.add_exception_handler(NoTicket, _answer(404))
    app.add_exception_handler(IllegalMove, _answer(409))
    app.add_exception_handler(StaleTicket, _stale)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _stream(bell: Bell, conversation: int | None) -> AsyncIterator[str]:
    topic = conversation_topic(conversation) if conversation is not None else QUEUE
    with bell.listen(topic) as rings:
        yield "retry: 1000\n\n"
        while True:
            event = None
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT):
                    event = await rings.get()
            yield f"data: {json.dumps(dict(event))}\n\n" if event is not None else ": still here\n\n"


def _answer(status: int) -> Any:
    async def answer(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=status)

    return answer


async def _stale(request: Request, error: Exception) -> Response:
    assert isinstance(error, StaleTicket)
    return JSONResponse(
        {"detail": str(error), "changes": [event_view(change) for change in error.changes]}, status_code=409
    )


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [".".join(str(part) for part in problem["loc"][1:]) for problem in error.errors()]
    return JSONResponse({"detail": f"请检查：{'、'.join(fields) or '请求内容'}"}, status_code=422)
