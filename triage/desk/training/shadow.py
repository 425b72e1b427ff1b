"""Shadow runs: a candidate reads along with the live model and never answers."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException

from models import Registry
from triage.desk.access import TRAINERS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.desk.training.jobs import Evaluation, Kind
from triage.desk.training.models import labels
from triage.trainer.jobs import Busy, State
from triage.trainer.shadow import differing, shadow_jobs, summary


def shadow(parts: Parts) -> APIRouter:
    """`/api/trainer/shadow…`."""
    api = APIRouter(prefix="/trainer/shadow", route_class=parts.route, tags=["trainer"])
    runs = shadow_jobs(parts.models)
    Trainer = Annotated[User, Depends(parts.access.only(*TRAINERS))]

    @api.get("")
    async def all_runs(user: Trainer) -> dict[str, Any]:
        """The run that goes on, if any, and what each shadowed version read alike."""
        last = await asyncio.to_thread(runs.newest, 1)
        running = [
            {**one.arguments, "id": one.id, "author": one.author, "begun": one.begun}
            for one in last
            if one.state == State.RUNNING
        ]
        failed = last[0].why if last and last[0].state == State.FAILED else ""
        return {"running": running[0] if running else None, "failed": failed, "items": await summary(parts.database)}

    @api.get("/{kind}/{version}")
    async def one(user: Trainer, kind: Kind, version: str) -> dict[str, Any]:
        """What a version read otherwise than the live model, newest first, masked."""
        return {"items": await differing(parts.database, kind, version), "names": labels(parts, kind)}

    @api.post("", status_code=201)
    async def start(user: Trainer, wanted: Evaluation) -> dict[str, Any]:
        """Let a version read along for a day; 409 while another does."""
        if wanted.version not in Registry(wanted.kind, parts.models).versions():
            raise HTTPException(404, f"没有版本 {wanted.version}")
        try:
            job = await asyncio.to_thread(runs.start, user.username, ["shadow"], wanted.model_dump())
        except Busy as busy:
            raise HTTPException(409, str(busy)) from busy
        return {"id": job.id}

    @api.post("/stop")
    async def stop(user: Trainer) -> dict[str, Any]:
        """End the run that goes on; what it read stays."""
        id = await asyncio.to_thread(runs.running)
        if id is not None:
            await asyncio.to_thread(runs.cancel, id)
        return {"stopped": id}

    return api
