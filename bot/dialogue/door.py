"""Rasa's REST door with one thing more: what was read in the message, and by which model.

The answer is that of Rasa's `rest` channel, a list, with `{"custom": {"reading": {…}}}` added: see `read`. A model's
version is the name of its folder.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rasa.core.agent import Agent
from rasa.core.channels.channel import CollectingOutputChannel, InputChannel, UserMessage
from rasa.shared.core.events import ActionExecuted, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, json

FALLBACK_INTENT, FALLBACK_ACTION = "nlu_fallback", "action_fallback"
RANKED = 5


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
            message = UserMessage(
                said["message"], collector, said["sender"], input_channel=self.name(), metadata=said.get("metadata")
            )
            await agent.handle_message(message)
            tracker = await agent.tracker_store.retrieve(message.sender_id)
            reading = last_reading(tracker, message.message_id) if tracker is not None else None
            if reading is not None:
                reading["model"] = version(agent)
                collector.messages.append({"recipient_id": message.sender_id, "custom": {"reading": reading}})
            return json(collector.messages)

        return door


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
