"""The supervisor's side: the live wall, charts, exports."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask

from triage.board import Filter, WrongCursor
from triage.desk.access import SUPERVISORS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.export import Export
from triage.wall import Wall

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def supervise(parts: Parts) -> APIRouter:
    """`/api/wall`, `/api/charts`, `/api/export.csv`, `/api/export.xlsx`."""
    api = APIRouter(route_class=parts.route, tags=["supervise"])
    wall = Wall(parts.database, parts.assignment, parts.taxonomy, parts.now)
    export = Export(parts.board, parts.taxonomy)
    Supervisor = Annotated[User, Depends(parts.access.only(*SUPERVISORS))]

    def wanted(
        status: str | None = None, category: str | None = None, priority: str | None = None, team: str | None = None,
        assignee: str | None = None, q: str | None = None, view: str | None = None,
    ) -> Filter:  # fmt: skip
        """As in `/api/tickets`; oldest first."""
        return Filter(status, category, priority, team, assignee, q, view, sort="oldest")

    Wanted = Annotated[Filter, Depends(wanted)]

    @api.get("/wall")
    async def live(user: Supervisor) -> dict[str, Any]:
        """Now: waiting, longest wait, at risk and broken, per team, and every agent's state and load."""
        return dict(await wall.live())

    @api.get("/charts")
    async def charts(user: Supervisor, days: Annotated[int, Query(ge=1, le=90)] = 7) -> dict[str, Any]:
        """The last days: opened and resolved, clocks kept, arrivals and agents needed by the hour."""
        return dict(await wall.charts(days))

    @api.get("/export.csv")
    async def as_csv(user: Supervisor, found: Wanted) -> Response:
        """All tickets that fit, streamed; personal data masked, no cell a formula. In the audit trail."""
        await _check(found)
        await parts.audit.add(user.username, "export", "/api/export.csv", _words(found))
        return StreamingResponse(
            export.csv(found), media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": "attachment; filename=tickets.csv"},
        )  # fmt: skip

    @api.get("/export.xlsx")
    async def as_xlsx(user: Supervisor, found: Wanted) -> Response:
        """The same as a workbook."""
        await _check(found)
        await parts.audit.add(user.username, "export", "/api/export.xlsx", _words(found))
        folder = tempfile.TemporaryDirectory(prefix="dianqiao-export-")
        file = Path(folder.name) / "tickets.xlsx"
        await export.xlsx(found, file)
        return FileResponse(file, media_type=XLSX, filename="tickets.xlsx", background=BackgroundTask(folder.cleanup))

    async def _check(found: Filter) -> None:
        try:
            await parts.board.rows(found, None, 1)
        except WrongCursor as error:
            raise HTTPException(422, str(error)) from error

    return api


def _words(found: Filter) -> dict[str, Any]:
    return {key: value for key, value in vars(found).items() if value is not None}
