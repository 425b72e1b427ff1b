"""What a customer did before a message, so that the dialogue can be played again: masked, with a sample account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import MessageRow
from bot.message import Speaker
from triage.masking import invent

LONGEST = 10
PAUSE = timedelta(hours=1)
_ACCOUNT = re.compile(r"(?<!\d)(?!1[3-9]\d{9}(?!\d))\d{10,16}(?!\d)")
_ENDING = re.compile(r"(?<!\d)\d{4}(?![\d年])")


async def before(session: AsyncSession, conversation: int, seq: int, seed: int) -> tuple[Mapping[str, str], ...]:
    """The turns of the customer since the last pause or word of an agent, at most `LONGEST`, oldest first.

    They are written as `nlu_data.dialogues` reads them; `seed` as in `invent`.
    """
    rows = await session.scalars(
        select(MessageRow)
        .where(
            MessageRow.conversation_id == conversation,
            MessageRow.seq <= seq,
            MessageRow.speaker.in_((Speaker.CUSTOMER, Speaker.AGENT)),
        )
        .order_by(MessageRow.seq.desc())
        .limit(LONGEST + 1)
    )
    turns, later = list[Mapping[str, str]](), None
    for row in rows:
        if row.speaker == Speaker.AGENT or later is not None and later - row.at > PAUSE:
            break
        later = row.at
        if row.seq < seq and row.text:
            said = _sayable(row.text, seed)
            turns.append({"say": said} if row.payload is None else {"tap": said, "say": said})
    return tuple(reversed(turns))


def _sayable(text: str, seed: int) -> str:
    """The text without personal data; an account and its phone's ending are those of the sample city."""
    said, accounts = _ACCOUNT.subn("{plain_no}", invent(text, seed))
    return _ENDING.sub("{plain_end}", said) if accounts or _ENDING.fullmatch(said.strip()) else said
