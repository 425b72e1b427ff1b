"""Many tickets at once and what agents share: bulk, undo, incidents, drafts, canned replies, views, who is where."""

import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import select

from triage.desk.access import SUPERVISORS, WORKERS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.desk.writing import CannedReplyRow, fill, unfilled
from triage.incident import IncidentRow
from triage.promise import when


class BulkChange(BaseModel):
    """`action` transfer, priority, category or merge, with the single change's arguments; `preview` only says what."""

    ids: list[int] = Field(min_length=1, max_length=500)
    action: str
    arguments: dict[str, Any] = {}
    preview: bool = False


class Split(BaseModel):
    """The matter that becomes a ticket of its own."""

    text: str = Field(min_length=1, max_length=2000)
    category: str
    version: int | None = None


class Link(BaseModel):
    """The other ticket."""

    other: int


class MassReply(BaseModel):
    """To every customer of the incident; the same `key` sent again tells nobody twice."""

    text: str = Field(min_length=1, max_length=2000)
    expected: datetime | None = None
    key: str | None = None


class MassResolve(BaseModel):
    """The result, which every customer reads once."""

    resolution: str = Field(min_length=1, max_length=2000)


class Draft(BaseModel):
    """What is written so far; empty drops it."""

    text: str = Field(max_length=4000)


class Canned(BaseModel):
    """常用语; `team` None for everyone."""

    title: str = Field(min_length=1, max_length=64)
    text: str = Field(min_length=1, max_length=2000)
    team: str | None = None


class View(BaseModel):
    """Filters and sort as `/api/tickets` takes them."""

    name: str = Field(min_length=1, max_length=64)
    query: dict[str, str]


class Viewing(BaseModel):
    """Sent every 10 s while a ticket is open."""

    typing: bool = False


def together(parts: Parts) -> APIRouter:
    """`/api/bulk`, `/api/undo`, `/api/incidents`, `/api/canned`, `/api/views`, and a ticket's draft and viewers."""
    api = APIRouter(route_class=parts.route, tags=["together"])
    writing, bulk = parts.writing, parts.bulk
    Worker = Annotated[User, Depends(parts.access.only(*WORKERS))]
    Supervisor = Annotated[User, Depends(parts.access.only(*SUPERVISORS))]

    @api.post("/bulk")
    async def run(body: BulkChange, user: Worker, request: Request) -> dict[str, Any]:
        """Change up to 500 tickets; each says what changed or why not. `undo` takes it back within 30 s."""
        if body.preview:
            request.state.unaudited = True
            effects = await bulk.preview(body.ids, body.action, body.arguments)
            return {"effects": [asdict(effect) for effect in effects], "undo": None}
        try:
            done = await bulk.run(body.ids, body.action, body.arguments, user.username)
        except (KeyError, ValueError, TypeError) as error:
            raise HTTPException(422, f"缺少参数：{error}") from error
        return {"effects": [asdict(effect) for effect in done.effects], "undo": done.undo}

    @api.post("/undo/{token}")
    async def undo(token: str, user: Worker) -> dict[str, Any]:
        """撤销 a bulk change or a split within 30 s; tickets changed since are left and named."""
        return {"effects": [asdict(effect) for effect in await bulk.undo(token, user.username)]}

    @api.post("/tickets/{id}/split")
    async def split(id: int, body: Split, user: Worker) -> dict[str, Any]:
        """拆分 one matter into a ticket of its own."""
        done = await bulk.split(id, user.username, body.text, body.category, body.version)
        return {"effects": [asdict(effect) for effect in done.effects], "undo": done.undo}

    @api.post("/tickets/{id}/link", status_code=204)
    async def link(id: int, body: Link, user: Worker) -> None:
        """关联 with another ticket."""
        await bulk.link(id, body.other, user.username)

    @api.get("/incidents")
    async def incidents(
        user: Worker, status: str = "open", before: int | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> dict[str, Any]:  # fmt: skip
        """停电事件, newest first; their tickets are `/api/tickets?incident=`."""
        query = select(IncidentRow).where(IncidentRow.status == status).order_by(IncidentRow.id.desc()).limit(limit)
        if before is not None:
            query = query.where(IncidentRow.id < before)
        async with parts.database.read() as session:
            rows = list(await session.scalars(query))
        return {"items": [_incident(row) for row in rows], "next_cursor": rows[-1].id if len(rows) == limit else None}

    @api.post("/incidents/{id}/reply")
    async def mass_reply(id: int, body: MassReply, user: Worker) -> dict[str, Any]:
        """群发: every customer under the incident is told once."""
        if variables := unfilled(body.text):
            raise HTTPException(422, f"还有没填的变量：{'、'.join(variables)}")
        key = body.key or uuid.uuid4().hex
        told = await parts.mass.reply(id, user.username, body.text, key, body.expected)
        return {"told": told, "key": key}

    @api.post("/incidents/{id}/resolve")
    async def mass_resolve(id: int, body: MassResolve, user: Worker) -> dict[str, Any]:
        """Resolve all its tickets; every customer is told once and asked whether power is back."""
        if variables := unfilled(body.resolution):
            raise HTTPException(422, f"还有没填的变量：{'、'.join(variables)}")
        return {"told": await parts.mass.resolve(id, user.username, body.resolution)}

    @api.get("/tickets/{id}/draft")
    async def draft(id: int, user: Worker) -> dict[str, str]:
        """My draft for this ticket."""
        return {"text": await writing.draft(user.username, id)}

    @api.put("/tickets/{id}/draft", status_code=204)
    async def save_draft(id: int, body: Draft, user: Worker, request: Request) -> None:
        """Keep my draft."""
        request.state.unaudited = True
        await writing.save_draft(user.username, id, body.text)

    @api.post("/tickets/{id}/viewing")
    async def viewing(id: int, body: Viewing, user: Worker, request: Request) -> dict[str, Any]:
        """I look at this ticket, and perhaps type; answers who else does, and who `holds` the lease to write."""
        request.state.unaudited = True
        return {"viewers": [asdict(viewer) for viewer in await writing.at(id, user.username, body.typing)]}

    @api.delete("/tickets/{id}/viewing", status_code=204)
    async def left(id: int, user: Worker, request: Request) -> None:
        """I look elsewhere."""
        request.state.unaudited = True
        await writing.left(id, user.username)

    @api.get("/canned")
    async def canned(user: Worker, q: str = "") -> dict[str, Any]:
        """常用语 whose title or pinyin initials fit `q`."""
        return {"items": [_canned(row) for row in await writing.canned(q, user.team)]}

    @api.get("/canned/{id}/fill")
    async def filled(id: int, ticket: int, user: Worker) -> dict[str, Any]:
        """The text with the ticket's values; `missing` variables must be filled by hand before it can be sent."""
        text = await writing.canned_text(id)
        if text is None:
            raise HTTPException(404, "没有这条常用语")
        row, _ = await parts.board.ticket(ticket)
        values = {
            "工单号": row.number,
            "坐席": user.username,
            "类别": parts.taxonomy.categories[row.category].name,
            "办结时限": when(row.resolve_due),
            "处理结果": row.resolution or "",
            "小区": row.area or "",
        }
        said = fill(text, values)
        return {"text": said, "missing": unfilled(said)}

    @api.post("/canned", status_code=201)
    async def save_canned(body: Canned, user: Supervisor) -> dict[str, Any]:
        """Add a canned reply, or replace the one of this title."""
        return _canned(await writing.save_canned(body.title, body.text, body.team))

    @api.delete("/canned/{id}", status_code=204)
    async def drop_canned(id: int, user: Supervisor) -> None:
        """Remove one."""
        if not await writing.drop_canned(id):
            raise HTTPException(404, "没有这条常用语")

    @api.get("/views")
    async def views(user: Worker) -> dict[str, Any]:
        """My saved views."""
        rows = await writing.views(user.username)
        return {"items": [{"id": row.id, "name": row.name, "query": row.query} for row in rows]}

    @api.post("/views", status_code=201)
    async def save_view(body: View, user: Worker) -> dict[str, Any]:
        """Keep a view, replacing mine of the same name."""
        row = await writing.save_view(user.username, body.name, body.query)
        return {"id": row.id, "name": row.name, "query": row.query}

    @api.delete("/views/{id}", status_code=204)
    async def drop_view(id: int, user: Worker) -> None:
        """Remove one of mine."""
        if not await writing.drop_view(user.username, id):
            raise HTTPException(404, "没有这个视图")

    return api


def _canned(row: CannedReplyRow) -> dict[str, Any]:
    return {
        "id": row.id, "title": row.title, "initials": row.initials, "text": row.text, "team": row.team,
        "variables": unfilled(row.text),
    }  # fmt: skip


def _incident(row: IncidentRow) -> dict[str, Any]:
    return {
        "id": row.id, "number": row.number, "category": row.category, "feeder": row.feeder,
        "transformer": row.transformer, "status": row.status, "reports": row.reports,
        "opened_at": row.opened_at.isoformat(), "last_report_at": row.last_report_at.isoformat(),
        "expected_at": row.expected_at.isoformat() if row.expected_at else None,
        "resolved_at": row.resolved_at.isoformat() if row.resolved_at else None, "merged_into": row.merged_into,
    }  # fmt: skip
