"""`/api/trainer/labels`: saving, taking back, deciding; and the words the pages use for intents and entities.

The label events are their own append-only history, so these writes leave no row in the desk's audit trail.
"""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from nlu_data.names import FALLBACK, names
from triage.desk.access import TRAINERS
from triage.desk.auth import User
from triage.desk.initials import initials
from triage.desk.parts import Parts
from triage.desk.training.views import blind, event_view, full_view
from triage.trainer.agreement import agreement
from triage.trainer.labels import Labels, NotNow, StaleItem, WrongLabel
from triage.trainer.review import Review, ReviewItemRow


class Span(BaseModel):
    """An entity: characters `start` to `end` of the item's text."""

    entity: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Label(BaseModel):
    """For a dialogue intent and entities, for triage category and priority; `base` is the version it is made on."""

    base: int = Field(ge=0)
    intent: str | None = None
    entities: list[Span] = Field([], max_length=50)
    category: str | None = None
    priority: str | None = None


class Base(BaseModel):
    """The version that is changed."""

    base: int = Field(ge=0)


def labels(parts: Parts) -> APIRouter:
    """Every write answers with the item as it is now; 409 shows what changed since `base`."""
    api = APIRouter(prefix="/trainer", route_class=parts.route, tags=["trainer"])
    rows, book = Review(parts.database), Labels(parts.database, parts.now)
    Trainer = Annotated[User, Depends(parts.access.only(*TRAINERS))]

    @api.get("/words")
    async def words(user: Trainer) -> dict[str, Any]:
        """Chinese names, pinyin initials and keys of intents and entities; categories and priorities."""
        known = names()
        titles = {name: title for name, title in known.intents.items() if name != FALLBACK}
        letters = await asyncio.to_thread(initials, *titles.values())
        return {
            "intents": [
                {"name": name, "title": title, "initials": short}
                for (name, title), short in zip(titles.items(), letters, strict=True)
            ],
            "entities": [
                {"name": name, "title": title, "key": known.keys[name]} for name, title in known.entities.items()
            ],
            "categories": {key: one.name for key, one in parts.taxonomy.categories.items()},
            "priorities": {key: one.name for key, one in parts.taxonomy.priorities.items()},
        }

    @api.get("/labels/agreement")
    async def agree(user: Trainer) -> dict[str, Any]:
        """Cohen's kappa of items that two read: for intent, entities, category, priority."""
        return dict(await agreement(parts.database))

    @api.post("/labels/undo")
    async def undo_last(user: Trainer, request: Request) -> Response:
        """Take back the last thing I did, whichever item it was."""
        last = await book.last_of(user.username)
        if last is None:
            raise HTTPException(409, "没有可以撤销的")
        return await _saved(user, request, last.item_id, book.undo(last.item_id, user.username, last.base + 1))

    @api.post("/labels/{id}")
    async def label(id: int, body: Label, user: Trainer, request: Request) -> Response:
        """Save a label."""
        given = body.model_dump(exclude={"base"}, exclude_none=True)
        return await _saved(user, request, id, book.label(id, user.username, given, body.base))

    @api.post("/labels/{id}/adjudicate")
    async def adjudicate(id: int, body: Label, user: Trainer, request: Request) -> Response:
        """Decide between two who differ."""
        given = body.model_dump(exclude={"base"}, exclude_none=True)
        return await _saved(user, request, id, book.adjudicate(id, user.username, given, body.base))

    @api.post("/labels/{id}/dismiss")
    async def dismiss(id: int, body: Base, user: Trainer, request: Request) -> Response:
        """Not worth a label."""
        return await _saved(user, request, id, book.dismiss(id, user.username, body.base))

    @api.post("/labels/{id}/undo")
    async def undo(id: int, body: Base, user: Trainer, request: Request) -> Response:
        """Take back my own last change of this item."""
        return await _saved(user, request, id, book.undo(id, user.username, body.base))

    async def _saved(user: User, request: Request, id: int, saving: Any) -> Response:
        request.state.unaudited = True
        try:
            row: ReviewItemRow = await saving
        except WrongLabel as error:
            raise HTTPException(422, str(error)) from error
        except NotNow as error:
            raise HTTPException(409, str(error)) from error
        except StaleItem as error:
            row = await rows.item(id)
            shown = not blind(row, user.username)
            view = full_view(row, await book.events(id), user.username)
            changes = [event_view(event, shown) for event in error.events]
            return JSONResponse({"detail": str(error), "changes": changes, "item": view}, 409)
        return JSONResponse(full_view(row, await book.events(id), user.username))

    return api
