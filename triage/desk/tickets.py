"""Tickets at the desk: lists, one ticket with all that belongs to it, and every change of it."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from bot.bell import conversation_topic
from bot.files import LARGEST, TOO_LARGE, Unfit
from triage.board import Filter, WrongCursor, event_view
from triage.clock import ClockRow, Clocks
from triage.desk.access import SUPERVISORS, WORKERS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.desk.writing import unfilled
from triage.masking import mask
from triage.ticket import TicketRow
from triage.timing import Timing

LONGEST_REPLY = 2000
RECENT_DAYS = 30
PICTURE = "[图片]"


class Change(BaseModel):
    """What every write may carry: the version it was made on; 409 with the changes when the ticket moved on."""

    version: int | None = None


class Reply(Change):
    """To the customer. `seen` is the seq of the last message shown: 409 with the missed messages if others wrote."""

    text: str = Field(min_length=1, max_length=LONGEST_REPLY)
    seen: int | None = None


class Note(Change):
    """For colleagues; `mentions` are usernames."""

    text: str = Field(min_length=1, max_length=LONGEST_REPLY)
    mentions: list[str] = []


class Transfer(Change):
    """To a team or to a colleague."""

    team: str | None = None
    assignee: str | None = None
    note: str = ""


class Resolve(Change):
    """The result, which the customer reads."""

    resolution: str = Field(min_length=1, max_length=LONGEST_REPLY)


class Why(Change):
    """The reason."""

    reason: str = Field(min_length=1, max_length=500)


class Priority(Change):
    """The new priority and why; `lock` keeps rules and urging from changing it."""

    priority: str
    reason: str = Field(min_length=1, max_length=500)
    lock: bool = False


class Category(Change):
    """The right category."""

    category: str


class Merge(Change):
    """The ticket that stays."""

    into: int


class Promised(Change):
    """What is promised to the customer, and by when."""

    text: str = Field(min_length=1, max_length=200)
    due: datetime


class Reveal(BaseModel):
    """Why the masked account number must be seen."""

    reason: str = Field(min_length=2, max_length=200)


def tickets(parts: Parts) -> APIRouter:
    """`/api/tickets…`."""
    api = APIRouter(prefix="/tickets", route_class=parts.route, tags=["tickets"])
    queue, board, clocks = parts.queue, parts.board, Clocks()
    Me = Annotated[User, Depends(parts.access.user)]
    Worker = Annotated[User, Depends(parts.access.only(*WORKERS))]
    Supervisor = Annotated[User, Depends(parts.access.only(*SUPERVISORS))]

    def view(row: TicketRow) -> dict[str, Any]:
        return board.view(row, full=True)

    @api.get("")
    async def page(
        user: Me, status: str | None = None, category: str | None = None, priority: str | None = None,
        team: str | None = None, assignee: str | None = None, q: str | None = None, cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50, view: str | None = None, incident: int | None = None,
        sort: str = "order",
    ) -> dict[str, Any]:  # fmt: skip
        """A page of tickets, most urgent first; personal data masked.

        `status` one, several with commas, or `open`; `view` unassigned, at_risk or undelivered; `sort` order, due,
        oldest or newest; `q` a number or words of the ticket or its conversation.
        """
        wanted = Filter(status, category, priority, team, assignee, q, view, incident, None, sort)
        try:
            items, more = await board.page(wanted, cursor, limit)
        except WrongCursor as error:
            raise HTTPException(422, str(error)) from error
        return {"items": items, "next_cursor": more, "counts": await board.counts()}

    @api.post("/claim")
    async def claim_next(user: Worker) -> Response:
        """领单: the next ticket of my team, or 204 when nothing waits."""
        row = await queue.claim_next(user.username, user.team)
        return Response(status_code=204) if row is None else JSONResponse(view(row))

    @api.get("/{id}")
    async def ticket(id: int, user: Me) -> dict[str, Any]:
        """The ticket with its reasons, clocks, transcript, events, links, the bot's brief, my draft, who is there."""
        row, events = await board.ticket(id)
        # those who do not work tickets read them without personal data
        plain: Callable[[str], str] = str if user.role in WORKERS else mask
        messages, owner, brief, draft, viewers, links = await asyncio.gather(
            parts.conversations.messages(row.conversation_id), parts.conversations.owner(row.conversation_id),
            parts.brief(row.conversation_id), parts.writing.draft(user.username, id), parts.writing.viewers(id),
            parts.bulk.links(id),
        )  # fmt: skip
        until = await parts.limits.until(row.conversation_id)
        async with parts.database.read() as session:
            running = await Timing.of(session, id)
        return {
            **board.view(row, full=user.role in WORKERS),
            "owner": owner,
            "reply_until": until.isoformat() if until else None,
            "replies_left": await parts.limits.left(row.conversation_id),
            "transcript": [
                {
                    "seq": m.seq, "from": m.speaker, "text": plain(m.text), "card": m.card, "at": m.at.isoformat(),
                    "delivery": m.delivery, "undelivered": m.undelivered, "doubt": m.doubt,
                    "original": plain(m.original) if m.original else None,
                    "attachments": [parts.files.shown(one) for one in m.attachments],
                }
                for m in messages
            ],
            "events": [event_view(event) for event in events],
            "clocks": [_clock(clocks, clock, parts.now()) for clock in running],
            "links": [board.view(other) for other in links],
            "brief": {"reason": row.handoff, **brief},
            "draft": draft,
            "viewers": [asdict(viewer) for viewer in viewers],
        }  # fmt: skip

    @api.get("/{id}/customer")
    async def customer(id: int, user: Worker) -> dict[str, Any]:
        """Who they are: masked account, balance and bills, outages, their other tickets, contacts in 30 days."""
        row, _ = await board.ticket(id)
        records = dict(await parts.records(row.account_no)) if row.account_no else {}
        others, _ = await board.page(Filter(conversation=row.conversation_id, sort="newest"), None, 20)
        contact = await parts.conversations.contact(row.conversation_id)
        recent = [one for one in others if (parts.now() - datetime.fromisoformat(one["created_at"])).days < RECENT_DAYS]
        return {
            "channel": contact.channel,
            "account_no_masked": mask(row.account_no) if row.account_no else None,
            "records": records,
            "tickets": [one for one in others if one["id"] != id],
            "contacts_30_days": sum(1 + one["urged"] for one in recent),
        }

    @api.post("/{id}/reveal")
    async def reveal(id: int, body: Reveal, user: Worker) -> dict[str, Any]:
        """The account number unmasked, with a reason that goes into the audit trail."""
        row, _ = await board.ticket(id)
        return {"account_no": row.account_no}

    @api.post("/{id}/fault-check")
    async def fault_check(id: int, user: Worker) -> dict[str, Any]:
        """Ask the utility's systems again: balance, outages of the area; a system that is silent is named."""
        row, _ = await board.ticket(id)
        if row.account_no is None:
            raise HTTPException(409, "工单没有户号，无法核查")
        found = await parts.records(row.account_no)
        return {"checked_at": parts.now().isoformat(), **found}

    @api.get("/{id}/suggestions")
    async def suggestions(id: int, user: Worker) -> dict[str, Any]:
        """Answers of similar resolved tickets, closest first, with the ticket each comes from."""
        row, _ = await board.ticket(id)
        async with parts.database.read() as session:
            found = await parts.search.similar(session, row)
        return {
            "items": [{"text": mask(one.resolution or ""), "source": one.number, "ticket": one.id} for one in found]
        }

    @api.post("/{id}/claim")
    async def claim(id: int, body: Change, user: Worker) -> dict[str, Any]:
        """Claim this ticket; 409 when another agent has it."""
        return view(await queue.claim(id, user.username, body.version))

    async def free_to_write(id: int, user: User) -> None:
        holder = next((v.username for v in await parts.writing.viewers(id) if v.holds), None)
        if holder is not None and holder != user.username:
            raise HTTPException(409, f"{holder} 正在回复这位客户")

    @api.post("/{id}/reply")
    async def reply(id: int, body: Reply, user: Worker) -> dict[str, Any]:
        """Write to the customer. 422 while a variable is unfilled; 409 if a colleague is writing or others wrote."""
        if open_variables := unfilled(body.text):
            raise HTTPException(422, f"还有没填的变量：{'、'.join(open_variables)}")
        await free_to_write(id, user)
        row = await queue.reply(id, user.username, body.text, body.version, body.seen)
        await parts.writing.save_draft(user.username, id, "")
        return view(row)

    @api.post("/{id}/picture")
    async def picture(
        id: int, request: Request, user: Worker, seen: int | None = None, name: str = ""
    ) -> dict[str, Any]:
        """Show the customer a picture, the body of this request; otherwise as a reply. 422 for what is none."""
        if int(request.headers.get("content-length") or LARGEST + 1) > LARGEST:
            raise HTTPException(413, TOO_LARGE[1])
        await free_to_write(id, user)
        try:
            kept = await parts.files.keep(await request.body(), name, f"desk:{uuid.uuid4().hex}")
        except Unfit as unfit:
            raise HTTPException(422, str(unfit)) from unfit
        if kept.kind != "image":
            raise HTTPException(422, "只能给客户发图片（JPG、PNG、WebP、GIF）")
        return view(await queue.reply(id, user.username, PICTURE, None, seen, (kept,)))

    @api.post("/{id}/note")
    async def note(id: int, body: Note, user: Worker) -> dict[str, Any]:
        """备注 for colleagues; those mentioned are told."""
        row = await queue.note(id, user.username, body.text, body.version, tuple(body.mentions))
        for name in body.mentions:
            parts.bell.ring("desk", {"type": "mention", "ticket": id, "for": name, "from": user.username})
        return view(row)

    @api.post("/{id}/promise")
    async def promise(id: int, body: Promised, user: Worker) -> dict[str, Any]:
        """Promise the customer a time; it becomes a clock both sides see."""
        if body.due.tzinfo is None:
            raise HTTPException(422, "时间要带时区")
        return view(await queue.promise(id, user.username, body.text, body.due, body.version))

    @api.post("/{id}/wait-field")
    async def wait_field(id: int, body: Why, user: Worker) -> dict[str, Any]:
        """等现场: somebody must go there first."""
        return view(await queue.wait_for_field(id, user.username, body.reason, body.version))

    @api.post("/{id}/arrived")
    async def arrived(id: int, body: Change, user: Worker) -> dict[str, Any]:
        """到达现场: the crew is there."""
        return view(await queue.arrived_on_site(id, user.username, body.version))

    @api.post("/{id}/transfer")
    async def transfer(id: int, body: Transfer, user: Worker) -> dict[str, Any]:
        """转派 to a team's queue or to a colleague."""
        if (body.team is None) == (body.assignee is None):
            raise HTTPException(422, "请选择一个班组或一位坐席")
        if body.assignee is not None and body.assignee not in {u.username for u in await parts.users.everyone()}:
            raise HTTPException(422, f"没有“{body.assignee}”这位坐席")
        return view(
            await queue.transfer(
                id, user.username, body.note, team=body.team, assignee=body.assignee, version=body.version
            )
        )

    @api.post("/{id}/resolve")
    async def resolve(id: int, body: Resolve, user: Worker) -> dict[str, Any]:
        """办结 with a result the customer reads; the conversation goes back to the bot, which speaks first."""
        if open_variables := unfilled(body.resolution):
            raise HTTPException(422, f"还有没填的变量：{'、'.join(open_variables)}")
        return view(await queue.resolve(id, user.username, body.resolution, body.version))

    @api.post("/{id}/reopen")
    async def reopen(id: int, body: Why, user: Worker) -> dict[str, Any]:
        """重开 into the team's queue."""
        return view(await queue.reopen(id, user.username, body.reason, body.version))

    @api.post("/{id}/close")
    async def close(id: int, body: Why, user: Supervisor) -> dict[str, Any]:
        """关闭 a resolved ticket."""
        return view(await queue.close(id, user.username, body.reason, body.version))

    @api.post("/{id}/priority")
    async def priority(id: int, body: Priority, user: Worker) -> dict[str, Any]:
        """Change, and perhaps lock, the priority."""
        return view(await queue.set_priority(id, user.username, body.priority, body.reason, body.version, body.lock))

    @api.post("/{id}/category")
    async def category(id: int, body: Category, user: Worker) -> dict[str, Any]:
        """Correct the category; the correction goes to the trainers' review."""
        return view(await queue.set_category(id, user.username, body.category, body.version))

    @api.post("/{id}/merge")
    async def merge(id: int, body: Merge, user: Worker) -> dict[str, Any]:
        """合并 into another open ticket. `/api/bulk` does the same with preview and undo."""
        return view(await queue.merge(id, user.username, body.into, body.version))

    @api.post("/{id}/typing", status_code=204)
    async def typing(id: int, user: Worker, request: Request) -> None:
        """The assignee types: the customer sees it, colleagues too."""
        request.state.unaudited = True
        row, _ = await board.ticket(id)
        await parts.writing.at(id, user.username, True)
        if row.assignee == user.username:
            parts.bell.ring(conversation_topic(row.conversation_id), {"type": "typing", "from": "agent", "ttl": 5})

    return api


def _clock(clocks: Clocks, row: ClockRow, now: datetime) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "due_at": row.due_at.isoformat() if row.due_at else None,
        "met_at": row.met_at.isoformat() if row.met_at else None,
        "paused": row.running_since is None and row.met_at is None,
        "left_seconds": round(clocks.left(row, now).total_seconds()),
        "percent": round(100 * clocks.elapsed(row, now).total_seconds() / row.target) if row.target else 100,
        "breached": clocks.breached(row, now),
        "told_due": row.told_due.isoformat() if row.told_due else None,
        "apologies": row.apologies,
        "calendar": row.calendar,
        "source": row.source,
    }
