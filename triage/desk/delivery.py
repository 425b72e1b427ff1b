"""Dead letters: what did not reach its customer, why, and trying again."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException

from bot.dead_letters import PAGE, DeadLetters
from triage.desk.access import WORKERS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.masking import mask


def delivery(parts: Parts, letters: DeadLetters) -> APIRouter:
    """`/api/undelivered`."""
    api = APIRouter(prefix="/api/undelivered", route_class=parts.route, tags=["delivery"])
    Worker = Annotated[User, Depends(parts.access.only(*WORKERS))]

    @api.get("")
    async def undelivered(user: Worker, cursor: int | None = None) -> dict[str, Any]:
        """The newest first; `reply_until` is when the customer's door closes, None without a limit."""
        found = await letters.page(cursor)
        return {
            "items": [
                {
                    "conversation_id": letter.conversation,
                    "seq": letter.seq,
                    "channel": letter.channel,
                    "text": mask(letter.text),
                    "delivery": letter.delivery,
                    "reason": letter.reason,
                    "at": letter.at.isoformat(),
                    "reply_until": until.isoformat()
                    if (until := await parts.limits.until(letter.conversation))
                    else None,
                }
                for letter in found
            ],
            "next_cursor": found[-1].id if len(found) == PAGE else None,
        }

    @api.post("/{conversation}/{seq}/retry")
    async def retry(conversation: int, seq: int, user: Worker) -> dict[str, Any]:
        """Queue it again; 404 when it is not undelivered."""
        if not await letters.retry(conversation, seq):
            raise HTTPException(404, "这条消息没有发送失败，或者已经在重发")
        return {"conversation_id": conversation, "seq": seq, "delivery": "queued"}

    return api
