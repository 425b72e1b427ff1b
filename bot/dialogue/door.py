"""Rasa's REST door with two things more: what was read in the message, and by which model; and several matters in one
message are answered one after the other.

The answer is that of Rasa's `rest` channel, a list, with `{"custom": {"reading": {…}}}` added: see `read`. A model's
version is the name of its folder.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rasa.core.agent import Agent
from rasa.core.channels.channel import CollectingOutputChannel, InputChannel, UserMessage
from rasa.shared.core.events import ActionExecuted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, json

from bot.dialogue.matters import apart

FALLBACK_INTENT, FALLBACK_ACTION = "nlu_fallback", "action_fallback"
RANKED = 5
ALSO_ASKED = "also_asked"
BEGIN_WITHIN = 1.0


class Door(InputChannel):
    """`POST /webhooks/rest/webhook` with {"sender", "message", "metadata": {"seq"}}."""

    @classmethod
    def name(cls) -> str:
        """The path that Rasa's own channel has."""
        return "rest"

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """The routes; the model that begins a turn ends it, whichever is loaded meanwhile."""
        door = Blueprint("door")

        @door.get("/")
        async def using(request: Request) -> HTTPResponse:
            return json({"status": "ok", "model": version(request.app.ctx.agent)})

        @door.post("/webhook")
        async def receive(request: Request) -> HTTPResponse:
            agent, said, collector = request.app.ctx.agent, request.json, CollectingOutputChannel()
            reading = await Exchange(agent, collector, said["sender"], said.get("metadata")).take(said["message"])
            if reading is not None:
                reading["model"] = version(agent)
                collector.messages.append({"recipient_id": said["sender"], "custom": {"reading": reading}})
            return json(collector.messages)

        return door


class Exchange:
    """A customer's message, answered by one agent; a further matter waits until no form asks for the one before."""

    def __init__(
        self, agent: Agent, collector: CollectingOutputChannel, sender: str, metadata: dict[str, Any] | None
    ) -> None:
        """`collector` gets the answers."""
        self._agent = agent
        self._collector = collector
        self._sender = sender
        self._metadata = metadata

    async def take(self, text: str) -> dict[str, Any] | None:
        """Answer, and tell what was read in the message as a whole.

        A further matter is begun within `BEGIN_WITHIN`; what is left waits for the next message, like that of a form.
        """
        begun, tracker = time.monotonic(), await self._tracker()
        asking = tracker is not None and tracker.active_loop_name is not None
        keeps = tracker is None or ALSO_ASKED in tracker.slots  # a model from before has no place for what waits
        first, *more = [text] if asking or not keeps else await apart(text, self._read)
        tracker, reading = await self._answer(first)
        if tracker is None:
            return reading
        before = str(tracker.get_slot(ALSO_ASKED) or "").splitlines()
        waiting = more or await self._still_open(before, reading)
        while waiting and tracker.active_loop_name is None and time.monotonic() - begun < BEGIN_WITHIN:
            if self._handed_over():
                break
            matter = waiting.pop(0)
            await self._say("say_also", tracker, matter=matter)
            tracker, answered = await self._answer(matter)
            if reading is not None and answered is not None:
                reading["fallback"] |= answered["fallback"]
        left = [] if self._handed_over() else waiting
        if left != before:
            tracker.update(SlotSet(ALSO_ASKED, "\n".join(left) or None))
            await self._agent.tracker_store.save(tracker)
        return {**await self._read(text), "fallback": reading["fallback"]} if more and reading is not None else reading

    async def _answer(self, text: str) -> tuple[Any, dict[str, Any] | None]:
        """The tracker after the answer, and what was read."""
        message = UserMessage(text, self._collector, self._sender, input_channel=Door.name(), metadata=self._metadata)
        await self._agent.handle_message(message)
        tracker = await self._tracker()
        return tracker, last_reading(tracker, message.message_id) if tracker is not None else None

    async def _still_open(self, waiting: list[str], reading: dict[str, Any] | None) -> list[str]:
        """Of what waits, what the customer did not ask again in the message that was just read, or leave with 再见."""
        now = reading["intent"] if reading is not None else None
        if not waiting or now == "goodbye":
            return []
        return [matter for matter in waiting if (await self._read(matter))["intent"] != now]

    async def _tracker(self) -> DialogueStateTracker | None:
        return await self._agent.tracker_store.retrieve(self._sender)

    async def _read(self, text: str) -> dict[str, Any]:
        return read(await self._agent.parse_message(text))

    async def _say(self, response: str, tracker: DialogueStateTracker, **values: str) -> None:
        said = await self._agent.nlg.generate(response, tracker, self._collector.name(), **values)
        await self._collector.send_response(self._sender, said)

    def _handed_over(self) -> bool:
        return any("handoff" in (answer.get("custom") or {}) for answer in self._collector.messages)


def version(agent: Agent) -> str:
    """The version of the model that an agent holds, "" for none."""
    return str(agent.processor.model_path.parent.name) if agent.is_ready() else ""


def last_reading(tracker: DialogueStateTracker, message_id: str) -> dict[str, Any] | None:
    """`read` of one message of a tracker, and whether the turn was answered as not understood."""
    fallback = False
    for event in reversed(tracker.events):
        if isinstance(event, ActionExecuted):
            fallback |= event.action_name == FALLBACK_ACTION
        elif isinstance(event, UserUttered) and event.message_id == message_id:
            return {**read(event.parse_data), "fallback": fallback}
    return None


def read(parsed: Mapping[str, Any]) -> dict[str, Any]:
    """What a model made of a text, from Rasa's parse data.

    {"intent", "confidence", "ranking": up to five [intent, confidence], "entities": [{"entity", "value", "start",
    "end"}], "fallback": whether the pipeline would rather not choose}; `nlu_fallback` itself is not ranked.
    """
    ranked = [(one["name"], float(one["confidence"])) for one in parsed.get("intent_ranking") or [parsed["intent"]]]
    ranking = [[name, confidence] for name, confidence in ranked if name != FALLBACK_INTENT][:RANKED]
    intent, confidence = ranking[0] if ranking else (FALLBACK_INTENT, 0.0)
    return {
        "intent": intent,
        "confidence": confidence,
        "ranking": ranking,
        "entities": [{key: one.get(key) for key in ("entity", "value", "start", "end")} for one in parsed["entities"]],
        "fallback": parsed["intent"].get("name") == FALLBACK_INTENT,
    }
