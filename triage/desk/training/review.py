"""`/api/trainer/review`: the list of what likely went wrong."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query

from triage.desk.access import TRAINERS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.desk.training.views import full_view, item_view
from triage.trainer.labels import Labels
from triage.trainer.points import REASONS
from triage.trainer.review import Kind, Review, State, Wanted, WrongCursor


def review(parts: Parts) -> APIRouter:
    """The list by pages, its counts, one item with the conversation around it, and a round on demand."""
    api = APIRouter(prefix="/trainer/review", route_class=parts.route, tags=["trainer"])
    rows, labels = Review(parts.database), Labels(parts.database, parts.now)
    Trainer = Annotated[User, Depends(parts.access.only(*TRAINERS))]

    @api.get("")
    async def page(
        user: Trainer, status: State | None = None, kind: Kind | None = None, reason: str | None = None,
        q: str | None = None, mine: bool = False, cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:  # fmt: skip
        """Items by value; `mine`: only what I can label now, second readings and adjudications among them."""
        if reason is not None and reason not in REASONS:
            raise HTTPException(422, f"没有“{reason}”这种原因")
        wanted = Wanted(status, kind, reason, q, user.username if mine else None)
        try:
            found, following = await rows.page(wanted, cursor, limit)
        except WrongCursor as error:
            raise HTTPException(422, str(error)) from error
        return {"items": [item_view(row) for row in found], "next_cursor": following}

    @api.get("/counts")
    async def counts(user: Trainer) -> dict[str, Any]:
        """How many: `states` of all, `kinds` and `reasons` of what I can label; `names` of the reasons in Chinese."""
        return {**await rows.counts(user.username), "names": REASONS}

    @api.post("/collect")
    async def collect(user: Trainer) -> dict[str, int]:
        """Look for new rows now instead of within ten seconds; `added` says how many there are."""
        return {"added": await parts.collecting.once()}

    @api.get("/{id}")
    async def one(id: int, user: Trainer) -> dict[str, Any]:
        """An item, what was done to it, and two messages before and after it."""
        row = await rows.item(id)
        return {**full_view(row, await labels.events(id), user.username), "around": await rows.around(row)}

    return api
