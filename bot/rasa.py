"""The Rasa client: one customer message in, one `Turn` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from opencc import OpenCC

from bot.message import Button, Outbound, Reading, Turn

LONGEST_TEXT = 500
LOADED_WITHIN = 60.0
_SIMPLIFIED = OpenCC("t2s")

BOOKKEEPING = ("requested_slot", "session_started_metadata")


class Rasa:
    """Asks Rasa's REST webhook; every failure is an exception, so that the conversation goes to the queue."""

    def __init__(self, url: str, timeout: float = 2.5) -> None:
        """`url` of a Rasa 3.6 server with the rest channel and `--enable-api`; `timeout` in seconds."""
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=50)
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, limits=limits)

    async def ask(self, conversation: int, seq: int, text: str, payload: str | None = None) -> Turn:
        """Answer one message; raises `httpx.HTTPError` or `ValueError` when Rasa fails or answers nonsense.

        Text that begins with "/" would be an intent to Rasa: only a payload we offered goes through as one.
        """
        message = payload or escape(text)
        body = {"sender": str(conversation), "message": message, "metadata": {"seq": seq}}
        answer = await self._http.post("/webhooks/rest/webhook", json=body)
        answer.raise_for_status()
        return turn(answer.json())

    async def forget(self, conversation: int, summary: str = "") -> None:
        """Restart the tracker and leave the `summary` in its slot `handed_back`; raises `httpx.HTTPError`."""
        # a rule begins where the bot listens: without the last event the first message after it would match none
        events = [
            {"event": "restart"},
            {"event": "slot", "name": "handed_back", "value": summary or None},
            {"event": "action", "name": "action_listen"},
        ]
        answer = await self._http.post(f"/conversations/{conversation}/tracker/events", json=events)
        answer.raise_for_status()

    async def brief(self, conversation: int) -> Mapping[str, Any]:
        """What the dialogue holds of a conversation: filled `slots`, and `tries` it did not understand.

        Empty when Rasa does not answer within a second: a brief is not worth a wait.
        """
        try:
            answer = await self._http.get(
                f"/conversations/{conversation}/tracker", params={"include_events": "AFTER_RESTART"}, timeout=1
            )
            answer.raise_for_status()
            tracker = answer.json()
            slots = {
                name: value
                for name, value in tracker["slots"].items()
                if value not in (None, [], False) and name not in BOOKKEEPING
            }
            tries = sum(event.get("name") == "action_fallback" for event in tracker["events"] or ())
        except (httpx.HTTPError, ValueError, KeyError, AttributeError):
            return {}
        return {"slots": slots, "tries": tries}

    async def ready(self) -> None:
        """Raise `httpx.HTTPError` unless Rasa has a model and answers."""
        answer = await self._http.get("/status")
        answer.raise_for_status()

    async def using(self) -> str:
        """The version that reads now, "" for none; raises `httpx.HTTPError`, or `KeyError` without our door."""
        answer = await self._http.get("/webhooks/rest/")
        answer.raise_for_status()
        return str(answer.json()["model"])

    async def load(self, folder: Path) -> None:
        """Let the model in `folder` read from now on; after `httpx.HTTPError` or `ValueError` the old one stays."""
        body = {"model_file": str(folder / "model.tar.gz")}
        answer = await self._http.put("/model", json=body, timeout=LOADED_WITHIN)
        if answer.status_code == 400:
            raise ValueError(answer.json().get("message", answer.text))
        answer.raise_for_status()

    async def close(self) -> None:
        """Give connections back."""
        await self._http.aclose()


def escape(text: str) -> str:
    """What Rasa may read: simplified, no leading slash, no control characters, at most `LONGEST_TEXT` long."""
    plain = "".join(c if c.isprintable() else " " for c in _SIMPLIFIED.convert(text[:LONGEST_TEXT])).strip()
    return "／" + plain[1:] if plain.startswith("/") else plain or "？"


def turn(answers: Sequence[Mapping[str, Any]]) -> Turn:
    """Rasa's list of answers as one turn: a card joins the text before it, the last handoff is the turn's reason.

    The reading is what `bot.dialogue.door` adds; an answer of Rasa's own channel has none. Raises `ValueError` or
    `KeyError` for anything but a list of answers.
    """
    if not isinstance(answers, list):
        raise ValueError(f"Rasa answered {type(answers).__name__} instead of a list")
    replies: list[Outbound] = []
    handoff: str | None = None
    reading: Reading | None = None
    for answer in answers:
        custom = answer.get("custom") or {}
        if "handoff" in custom:
            handoff = str(custom["handoff"])
        if "reading" in custom:
            reading = as_reading(custom["reading"])
        if "card" in custom:
            card = custom["card"]
            last = replies.pop() if replies else Outbound(card["title"])
            replies.append(Outbound(last.text, last.buttons, card))
        buttons = tuple(Button(b["title"], b["payload"]) for b in answer.get("buttons") or ())
        if answer.get("text"):
            replies.append(Outbound(answer["text"], buttons))
    return Turn(tuple(replies), handoff, reading)


def as_reading(given: Mapping[str, Any]) -> Reading:
    """What `bot.dialogue.door.read` wrote; raises `KeyError` when something is missing."""
    ranking = tuple((str(intent), float(confidence)) for intent, confidence in given["ranking"])
    return Reading(
        ranking or ((str(given["intent"]), float(given["confidence"])),),
        tuple(given["entities"]),
        str(given["model"]),
        bool(given["fallback"]),
    )
