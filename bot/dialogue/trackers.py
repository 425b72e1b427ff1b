"""Rasa's tracker store of ours: live trackers in memory, kept short.

Rasa's own in-memory store writes a conversation to text after each message and replays it before the next, and every
prediction replays all events: both cost more with every turn.
"""

from __future__ import annotations

import copy
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, Event, SessionStarted, SlotSet
from rasa.shared.core.trackers import DialogueStateTracker, get_trackers_for_conversation_sessions

LONG, KEPT = 40, 16


class Trackers(TrackerStore):
    """Keeps the conversations used last, each with its latest turns; slots outlive the events that set them.

    It outlives models: a conversation goes on with the slots of the domain that is set.
    """

    def __init__(
        self,
        domain: Domain,
        event_broker: EventBroker | None = None,
        conversations: int = 5000,
        **kwargs: Any,
    ) -> None:
        """How many `conversations` are kept."""
        super().__init__(domain, event_broker, **kwargs)
        self._most = conversations
        self._live: OrderedDict[str, DialogueStateTracker] = OrderedDict()

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Keep `tracker`, and let go of the conversation that was quiet for longest."""
        await self.stream_events(tracker)
        shorten(tracker)
        self._live[tracker.sender_id] = tracker
        self._live.move_to_end(tracker.sender_id)
        while len(self._live) > self._most:
            self._live.popitem(last=False)

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """The tracker of a conversation, from the start of its present session."""
        tracker = await self.retrieve_full_tracker(sender_id)
        if tracker is not None and sum(isinstance(event, SessionStarted) for event in tracker.events) > 1:
            return get_trackers_for_conversation_sessions(tracker)[-1]
        return tracker

    async def retrieve_full_tracker(self, conversation_id: str) -> DialogueStateTracker | None:
        """The tracker of a conversation with all sessions that are still known."""
        tracker = self._live.get(conversation_id)
        if tracker is not None:
            slots = {slot.name: slot for slot in self.domain.slots}
            if slots.keys() != tracker.slots.keys():  # the model was swapped for one with others
                tracker.slots = {name: tracker.slots.get(name) or copy.copy(slot) for name, slot in slots.items()}
        return tracker

    async def keys(self) -> Iterable[str]:
        """The conversations that are known."""
        return list(self._live)


def shorten(tracker: DialogueStateTracker) -> None:
    """Of more than `LONG` events keep the last turns, `KEPT` or more, after the slots and the loop they began with."""
    events = list(tracker.events)
    if len(events) <= LONG:
        return
    turns = (i for i in range(len(events) - KEPT, 0, -1) if _listens(events[i]))
    start = next(turns, 0)
    before = tracker.init_copy()
    for event in events[:start]:
        before.update(event)
    then = events[start].timestamp
    state: list[Event] = [
        SlotSet(slot.name, slot.value, timestamp=then)
        for slot in before.slots.values()
        if slot.value != slot.initial_value
    ]
    if before.active_loop_name is not None:
        state.append(ActiveLoop(before.active_loop_name, timestamp=then))
    tracker.events = deque([*state, *events[start:]], tracker.events.maxlen)


def _listens(event: Event) -> bool:
    return isinstance(event, ActionExecuted) and event.action_name == "action_listen"
