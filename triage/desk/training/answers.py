"""`/api/trainer/answers…`: what the bot says and knows as words; proposing, previewing and approving changes."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException
from pydantic import AwareDatetime, BaseModel, Field

from nlu_data.names import names
from triage.desk.access import TRAINERS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.trainer.answer_source import Content, Unfit, fields
from triage.trainer.answers import OPEN, ChangeEventRow, ChangeRow, NoChange, NotNow, State

Kind = Literal["response", "synonym", "word"]
Name = Annotated[str, Field(min_length=1, max_length=80)]


class Titled(BaseModel):
    """A button: what it says and what it means."""

    title: str = Field(max_length=100)
    payload: str = Field(max_length=500)


class Response(BaseModel):
    """A response's content."""

    text: str = Field(max_length=2000)
    buttons: list[Titled] = Field([], max_length=60)


class Words(BaseModel):
    """Synonyms of a standard word."""

    words: list[str] = Field(max_length=200)


class Times(BaseModel):
    """How often a dictionary word counts."""

    times: int


class Draft(BaseModel):
    """A content that is being written; None removes a word."""

    kind: Kind
    name: Name
    content: Response | Words | Times | None


class Proposal(Draft):
    """A draft that shall hold from `effective_at` on, at once without."""

    why: str = Field(max_length=500)
    effective_at: AwareDatetime | None = None


class Reason(BaseModel):
    """Why a proposal is turned down."""

    why: str = Field(max_length=500)


def answers(parts: Parts) -> APIRouter:
    """Every write answers with the change as it is now."""
    api = APIRouter(prefix="/trainer/answers", route_class=parts.route, tags=["trainer"])
    book = parts.answers
    Trainer = Annotated[User, Depends(parts.access.only(*TRAINERS))]

    @api.get("")
    async def entries(user: Trainer) -> dict[str, Any]:
        """Everything that can be edited by kind, and the open changes."""
        found = {kind: await asyncio.to_thread(source.read) for kind, source in book.sources.items()}
        waiting = await book.changes(OPEN)
        return {
            "kinds": {kind: {"title": one.title, "trained": one.trained} for kind, one in book.sources.items()},
            "entries": {
                kind: [{"name": name, "title": _title(kind, name), "content": one} for name, one in rows.items()]
                for kind, rows in found.items()
            },
            "open": await _views(waiting),
        }

    @api.get("/changes")
    async def changes(user: Trainer, name: str | None = None) -> list[dict[str, Any]]:
        """Changes and what happened to them, newest first; of one entry by its name."""
        return await _views(await book.changes(name=name))

    @api.post("/preview")
    async def preview(user: Trainer, draft: Draft) -> dict[str, Any]:
        """How it would look in each channel, what differs, and what is wrong with it, if anything."""
        new = _content(draft)
        with _refusing():
            old = await asyncio.to_thread(book.entry, draft.kind, draft.name)
        wrong = ""
        try:
            await asyncio.to_thread(book.check, draft.kind, draft.name, new)
        except Unfit as error:
            wrong = str(error)
        shown = draft.kind == "response"
        return {
            "wrong": wrong,
            "diff": book.diff(draft.kind, old, new),
            "channels": book.preview(new) if shown and new is not None else {},
            "variables": fields(str(old["text"])) if shown and old is not None else [],
        }

    @api.post("/changes")
    async def propose(user: Trainer, wanted: Proposal) -> dict[str, Any]:
        """Ask for a change; a second person approves it."""
        at: datetime = wanted.effective_at or parts.now()
        with _refusing():
            row = await book.propose(user.username, wanted.kind, wanted.name, _content(wanted), wanted.why, at)
        return (await _views([row]))[0]

    @api.post("/changes/{change}/approve")
    async def approve(user: Trainer, change: int) -> dict[str, Any]:
        """Agree; 409 for the proposer."""
        with _refusing():
            row = await book.approve(user.username, change)
            await book.apply_due()
        return (await _views(await book.changes(name=row.name)))[0]

    @api.post("/changes/{change}/reject")
    async def reject(user: Trainer, change: int, reason: Reason) -> dict[str, Any]:
        """Turn down with a reason."""
        with _refusing():
            return (await _views([await book.reject(user.username, change, reason.why)]))[0]

    @api.post("/changes/{change}/withdraw")
    async def withdraw(user: Trainer, change: int) -> dict[str, Any]:
        """Take back an open change; for who proposed or approved it."""
        with _refusing():
            return (await _views([await book.withdraw(user.username, change)]))[0]

    async def _views(rows: Sequence[ChangeRow]) -> list[dict[str, Any]]:
        events = await book.events([row.id for row in rows])
        return [_view(row, [event for event in events if event.change_id == row.id]) for row in rows]

    def _view(row: ChangeRow, events: Sequence[ChangeEventRow]) -> dict[str, Any]:
        return {
            "id": row.id, "kind": row.kind, "name": row.name, "title": _title(row.kind, row.name),
            "content": row.content, "why": row.why, "state": row.state, "proposer": row.proposer,
            "approver": row.approver, "effective_at": row.effective_at.isoformat(),
            "created_at": row.created_at.isoformat(), "diff": book.diff(row.kind, row.base, row.content),
            "waits": row.state == State.APPROVED,
            "events": [
                {"actor": e.actor, "action": e.action, "note": e.note, "at": e.at.isoformat()} for e in events
            ],
        }  # fmt: skip

    return api


class _refusing:
    """What may not be said is 422, what is not there 404, what is somebody else's turn 409."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        for refused, status in ((Unfit, 422), (NoChange, 404), (NotNow, 409)):
            if isinstance(error, refused):
                raise HTTPException(status, str(error)) from error


def _content(draft: Draft) -> Content:
    return draft.content.model_dump() if draft.content is not None else None


def _title(kind: str, name: str) -> str:
    """What trainers read for a response's name: the intent it answers, where it is named after one."""
    return names().intents.get(name.removeprefix("utter_").removeprefix("say_"), name) if kind == "response" else name
