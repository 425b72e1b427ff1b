"""Versions of the models: what they can, how they stand beside the current one, into service and back."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field

from models import NoModel, Registry
from nlu_data.names import names
from triage.desk.access import TRAINERS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.desk.training.jobs import Kind
from triage.trainer import promotion, report
from triage.trainer.compare import view as compared_view
from triage.trainer.jobs import KINDS
from triage.trainer.promotion import Override, Worse
from triage.trainer.report import NoReport


class Overriding(BaseModel):
    """Who answers for a refused version, and why."""

    person: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=promotion.SHORTEST, max_length=500)


class Promotion(BaseModel):
    """A version to take into service."""

    kind: Kind
    version: str = Field(min_length=1, max_length=100)
    why: str = Field("", max_length=500)
    override: Overriding | None = None


class Rollback(BaseModel):
    """Which model to take back to the version before."""

    kind: Kind


def labels(parts: Parts, kind: str) -> dict[str, str]:
    """The Chinese names of what a model tells apart."""
    if kind == "dialogue":
        return dict(names().intents)
    return {key: one.name for key, one in parts.taxonomy.categories.items()}


def versions(parts: Parts) -> APIRouter:
    """`/api/trainer/models…`, `compare`, `promote`, `rollback`."""
    api = APIRouter(prefix="/trainer", route_class=parts.route, tags=["trainer"])
    Trainer = Annotated[User, Depends(parts.access.only(*TRAINERS))]

    def told(kind: str) -> dict[str, Any]:
        registry = Registry(kind, parts.models)
        try:
            current = registry.current().name
        except NoModel:
            current = None
        return {
            "current": current,
            "versions": [_summary(registry, kind, version) for version in reversed(registry.versions())],
            "history": [vars(one) for one in reversed(registry.history())],
            "before": registry.before(),
        }

    @api.get("/models")
    async def everything(user: Trainer) -> dict[str, Any]:
        """Both kinds: the current version, all versions with their scores, and the history, newest first."""
        return {kind: await asyncio.to_thread(told, kind) for kind in KINDS}

    @api.get("/models/{kind}/{version}")
    async def one(user: Trainer, kind: Kind, version: str) -> dict[str, Any]:
        """A version's report: every figure with its interval."""
        registry = Registry(kind, parts.models)
        with _refusing():
            if version not in registry.versions():
                raise NoModel(f"没有版本 {version}")
            found = await asyncio.to_thread(report.find, kind, version, registry)
        return {
            "kind": kind, "version": version, "at": found.at, "figures": found.figures, "latency": found.latency,
            "passed": found.passed, "names": labels(parts, kind),
        }  # fmt: skip

    @api.get("/compare")
    async def compare(user: Trainer, kind: Kind, version: str, against: str | None = None) -> dict[str, Any]:
        """A version beside another, the current one unless named: a sentence, wins, losses, p, what is refused."""
        with _refusing():
            found = await asyncio.to_thread(promotion.compared, kind, version, parts.models, against)
        return {**compared_view(found), "names": labels(parts, kind)}

    @api.post("/promote")
    async def promote(user: Trainer, wanted: Promotion) -> dict[str, Any]:
        """Take a version into service; 409 with `refusals` for a worse one without an override."""
        override = Override(wanted.override.person, wanted.override.reason) if wanted.override else None
        with _refusing():
            found = await asyncio.to_thread(
                promotion.promote, wanted.kind, wanted.version, user.username, wanted.why, override, parts.models
            )
        return {"current": wanted.version, "verdict": found.verdict if found else None}

    @api.post("/rollback")
    async def rollback(user: Trainer, wanted: Rollback) -> dict[str, Any]:
        """Back to the version before the current one."""
        with _refusing():
            return {"current": await asyncio.to_thread(promotion.rollback, wanted.kind, user.username, parts.models)}

    return api


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except NoModel as error:
        raise HTTPException(404, str(error)) from error
    except (NoReport, Worse) as error:
        raise HTTPException(409, str(error)) from error
    except ValueError as error:
        raise HTTPException(422, str(error)) from error


def _summary(registry: Registry, kind: str, version: str) -> dict[str, Any]:
    """A version's card in brief and its main figures; `scores` is None until it is evaluated on the present sets."""
    card = registry.card(version)
    try:
        found = report.find(kind, version, registry)
    except NoReport as error:
        scores, why = None, str(error)
    else:
        corrected = found.rows.get("regressions", ())
        scores, why = {
            "frozen": found.figures["frozen"]["macro_f1"], "robust": found.figures["robust"]["macro_f1"],
            "danger": found.figures["frozen"]["danger"], "ece": found.figures["frozen"]["calibration"]["ece"],
            "p95_ms": found.latency["p95_ms"], "corrected": [sum(row.held for row in corrected), len(corrected)],
        }, ""  # fmt: skip
    about = {name: card.get(name) for name in ("created", "author")}
    return {"version": version, **about, "scores": scores, "why": why}
