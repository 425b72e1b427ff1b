"""What the trainers' work changed for the customers."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from models import Registry
from nlu_data.names import names
from triage.calendar import SHANGHAI
from triage.desk.access import TRAINERS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.trainer.effect import Effect, settled, total


def effect(parts: Parts) -> APIRouter:
    """`/api/trainer/effect`."""
    api = APIRouter(prefix="/trainer", route_class=parts.route, tags=["trainer"])
    found = Effect(parts.database)
    Trainer = Annotated[User, Depends(parts.access.only(*TRAINERS))]

    @api.get("/effect")
    async def misses(user: Trainer, days: Annotated[int, Query(ge=1, le=90)] = 30) -> dict[str, Any]:
        """Misses of the last days: each day, each intent, and before and after each promotion, newest first."""
        now = parts.now()
        last = now.astimezone(SHANGHAI).date()
        first = last - timedelta(days=days - 1)
        truth = await settled(parts.database)
        history = Registry("dialogue", parts.models).history()
        promoted = [(datetime.fromisoformat(one.at), one.version) for one in history]
        by_day = await found.days(first, last, truth)
        within = [one for one in promoted if one[0].astimezone(SHANGHAI).date() >= first]
        rows = await found.promotions(promoted, now, truth)
        return {
            "days": by_day,
            "intents": await found.intents(now - timedelta(days=days), now, truth),
            "promotions": rows[: len(within)],
            "total": total(by_day),
            "names": names().intents,
        }

    return api
