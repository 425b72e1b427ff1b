"""The desk's API and page; `desk_routes` adds them to the app."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.staticfiles import StaticFiles

from bot.bell import DESK, QUEUE, Bell, conversation_topic
from triage.board import event_view
from triage.desk.auth import NotAllowed, User
from triage.desk.parts import Parts
from triage.desk.people import people
from triage.desk.supervise import supervise
from triage.desk.tickets import tickets
from triage.desk.together import together
from triage.desk.training import training
from triage.ticket import IllegalMove, NoTicket, StaleTicket, Unseen
from triage.trainer.review import NoItem

STATIC = Path(__file__).with_name("static")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEARTBEAT = 15.0


def desk_routes(app: FastAPI, parts: Parts) -> None:
    """Add `/desk`, `/api/…` and their error answers to the app."""
    api = APIRouter(prefix="/api")
    for router in (people(parts), tickets(parts), together(parts), supervise(parts), live(parts), *training(parts)):
        api.include_router(router)
    app.include_router(api)

    @app.get("/desk", include_in_schema=False)
    async def page() -> Response:
        return framed("坐席工作台", "desk.html")

    @app.get("/desk/trainer", include_in_schema=False)
    async def trainer_page() -> Response:
        return framed("训练师", "trainer/trainer.html")

    app.mount("/desk/static", StaticFiles(directory=STATIC))
    app.add_exception_handler(NoTicket, _answer(404))
    app.add_exception_handler(IllegalMove, _answer(409))
    app.add_exception_handler(StaleTicket, _stale)
    app.add_exception_handler(Unseen, _unseen)
    app.add_exception_handler(NoItem, _answer(404))
    app.add_exception_handler(RequestValidationError, _invalid)


def framed(title: str, body: str) -> Response:
    """A page: what is its own, within the login and the dialogs that every page has."""
    frame = Template((STATIC / "frame.html").read_text("utf-8"))
    made = frame.substitute(title=title, body=(STATIC / body).read_text("utf-8"))
    return HTMLResponse(made, headers={"Content-Security-Policy": POLICY})


def live(parts: Parts) -> APIRouter:
    """`/api/live`: what changes, as server-sent events."""
    api = APIRouter(tags=["live"])
    Me = Annotated[User, Depends(parts.access.user)]

    @api.post("/live")
    async def live_ticket(user: Me) -> dict[str, str]:
        """A pass of one minute for opening the stream, fit for a URL."""
        return {"ticket": parts.users.live_ticket(user)}

    @api.get("/live")
    async def stream(ticket: str, conversation: int | None = None) -> Response:
        """Events {"type": changed | typing | viewing | mention | handoff | warning | escalated, …}.

        `changed` means: read again. With `conversation` only what concerns it.
        """
        try:
            await parts.users.live_user(ticket)
        except NotAllowed as error:
            raise HTTPException(401, str(error)) from error
        return StreamingResponse(
            _stream(parts.bell, conversation),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return api


async def _stream(bell: Bell, conversation: int | None) -> AsyncIterator[str]:
    topics = (conversation_topic(conversation),) if conversation is not None else (QUEUE, DESK)
    with bell.listen(*topics) as rings:
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


async def _unseen(request: Request, error: Exception) -> Response:
    assert isinstance(error, Unseen)
    missed = [{"seq": m.seq, "from": m.speaker, "text": m.text, "at": m.at.isoformat()} for m in error.messages]
    return JSONResponse({"detail": str(error), "messages": missed}, status_code=409)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [".".join(str(part) for part in problem["loc"][1:]) for problem in error.errors()]
    return JSONResponse({"detail": f"请检查：{'、'.join(fields) or '请求内容'}"}, status_code=422)
