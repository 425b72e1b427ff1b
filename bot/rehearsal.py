"""`python -m bot rehearse IN OUT MODEL…`: whole dialogues, said to a product of its own as customers would say them.

IN holds {"day": the sample city's day, "dialogues": [[turn, …], …]}; OUT gets, for the folder of each model, a list
with null for every dialogue that went as it should and the first `Fault` of any other. A turn is a mapping of
`say` (typed) or `tap` (the button of that title; where there is none, `say` is said instead) and what must come of it:
`hear` and `not`, words the answer holds or does not; `card`, its kind; `buttons`, how many; `owner`, who answers
afterwards; `read` and `entities`, how the message must be read.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bot.app import Bridge, assemble
from bot.database import Database
from bot.message import Button, Inbound, Message, Owner
from bot.readings import ReadingRow
from bot.serving import serve
from bot.settings import Settings, free_port
from models import Registry
from nlu_data.dialogues import Fault, Turn

SENDERS = 8
READY_WITHIN = 300
PATIENCE = 60.0
"""Seconds a turn may take: a rehearsal gives way to everybody, and slowness is not what it looks for."""
LONGEST_SENTENCE = 80
NOT_UNDERSTOOD = "nlu_fallback"
OWNERS = {Owner.BOT: "机器人", Owner.QUEUE: "排队等人工", Owner.AGENT: "坐席"}


@dataclass(frozen=True)
class Heard:
    """What came of a turn; `read` is the intent, None where no model read the message."""

    texts: Sequence[str]
    cards: Sequence[str]
    buttons: Sequence[Button]
    owner: str
    read: str | None = None
    entities: Sequence[tuple[str, int, int]] = ()


def choose(turn: Turn, offered: Sequence[Button]) -> tuple[str, str | None] | None:
    """The text to say, and the payload of the button to press; None where nothing can be done."""
    if "tap" in turn:
        for button in offered:
            if turn["tap"] in button.title:
                return button.title, button.payload
    return (turn["say"], None) if "say" in turn else None


def lacks(turn: Turn, heard: Heard) -> list[str]:
    """What is wrong with what came of a turn, in Chinese."""
    said = "\n".join(heard.texts)
    if not said and "read" not in turn:
        return ["没有回答"]
    wrong = [f"没有说“{words}”" for words in _list(turn.get("hear")) if words not in said]
    wrong += [f"不该说“{words}”" for words in _list(turn.get("not")) if words in said]
    if "card" in turn and turn["card"] not in heard.cards:
        wrong.append(f"没有{turn['card']}卡片")
    if "buttons" in turn and turn["buttons"] != len(heard.buttons):
        wrong.append(f"应有{turn['buttons']}个按钮，有{len(heard.buttons)}个")
    if "owner" in turn and turn["owner"] != heard.owner:
        wrong.append(f"之后应由{OWNERS[Owner(turn['owner'])]}回答，现在是{OWNERS[Owner(heard.owner)]}")
    if "read" in turn and turn["read"] != heard.read:
        wrong.append("读错了意思" if heard.read else "这一句没有轮到模型来读")
    for one in turn.get("entities", ()) if heard.read else ():
        if (one["entity"], one["start"], one["end"]) not in heard.entities:
            wrong.append(f"没有认出“{turn['say'][one['start'] : one['end']]}”")
    long = [one for one in re.split(r"[。！？\n]", said) if len(one) > LONGEST_SENTENCE]
    return wrong + [f"一句话超过{LONGEST_SENTENCE}个字：{one}" for one in long]


async def play(bridge: Bridge, turns: Sequence[Turn]) -> Fault | None:
    """One dialogue with a new customer, as far as its first fault."""
    talk, sender, offered = bridge.conversations, uuid.uuid4().hex, list[Button]()
    for number, turn in enumerate(turns, 1):
        what = choose(turn, offered)
        if what is None:
            return Fault(number, turn["tap"], [f"没有“{turn['tap']}”按钮"], "")
        text, payload = what
        receipt = await talk.receive(Inbound("web", sender, uuid.uuid4().hex, text, datetime.now(UTC), payload))
        await talk.answer(receipt.conversation)
        fresh, owner = await talk.look(receipt.conversation, receipt.seq)
        if fresh:
            await talk.delivered(receipt.conversation, fresh[-1].seq)
        heard = await _heard(bridge.database, receipt.conversation, receipt.seq, fresh, owner)
        if why := lacks(turn, heard):
            return Fault(number, text, why, "\n".join(heard.texts))
        offered = list(heard.buttons)
    return None


async def _heard(database: Database, conversation: int, seq: int, fresh: Sequence[Message], owner: Owner) -> Heard:
    async with database.read() as session:
        row = await session.scalar(
            select(ReadingRow).where(ReadingRow.conversation_id == conversation, ReadingRow.seq == seq)
        )
    read = None if row is None else NOT_UNDERSTOOD if row.fallback else row.intent
    return Heard(
        [one.text for one in fresh],
        [str(one.card["kind"]) for one in fresh if one.card],
        [button for one in fresh for button in one.buttons],
        owner,
        read,
        [(one["entity"], one["start"], one["end"]) for one in (row.entities if row else ())],
    )


async def rehearse(
    folders: Sequence[Path], dialogues: Sequence[Sequence[Turn]], day: date | None, settings: Settings
) -> dict[str, list[Fault | None]]:
    """Every dialogue with every model, several at a time; raises as `_reading` does."""
    with tempfile.TemporaryDirectory(prefix="dianqiao-rehearsal-") as name:
        var = Path(name)
        registry = Registry("dialogue", var / "models")
        registry.folder.mkdir(parents=True)
        for folder in folders:
            (registry.folder / folder.name).symlink_to(folder.resolve())
        (var / "models" / "triage").symlink_to(settings.models.resolve() / "triage")
        registry.promote(folders[0].name, "rehearsal")
        bridge = assemble(
            replace(
                settings, host="127.0.0.1", port=free_port(), rasa_port=free_port(), rasa_url=None, var=var,
                models=var / "models", database_url=f"sqlite+aiosqlite:///{var / 'rehearsal.db'}", patience=PATIENCE,
                utility_api_base=None, wechat=None, telegram=None, sample_day=day, admin_password="not-to-be-used",
            )
        )  # fmt: skip
        playing = asyncio.create_task(_all(bridge, registry, [folder.name for folder in folders], dialogues))
        playing.add_done_callback(lambda _: signal.raise_signal(signal.SIGTERM))  # ends the service
        await serve(bridge)
        playing.cancel()
        return await playing


async def _all(
    bridge: Bridge, registry: Registry, versions: Sequence[str], dialogues: Sequence[Sequence[Turn]]
) -> dict[str, list[Fault | None]]:
    found, places = {}, asyncio.Semaphore(SENDERS)

    async def one(turns: Sequence[Turn]) -> Fault | None:
        async with places:
            return await play(bridge, turns)

    for version in versions:
        if registry.current().name != version:
            registry.promote(version, "rehearsal")
        await _reading(bridge, version)
        print(f"rehearsing {len(dialogues)} dialogues with {version}", flush=True)
        found[version] = list(await asyncio.gather(*map(one, dialogues)))
    return found


async def _reading(bridge: Bridge, version: str) -> None:
    """Wait until this version reads; raises `ValueError` when the code of now cannot use it, or `TimeoutError`."""
    [follower] = [one for one in bridge.followers if one.kind == "dialogue"]
    async with asyncio.timeout(READY_WITHIN):
        while follower.version != version:
            if follower.failure:
                raise ValueError(follower.failure)
            await asyncio.sleep(0.2)


def main(given: str, out: str, *models: str) -> int:
    """Rehearse; returns the exit code: 2 for what cannot be read."""
    try:
        wanted = json.loads(Path(given).read_text("utf-8"))
        folders = [Path(model) for model in models]
        settings = replace(Settings.read(), models=folders[0].resolve().parents[1])
        found = asyncio.run(rehearse(folders, wanted["dialogues"], date.fromisoformat(wanted["day"]), settings))
    except (OSError, ValueError, LookupError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    told = {version: [fault and asdict(fault) for fault in faults] for version, faults in found.items()}
    Path(out).write_text(json.dumps(told, ensure_ascii=False), "utf-8")
    return 0


def _list(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [] if value is None else [str(value)]
