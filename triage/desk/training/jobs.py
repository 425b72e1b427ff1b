"""Starting, following and cancelling training jobs."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field

from models import Registry
from triage.desk.access import TRAINERS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.trainer import steps
from triage.trainer.jobs import STEPS, Busy, Job, Jobs, NoJob

Kind = Literal["dialogue", "triage"]


class Training(BaseModel):
    """Which models to train: `dialogue`, `triage` or both."""

    kinds: list[Kind] = Field(min_length=1, max_length=2)


class Evaluation(BaseModel):
    """A version to measure on the sets as they are now."""

    kind: Kind
    version: str = Field(min_length=1, max_length=100)


def jobs(parts: Parts) -> APIRouter:
    """`/api/trainer/jobs…`, `/api/trainer/evaluate`."""
    api = APIRouter(prefix="/trainer", route_class=parts.route, tags=["trainer"])
    all_jobs = Jobs(parts.models)
    Trainer = Annotated[User, Depends(parts.access.only(*TRAINERS))]

    def view(job: Job) -> dict[str, Any]:
        share, left = all_jobs.progress(job)
        step = next((one for one in reversed(job.steps) if one.seconds is None), None)
        return {
            "id": job.id, "author": job.author, "state": job.state, "why": job.why, "share": round(share, 3),
            "seconds_left": round(left), "begun": job.begun, "ended": job.ended, "made": job.made, "notes": job.notes,
            "step": STEPS[step.name] if step and job.state == "running" else None,
            "steps": [
                {"name": STEPS[name], "seconds": next((one.seconds for one in job.steps if one.name == name), None)}
                for name in job.plan
            ],
        }  # fmt: skip

    async def start(user: User, verb: str, kinds: list[Kind], arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            job = await asyncio.to_thread(all_jobs.start, user.username, steps.plan(verb, kinds), arguments)
        except Busy as busy:
            raise HTTPException(409, str(busy)) from busy
        return view(job)

    @api.get("/jobs")
    async def newest(user: Trainer) -> dict[str, Any]:
        """The last jobs, newest first, and the seconds a full training will take."""
        found = await asyncio.to_thread(all_jobs.newest)
        expected = await asyncio.to_thread(all_jobs.expected)
        return {
            "items": [view(job) for job in found],
            "expected_seconds": round(sum(expected[name] for name in steps.plan("train"))),
        }

    @api.post("/jobs", status_code=201)
    async def train(user: Trainer, training: Training) -> dict[str, Any]:
        """Train candidates in a process of its own; 409 while another job runs."""
        return await start(user, "train", sorted(set(training.kinds)), {})

    @api.post("/evaluate", status_code=201)
    async def evaluate(user: Trainer, wanted: Evaluation) -> dict[str, Any]:
        """Measure a version, and the current one where that is out of date; 409 while another job runs."""
        if wanted.version not in Registry(wanted.kind, parts.models).versions():
            raise HTTPException(404, f"没有版本 {wanted.version}")
        return await start(user, "evaluate", [wanted.kind], {"versions": {wanted.kind: wanted.version}})

    @api.get("/jobs/{id}")
    async def one(user: Trainer, id: str) -> dict[str, Any]:
        """A job as it is now, with the end of its log."""
        try:
            job = await asyncio.to_thread(all_jobs.find, id)
            return {**view(job), "log": await asyncio.to_thread(all_jobs.log, id)}
        except NoJob as error:
            raise HTTPException(404, str(error)) from error

    @api.post("/jobs/{id}/cancel")
    async def cancel(user: Trainer, id: str) -> dict[str, Any]:
        """End a running job; nothing half-made is left."""
        try:
            return view(await asyncio.to_thread(all_jobs.cancel, id))
        except NoJob as error:
            raise HTTPException(404, str(error)) from error

    return api
