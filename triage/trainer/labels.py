"""Labels 标注: an append-only row for every save; an item's state follows from its rows, and nothing is overwritten.

A sample of the items is read twice, the second time without sight of the first label; where the two differ a third
trainer decides.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, Database, MessageRow, UtcDateTime
from nlu_data import CATEGORIES, ENTITIES, PRIORITIES, TOPICS
from triage.masking import invent
from triage.ticket import TicketRow
from triage.trainer.context import before
from triage.trainer.review import Kind, ReviewError, ReviewItemRow, State, found

SECOND_READ = 10
"""One item in so many is read twice."""
INTENTS = frozenset(intent for intents in TOPICS.values() for intent in intents)

log = logging.getLogger(__name__)


class Action(StrEnum):
    """What a trainer did; `ACCEPT` is the training step writing the settled label into the files.

    `REOPEN` is the collecting's: what was settled went wrong again.
    """

    LABEL = "label"
    UNDO = "undo"
    DISMISS = "dismiss"
    ADJUDICATE = "adjudicate"
    ACCEPT = "accept"
    REOPEN = "reopen"


class LabelEventRow(Base):
    """One save; only ever added to. `base` is the item's version it was made on: no two share one."""

    __tablename__ = "label_event"
    __table_args__ = (UniqueConstraint("item_id", "base"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("review_item.id"))
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(12))
    label: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    base: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class WrongLabel(ReviewError):
    """A label that does not fit the item or the taxonomy."""


class NotNow(ReviewError):
    """The item's state, or who did what before, does not allow this."""


class StaleItem(ReviewError):
    """Someone changed the item meanwhile; `events` are those since the version given."""

    def __init__(self, events: Sequence[LabelEventRow]) -> None:
        """`events`, oldest first."""
        super().__init__("这一条刚刚被别人改动，请看过再存")
        self.events = events


@dataclass(frozen=True)
class Standing:
    """What an item's events come to: its state, the label that counts, each reader's label in order of reading."""

    state: State
    label: dict[str, Any] | None
    readings: tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True)
class Accepted:
    """A settled label that is not yet in the files; made-up values stand in `text` for personal data.

    `entities`: (entity, start, end) in reading order. `corrected`: the label is not what the model had read; `before`
    are the customer's turns before it.
    """

    item: int
    version: int
    kind: Kind
    text: str
    at: datetime
    corrected: bool
    intent: str | None = None
    entities: tuple[tuple[str, int, int], ...] = ()
    category: str | None = None
    priority: str | None = None
    before: tuple[Mapping[str, str], ...] = ()

    @property
    def marked(self) -> str:
        """The text with Rasa's `[span](entity)` marks."""
        out, at = [], 0
        for entity, start, end in self.entities:
            out += [self.text[at:start], f"[{self.text[start:end]}]({entity})"]
            at = end
        return "".join((*out, self.text[at:]))


def sampled(kind: str, text_key: str) -> bool:
    """Whether a second trainer reads this item too: one in `SECOND_READ`, always the same ones."""
    digest = hashlib.sha256(f"{kind}:{text_key}".encode()).digest()
    return int.from_bytes(digest[:8]) % SECOND_READ == 0


def effective(events: Iterable[LabelEventRow]) -> list[LabelEventRow]:
    """The events that still count, without those undone and the undos, and those before a reopening."""
    counts: list[LabelEventRow] = []
    for event in events:
        match event.action:
            case Action.UNDO:
                counts.pop()
            case Action.REOPEN:
                counts.clear()
            case _:
                counts.append(event)
    return counts


def standing(events: Iterable[LabelEventRow], twice: bool) -> Standing:
    """The state that follows from an item's events, oldest first; `twice`: a second reader is wanted."""
    readings: dict[str, dict[str, Any]] = {}
    state, label = State.OPEN, None
    for event in effective(events):
        match event.action:
            case Action.LABEL:
                readings[event.actor] = event.label or {}
                first, *others = readings.values()
                same = all(_alike(first, other) for other in others)
                label = first if same else None
                state = State.DISPUTED if not same else State.SECOND if twice and not others else State.LABELLED
            case Action.ADJUDICATE:
                label, state = event.label, State.LABELLED
            case Action.DISMISS:
                label, state, readings = None, State.DISMISSED, {}
            case _:
                state = State.DONE
    return Standing(state, label, tuple(readings.items()))


def check(item: ReviewItemRow, label: dict[str, Any]) -> dict[str, Any]:
    """The label in its one form; raises `WrongLabel` naming what does not fit.

    For a dialogue {intent, entities: [{entity, start, end}], text}; spans count characters of the item's text.
    For triage {category, priority}.
    """
    if item.kind == Kind.TRIAGE:
        if label.get("category") not in CATEGORIES:
            raise WrongLabel("请选一个类别")
        if label.get("priority") not in PRIORITIES:
            raise WrongLabel("请选一个优先级")
        return {"category": label["category"], "priority": label["priority"]}
    if label.get("intent") not in INTENTS:
        raise WrongLabel("请选一个意图")
    spans = sorted(
        ({"entity": one["entity"], "start": one["start"], "end": one["end"]} for one in label.get("entities") or ()),
        key=lambda one: one["start"],
    )
    end = 0
    for one in spans:
        _check_span(item.text, one, end)
        end = one["end"]
    return {"intent": label["intent"], "entities": spans, "text": item.text}


def _check_span(text: str, one: dict[str, Any], after: int) -> None:
    if one["entity"] not in ENTITIES:
        raise WrongLabel(f"没有“{one['entity']}”这种实体")
    if not 0 <= one["start"] < one["end"] <= len(text):
        raise WrongLabel("实体的位置不在句子里")
    if one["start"] < after:
        raise WrongLabel("实体不能重叠")
    span = text[one["start"] : one["end"]]
    if re.search(r"^[\s，。！？、,.!?]|[\s，。！？、,.!?]$", span):
        raise WrongLabel(f"实体“{span}”的头尾不能是空格或标点")
    before, behind = text[one["start"] - 1 : one["start"]], text[one["end"] : one["end"] + 1]
    if (_figure(before) and _figure(span[0])) or (_figure(behind) and _figure(span[-1])):
        raise WrongLabel(f"实体“{span}”把一个数字切断了")


def _figure(char: str) -> bool:
    return char.isdigit() or char == "*"


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one.get(part) == other.get(part) for part in ("intent", "entities", "category", "priority"))


class Labels:
    """Saves what trainers decide; each call is one transaction, stored before it returns."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """`now` is the aware present."""
        self._database = database
        self._now = now

    async def label(self, id: int, actor: str, label: dict[str, Any], base: int) -> ReviewItemRow:
        """Label an item; a second label by the same trainer replaces their own.

        Raises `NoItem`, `WrongLabel`, `StaleItem` when the item is not at version `base`, and `NotNow` when it is in
        dispute, decided, or in the files.
        """
        async with self._database.write() as session:
            item, events = await self._locked(session, id, base)
            if item.status in (State.DONE, State.DISPUTED):
                raise NotNow(_WHY[State(item.status)])
            if any(event.action == Action.ADJUDICATE for event in effective(events)):
                raise NotNow("这一条已经裁定")
            self._add(session, item, events, actor, Action.LABEL, check(item, label))
            return item

    async def adjudicate(self, id: int, actor: str, label: dict[str, Any], base: int) -> ReviewItemRow:
        """Decide a dispute 裁定; raises as `label` does, and `NotNow` for one of the two who differ."""
        async with self._database.write() as session:
            item, events = await self._locked(session, id, base)
            if item.status != State.DISPUTED:
                raise NotNow("这一条没有分歧，不用裁定")
            if actor in (item.first_reader, item.second_reader):
                raise NotNow("裁定要由第三个人来做")
            self._add(session, item, events, actor, Action.ADJUDICATE, check(item, label))
            return item

    async def dismiss(self, id: int, actor: str, base: int) -> ReviewItemRow:
        """Not worth a label; raises `NoItem`, `StaleItem`, and `NotNow` once it is labelled."""
        async with self._database.write() as session:
            item, events = await self._locked(session, id, base)
            if item.status not in (State.OPEN, State.SECOND, State.DISPUTED):
                raise NotNow(_WHY.get(State(item.status), "这一条已经标好，要改请先撤销"))
            self._add(session, item, events, actor, Action.DISMISS, None)
            return item

    async def undo(self, id: int, actor: str, base: int) -> ReviewItemRow:
        """Take back the item's last event, if it is the actor's own; raises `NotNow` otherwise."""
        async with self._database.write() as session:
            item, events = await self._locked(session, id, base)
            last = effective(events)
            if not last or last[-1].actor != actor or last[-1].action == Action.ACCEPT:
                raise NotNow("没有可以撤销的：这一条没有标过，或之后别人动过")
            self._add(session, item, events, actor, Action.UNDO, None)
            return item

    async def events(self, id: int) -> list[LabelEventRow]:
        """What was done to an item, oldest first."""
        async with self._database.read() as session:
            return await _events(session, id)

    async def last_of(self, actor: str) -> LabelEventRow | None:
        """The trainer's newest event that still counts and is not in the files: what `u` takes back."""
        async with self._database.read() as session:
            rows = await session.scalars(
                select(LabelEventRow)
                .where(LabelEventRow.actor == actor, LabelEventRow.action.not_in((Action.UNDO, Action.ACCEPT)))
                .order_by(LabelEventRow.id.desc())
                .limit(50)
            )
            for row in rows:
                counts = effective(await _events(session, row.item_id))
                if counts and counts[-1].id == row.id:
                    return row
        return None

    async def _locked(self, session: AsyncSession, id: int, base: int) -> tuple[ReviewItemRow, list[LabelEventRow]]:
        item = await found(session.get(ReviewItemRow, id, with_for_update=True), id)
        events = await _events(session, id)
        if item.version != base:
            session.expunge_all()
            raise StaleItem([event for event in events if event.base >= base])
        return item, events

    def _add(
        self, session: AsyncSession, item: ReviewItemRow, events: list[LabelEventRow], actor: str, action: Action,
        label: dict[str, Any] | None,
    ) -> None:  # fmt: skip
        _append(session, item, events, actor, action, label, self._now())


async def accepted(session: AsyncSession) -> list[Accepted]:
    """Settled labels that are not yet in the files, oldest item first; made-up values replace personal data."""
    ready = []
    items = await session.scalars(
        select(ReviewItemRow).where(ReviewItemRow.status == State.LABELLED).order_by(ReviewItemRow.id)
    )
    for item in list(items):
        events = await _events(session, item.id)
        now = standing(events, sampled(item.kind, item.text_key))
        text = await _said(session, item)
        if text is None or now.label is None:
            log.warning("review item %d: what was said is not there any more, its label stays out", item.id)
            continue
        label, at = now.label, effective(events)[-1].at
        text = _line(invent(text, item.id))
        if item.kind == Kind.TRIAGE:
            given, suggested = (label["category"], label["priority"]), item.suggestion
            read = tuple(suggested.get(f"model_{part}", suggested.get(part)) for part in ("category", "priority"))
            corrected = given != read
            ready.append(
                Accepted(item.id, item.version, Kind.TRIAGE, text, at, corrected, category=given[0], priority=given[1])
            )
            continue
        spans = tuple((one["entity"], one["start"], one["end"]) for one in label["entities"])
        said = item.suggestion
        read_spans = ((one["entity"], one["start"], one["end"]) for one in said.get("entities") or ())
        corrected = label["intent"] != said.get("read", said.get("intent")) or spans != tuple(
            sorted(read_spans, key=lambda one: one[1])
        )
        turns = await before(session, item.conversation_id, item.seq, item.id) if corrected else ()
        ready.append(
            Accepted(item.id, item.version, Kind.DIALOGUE, text, at, corrected, label["intent"], spans, before=turns)
        )
    return ready


async def settle(session: AsyncSession, written: Iterable[Accepted], actor: str, now: datetime) -> None:
    """These labels are in the files now: `done`. An item that was changed meanwhile stays, and is written anew."""
    for one in written:
        item = await found(session.get(ReviewItemRow, one.item, with_for_update=True), one.item)
        if item.status == State.LABELLED and item.version == one.version:
            _append(session, item, await _events(session, item.id), actor, Action.ACCEPT, None, now)


async def settled(session: AsyncSession, item: ReviewItemRow) -> tuple[dict[str, Any], datetime]:
    """The label that is in the files for a `done` item, and since when."""
    events = await _events(session, item.id)
    label = standing(events, sampled(item.kind, item.text_key)).label
    assert label is not None
    return label, events[-1].at


async def reopen(session: AsyncSession, item: ReviewItemRow, now: datetime) -> None:
    """Put an item back into the list: what was decided of it went wrong again. The item must be locked."""
    _append(session, item, await _events(session, item.id), "system", Action.REOPEN, None, now)


def _append(
    session: AsyncSession, item: ReviewItemRow, events: list[LabelEventRow], actor: str, action: Action,
    label: dict[str, Any] | None, now: datetime,
) -> None:  # fmt: skip
    event = LabelEventRow(item_id=item.id, actor=actor, action=action, label=label, base=item.version, at=now)
    session.add(event)
    came_to = standing([*events, event], sampled(item.kind, item.text_key))
    readers = [name for name, _ in came_to.readings]
    item.status, item.version, item.updated_at = came_to.state, item.version + 1, now
    item.first_reader, item.second_reader = (*readers, None, None)[:2]


async def _events(session: AsyncSession, id: int) -> list[LabelEventRow]:
    rows = await session.scalars(select(LabelEventRow).where(LabelEventRow.item_id == id).order_by(LabelEventRow.base))
    return list(rows)


async def _said(session: AsyncSession, item: ReviewItemRow) -> str | None:
    """What the customer wrote, of which the item's text is the masked form; None when it was changed since."""
    if item.ticket_id is not None:
        ticket = await session.get(TicketRow, item.ticket_id)
        candidates = [ticket.text] if ticket is not None else []
    else:
        row = await session.scalar(
            select(MessageRow).where(MessageRow.conversation_id == item.conversation_id, MessageRow.seq == item.seq)
        )
        candidates = [text for text in (row.text, row.original) if text is not None] if row is not None else []
    for text in candidates:
        text = text[: len(item.text)]
        if len(text) == len(item.text) and all(b in (a, "*") for a, b in zip(text, item.text, strict=True)):
            return text
    return None


def _line(text: str) -> str:
    """One line without the brackets that mark entities in the files; as long as before."""
    return text.translate({ord("["): "【", ord("]"): "】", ord("\n"): " ", ord("\r"): " ", ord("\t"): " "})


_WHY = {
    State.DONE: "这一条已经写入训练数据",
    State.DISPUTED: "两人标注不一致，请等第三个人裁定",
    State.DISMISSED: "这一条已经标为不用标注",
}
