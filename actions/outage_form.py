"""The outage form: which area, and for a report whether one home or many are out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Sequence
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.forms import FormValidationAction

from actions.areas import core
from actions.complaint import ASKS, TOOK_DOWN
from actions.follow import (
    MANY,
    ONE,
    REPORT,
    TRIPPED,
    UNSURE,
    how_long_of,
    last_action,
    last_said,
    scope,
    service_goes_on,
    tried_in_vain,
)
from actions.interruption import LEFT, STOPPED, missed, resumes
from actions.numbers import account_no, last_four
from actions.outage_check import cut_for_money, within
from actions.outage_watch import OutageWatch
from actions.speech import Clock, Events, conversation, entity, intent, local, said, say_unavailable
from actions.systems import Account, Area, Systems, SystemUnavailable
from actions.verification import Locked, Refused, Verification, Verified

TOPICS = frozenset(
    "query_restore_time query_planned_outage ask_outage_reason report_outage subscribe_outage_notice".split()
)
VALUES = frozenset("inform nlu_fallback out_of_scope deny".split())
NOTED = "noted"
LOOKING_FOR = 0.9
MOST_CHOICES = 5
OF_POWER = re.compile("[电修亮停闸灯黑跳断]|通知|恢复|/")
OWN_HOME = re.compile(r"我(们)?(自己)?(家|屋)|[俺咱]们?家|屋头|屋企")
DISTRICT = re.compile("(是|在)?.{1,3}(?<![小社园校片])[区县市](的|那个|这个|吧)*")
CORRECTION = re.compile(r"^(不对|不是|错了|说错|打错|应该是|更正)")


def insists(tracker: Tracker) -> bool:
    """Whether the customer wants the report filed after what they were told: a button, 「报修吧」, or urging.

    It holds until the form, which may have to ask where, is through.
    """
    tripped = last_said(tracker) in TRIPPED
    told = tripped or last_action(tracker) == "action_outage"
    text = said(tracker)
    answered = told and (REPORT.search(text) is not None or tried_in_vain(tracker)) or tripped and text.startswith("/")
    urged = entity(tracker, "confirmed") is not None or intent(tracker) == "urge_ticket"
    return bool(urged or answered or tracker.get_slot("insisted"))


class ValidateOutageForm(FormValidationAction):
    """Finds the area: named in the text, chosen by button, or the one of the verified account.

    The slot `area` ends as "area_id|name"; the topic is the question the form was opened for.
    """

    def __init__(self, systems: Systems, verification: Verification, watch: OutageWatch, clock: Clock) -> None:
        """Areas and accounts come from `systems`; `watch` knows what the contact already waits for."""
        self._systems = systems
        self._verification = verification
        self._watch = watch
        self._clock = clock

    def name(self) -> str:
        """Rasa's name of the action."""
        return "validate_outage_form"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Set the slots; the form asks again while no single area is known."""
        about, asked, text = intent(tracker), tracker.get_slot("requested_slot"), said(tracker)
        named, extent = entity(tracker, "area"), entity(tracker, "scope") or scope(text)
        if named is not None and not core(named):
            named = None  # a house number alone tells no area
        topic = (
            about if about in TOPICS and (not asked or about != "report_outage") else tracker.get_slot("topic") or about
        )
        events: Events = [SlotSet("topic", topic)]
        told_more = (
            last_said(tracker) in TOOK_DOWN
            and named is None
            and extent is None
            and not (OF_POWER.search(text) or ASKS.search(text))
        )
        if not asked and (told_more or how_long_of(tracker) is not None or service_goes_on(tracker) is not None):
            return [
                SlotSet("topic", NOTED if told_more else LEFT),
                SlotSet("area", None),
                SlotSet("requested_slot", None),
            ]
        if not asked:
            events += [SlotSet("misses", None), SlotSet("insisted", insists(tracker) or None)]
            if not text.startswith("/"):
                events.append(SlotSet("matter", text))
        corrected = CORRECTION.match(text) is not None
        if asked == "scope" and corrected and extent is None and not core(CORRECTION.sub("", text)):
            # 「不是，是3号楼」: the area stays, the house goes with the report
            events.append(SlotSet("matter", f"{tracker.get_slot('matter') or ''}，{text}".strip("，")))
            return [*events, *await self._again(dispatcher, tracker, asked)]
        unsure = asked == "scope" and UNSURE.search(text) is not None
        told = unsure or named is not None or extent is not None or about in TOPICS
        if asked == "area" and (number := account_no(text)) is not None:
            return [*events, *await self._proven(dispatcher, tracker, topic, number)]
        if asked and not told and (not corrected or about not in (*VALUES, "affirm")):
            if resumes(dispatcher, tracker):
                return [*events, *await self._again(dispatcher, tracker, asked)]
            if about not in VALUES - {"deny"}:
                return [*events, SlotSet("topic", LEFT), SlotSet("requested_slot", None)]
        if asked == "scope" and not corrected and named is None:
            return [*events, *self._scope(dispatcher, tracker, extent, told)]
        if not asked and named is None and about != "query_planned_outage":
            waiting = await self._watch.awaited(conversation(tracker))
            if waiting is not None:
                return [*events, *_found(f"{waiting.area_id}|{waiting.area_name}", extent)]
        try:
            async with asyncio.timeout(LOOKING_FOR):
                areas = await self._areas(tracker, named or (text if asked or not text.startswith("/") else None))
        except (SystemUnavailable, TimeoutError) as failure:
            missing = failure if isinstance(failure, SystemUnavailable) else SystemUnavailable("停电信息系统", "slow")
            say_unavailable(dispatcher, missing)
            return [*events, SlotSet("topic", STOPPED), SlotSet("area", None), SlotSet("requested_slot", None)]
        extent = extent or (tracker.get_slot("scope") if asked == "area" else None)
        if len(areas) == 1:
            return [*events, *await self._known(dispatcher, tracker, topic, areas[0], extent)]
        if len(areas) > 1:
            _choose(dispatcher, areas)
            events.append(SlotSet("area_said", named or tracker.get_slot("area_said") or text))
        elif asked and not told and (over := missed(dispatcher, tracker)) is not None:
            return [*events, *over]
        else:
            if asked and not told:
                events.append(SlotSet("misses", 1))
            unknown = named is not None or (asked is not None and about not in TOPICS)
            if named is not None or not await self._choose_again(dispatcher, tracker):
                dispatcher.utter_message(response="say_area_unknown" if unknown else "say_which_area")
        return [*events, SlotSet("area", None), SlotSet("scope", extent), SlotSet("requested_slot", "area")]

    async def _proven(self, dispatcher: CollectingDispatcher, tracker: Tracker, topic: str, number: str) -> Events:
        """An account instead of a place: it tells the place once it is verified."""
        who, ending, wait = conversation(tracker), last_four(said(tracker)), SlotSet("requested_slot", "area")
        if ending is None:
            dispatcher.utter_message(response="say_account_needs_ending")
            return [SlotSet("area", None), wait]
        try:
            outcome = await self._verification.verify(who, number, ending)
            account = await self._systems.account(number) if isinstance(outcome, Verified) else None
            if account is not None:
                return await self._known(dispatcher, tracker, topic, await self._area_of(account), None)
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
            return [SlotSet("topic", STOPPED), SlotSet("area", None), SlotSet("requested_slot", None)]
        if isinstance(outcome, Locked):
            dispatcher.utter_message(response="say_verification_locked", until=local(outcome.until))
        elif isinstance(outcome, Refused):
            dispatcher.utter_message(response="say_verification_failed", left=str(outcome.left))
        dispatcher.utter_message(response="say_which_area")
        return [SlotSet("area", None), wait]

    async def _area_of(self, account: Account) -> Area:
        """The account knows its area by id; its name is looked up by the address."""
        found = await self._systems.areas(account.address)
        return next((a for a in found if a.area_id == account.area_id), Area(account.area_id, account.address, "", ""))

    async def _known(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, topic: str, area: Area, extent: str | None
    ) -> Events:
        """The area is known; a report asks how many are out, unless an outage or a report is known already."""
        found = _found(f"{area.area_id}|{area.name}", extent)
        if topic != "report_outage" or extent is not None or insists(tracker):
            return found
        if await self._watch.reported(conversation(tracker), area.area_id) is not None:
            return found
        account_no = await self._verification.account(conversation(tracker))
        questions: dict[str, Awaitable[Any]] = {"outages": self._systems.outages(area.area_id)}
        if account_no is not None:
            questions["account"] = self._systems.account(account_no)
        answers = await within(questions, LOOKING_FOR)
        now, account = self._clock(), answers.get("account")
        if "outages" not in answers:
            return found
        if account is not None and account.area_id == area.area_id and cut_for_money(account):
            return found
        if any(o.starts_at <= now and o.restored_at is None for o in answers["outages"]):
            return found
        return [*found[:2], *self._ask_scope(dispatcher, area.name)]

    def _scope(self, dispatcher: CollectingDispatcher, tracker: Tracker, extent: str | None, told: bool) -> Events:
        if extent is not None or UNSURE.search(said(tracker)):
            return [SlotSet("scope", extent), SlotSet("requested_slot", None)]
        if not told and (over := missed(dispatcher, tracker)) is not None:
            return over
        name = str(tracker.get_slot("area") or "|").split("|", 1)[1]
        return [*([] if told else [SlotSet("misses", 1)]), *self._ask_scope(dispatcher, name)]

    async def _again(self, dispatcher: CollectingDispatcher, tracker: Tracker, asked: str) -> Events:
        if asked == "scope":
            return self._ask_scope(dispatcher, str(tracker.get_slot("area") or "|").split("|", 1)[1])
        if not await self._choose_again(dispatcher, tracker):
            dispatcher.utter_message(response="say_which_area")
        return [SlotSet("requested_slot", "area")]

    async def _choose_again(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> bool:
        """Offer once more the areas that the name given before may mean; False when none was."""
        before = tracker.get_slot("area_said")
        try:
            areas = await self._systems.areas(str(before)) if before else []
        except SystemUnavailable:
            return False
        if len(areas) > 1:
            _choose(dispatcher, areas)
        return len(areas) > 1

    @staticmethod
    def _ask_scope(dispatcher: CollectingDispatcher, name: str) -> Events:
        buttons = [
            {"title": "只有我家停", "payload": f'/report_outage{{"area":"{name}","scope":"{ONE}"}}'},
            {"title": "邻居也停了", "payload": f'/report_outage{{"area":"{name}","scope":"{MANY}"}}'},
        ]
        dispatcher.utter_message(response="say_which_scope", buttons=buttons, area=name)
        return [SlotSet("scope", None), SlotSet("requested_slot", "scope")]

    async def _areas(self, tracker: Tracker, query: str | None) -> Sequence[Area]:
        text = said(tracker)
        if query is not None:
            before = str(tracker.get_slot("area_said") or "")
            found = await self._systems.areas(f"{query}{before}" if DISTRICT.fullmatch(query) else query)
            if len(found) != 1 and query != text and not text.startswith("/"):
                # the entity may be only a part of the name
                whole = await self._systems.areas(text)
                found = whole if len(whole) == 1 or not found else found
            if not found and before:
                found = await self._systems.areas(f"{query}{before}")  # 「云溪区的」 of the places offered before
            exact = [area for area in found if area.name == query]
            if exact or found or tracker.get_slot("requested_slot") or entity(tracker, "area"):
                return exact or found
        if (last := await self._watch.last(conversation(tracker))) is not None:
            return [Area(last.area_id, last.area_name, "", "")]
        account_no = await self._verification.account(conversation(tracker))
        spoken_of = str(tracker.get_slot("last_area") or "")
        if spoken_of and not (account_no and OWN_HOME.search(text)):
            area_id, name = spoken_of.split("|", 1)
            return [Area(area_id, name, "", "")]
        account = await self._systems.account(account_no) if account_no else None
        return [await self._area_of(account)] if account is not None else []


def _choose(dispatcher: CollectingDispatcher, areas: Sequence[Area]) -> None:
    buttons = [{"title": a.name, "payload": f'/inform{{"area":"{a.name}"}}'} for a in areas[:MOST_CHOICES]]
    dispatcher.utter_message(response="say_area_choose", buttons=buttons)


def _found(area: str, extent: str | None) -> Events:
    return [SlotSet("area", area), SlotSet("misses", None), SlotSet("scope", extent), SlotSet("requested_slot", None)]
