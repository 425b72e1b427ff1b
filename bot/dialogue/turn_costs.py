"""What a turn costs Rasa beyond what our dialogue needs, taken away; `serve.py` calls `spare()` before Rasa starts.

Rasa sends each action the whole domain and every event of the conversation: here the latest events, and of the domain
what a form's validation reads. It checks each answer against a schema, and before that the schema against the schema
of schemas: the answers are our own, here their shape is looked at. It opens a connection for each call: here they stay.
It looks for rules over the words of a message, of which we have none, and tries every rule: here those that follow the
last action. It searches all classes for the one of each event: here it is remembered. It hands each reading and each
prediction to a scheduler made for clusters: here its nodes run one after the other. It copies events for a log that
nobody keeps: here it does not. It plays a conversation again to copy it: here its state is copied. It builds an empty
domain for each message to see whether ours is empty. It sends the head of a call before its body: here in one packet.
"""

from __future__ import annotations

import copy
import functools
import json
from collections import defaultdict
from itertools import islice
from typing import Any

import aiohttp
import rasa
import ujson
from aiohttp import client_reqrep
from aiohttp.http_writer import StreamWriter
from rasa.core import processor
from rasa.core.actions import forms
from rasa.core.actions.action import RemoteAction
from rasa.core.policies.rule_policy import RULES, RulePolicy
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.events import Event
from rasa.shared.core.slots import Slot
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import RasaException
from rasa.utils.endpoints import EndpointConfig

EVENTS = 40
LONGEST_CALL = 300.0

Lookup = dict[str, str]

_open: dict[str, aiohttp.ClientSession] = {}
_own_search = RulePolicy._find_action_from_rules
_own_keys = RulePolicy._get_possible_keys
_indexes: dict[int, tuple[Lookup, dict[str | None, Lookup]]] = {}


def spare() -> None:
    """Put the cheaper ways in place."""
    EndpointConfig.session = session
    client_reqrep.StreamWriter = OnePacket  # type: ignore[attr-defined]
    RemoteAction._action_call_format = call
    RemoteAction._validate_action_result = check
    RulePolicy._find_action_from_rules = search
    RulePolicy._get_possible_keys = possible_keys
    DaskGraphRunner.run = run
    DialogueStateTracker.copy = duplicate
    Slot.__copy__ = same_slot
    Domain.is_empty = lambda domain: not (domain.responses or domain.forms)
    for module in (forms, processor):  # both copy for their log alone
        module.copy = _Uncopied
    Event.resolve_by_type = staticmethod(functools.lru_cache(Event.resolve_by_type))


class _Uncopied:
    @staticmethod
    def deepcopy(value: Any) -> Any:
        return value


class OnePacket(StreamWriter):
    """Writes the head of a request together with the first of its body."""

    _head: Any = None

    def _write(self, chunk: Any) -> None:
        if self._head is None:
            self._head = chunk
        else:
            super()._write(self._head + chunk)
            self._head = b""

    async def write_eof(self, chunk: bytes = b"") -> None:
        """As aiohttp's; a request without a body is its head."""
        if self._head and not chunk:
            self._write(b"")
        await super().write_eof(chunk)


class _Kept:
    """A session that stays open after `async with`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __aenter__(self) -> aiohttp.ClientSession:
        return self._session

    async def __aexit__(self, *_: object) -> None:
        pass


def session(endpoint: EndpointConfig) -> Any:
    """One open session for each endpoint's address, which knows a token and no other authentication."""
    if endpoint.url not in _open or _open[endpoint.url].closed:
        _open[endpoint.url] = aiohttp.ClientSession(
            headers=endpoint.headers, timeout=aiohttp.ClientTimeout(total=LONGEST_CALL), json_serialize=ujson.dumps
        )
    return _Kept(_open[endpoint.url])


def call(action: RemoteAction, tracker: DialogueStateTracker, domain: Domain) -> dict[str, Any]:
    """What an action is sent: the tracker with its latest `EVENTS`, and for a form's validation the forms."""
    latest = islice(reversed(tracker.events), EVENTS)
    return {
        "next_action": action.name(),
        "sender_id": tracker.sender_id,
        "tracker": {
            "sender_id": tracker.sender_id,
            "slots": tracker.current_slot_values(),
            "latest_message": tracker.latest_message.parse_data if tracker.latest_message else None,
            "events": [_brief(event) for event in latest][::-1],
            "active_loop": {"name": tracker.active_loop_name} if tracker.active_loop else {},
            "latest_action_name": tracker.latest_action_name,
        },
        "domain": {"forms": domain.forms} if action.name().startswith("validate_") else {},
        "version": rasa.__version__,
    }


def _brief(event: Event) -> dict[str, Any]:
    """What happened, without all that was read in a message, and without the cards and buttons of an answer."""
    told: dict[str, Any] = event.as_dict()
    for heavy in ("parse_data", "data", "input_channel"):
        told.pop(heavy, None)
    return told


def duplicate(tracker: DialogueStateTracker) -> DialogueStateTracker:
    """A tracker in the same state, which goes on by itself."""
    other = copy.copy(tracker)
    other.events = tracker.events.copy()
    other.slots = {name: copy.copy(slot) for name, slot in tracker.slots.items()}
    other.active_loop = copy.copy(tracker.active_loop)
    return other


def same_slot(slot: Slot) -> Slot:
    """As `copy.copy`, at a third of its cost."""
    other = object.__new__(type(slot))
    other.__dict__.update(slot.__dict__)
    return other


def check(action: RemoteAction, result: Any) -> bool:
    """True for an object with lists of events and responses; raises `RasaException` for anything else."""
    if not isinstance(result, dict) or not all(isinstance(result.get(k, []), list) for k in ("events", "responses")):
        raise RasaException(f"{action.name()} answered neither events nor responses: {result!r:.200}")
    return True


def run(
    runner: DaskGraphRunner, inputs: dict[str, Any] | None = None, targets: list[str] | None = None
) -> dict[str, Any]:
    """As Rasa's: what `targets` (or the graph's own) give, each node run once after those it needs."""
    schema, nodes = runner._graph_schema, runner._instantiated_nodes
    given = {name: (name, value) for name, value in (inputs or {}).items()}

    def result(name: str) -> tuple[str, Any]:
        if name not in given:
            given[name] = nodes[name](*map(result, schema.nodes[name].needs.values()))
        return given[name]

    return dict(map(result, targets or schema.target_names))


def search(
    policy: RulePolicy, tracker: DialogueStateTracker, domain: Domain, use_text_for_last_user_input: bool
) -> Any:
    """As Rasa's; rules over the words of a message are looked for only where there are some."""
    if use_text_for_last_user_input and not _with_text(policy.lookup[RULES]):
        return None, None, False
    return _own_search(policy, tracker, domain, use_text_for_last_user_input)


def possible_keys(policy: RulePolicy, lookup: Lookup, states: list[State]) -> set[str]:
    """As Rasa's, among the rules whose last state follows the same action; the others cannot apply."""
    if not states:
        return set(_own_keys(policy, lookup, states))
    last = states[-1].get("prev_action")
    return set(_own_keys(policy, _index(lookup).get(_name(last), {}), states))


def _index(lookup: Lookup) -> dict[str | None, Lookup]:
    known = _indexes.get(id(lookup))
    if known is None or known[0] is not lookup:
        found: defaultdict[str | None, Lookup] = defaultdict(dict)
        for key, action in lookup.items():
            found[_name(json.loads(key)[-1].get("prev_action"))][key] = action
        known = _indexes[id(lookup)] = (lookup, dict(found))
    return known[1]


def _with_text(lookup: Lookup) -> bool:
    return any('"text":' in key for key in lookup)


def _name(action: Any) -> str | None:
    return (action.get("action_name") or action.get("action_text")) if action else None
