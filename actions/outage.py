"""Answers about outages of an area 台区, and fault reports 报修."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.forms import FormValidationAction

from actions.account_form import LEFT, STOPPED
from actions.speech import (
    Clock,
    Events,
    card,
    conversation,
    entity,
    follow,
    intent,
    local,
    message_seq,
    said,
    say_unavailable,
)
from actions.systems import Area, Outage, Systems, SystemUnavailable
from actions.verification import Verification
from triage.incident import Place
from triage.queue import TicketQueue

TOPICS = frozenset(("query_restore_time", "query_planned_outage", "ask_outage_reason", "report_outage"))
VALUES = frozenset(("inform", "affirm", "nlu_fallback", "out_of_scope", "greet"))
MOST_CHOICES = 5
SOON = timedelta(days=7)
KINDS = {"planned": "计划停电", "fault": "故障停电", "temporary": "临时停电"}
CREWS = {
    "dispatched": "抢修人员已出发",
    "arrived": "抢修人员已到现场",
    "repairing": "正在抢修",
    "restored": "已经恢复供电",
}


class ValidateOutageForm(FormValidationAction):
    """Finds the area: named in the text, chosen by button, or the one of the verified account.

    The slot `area` ends as "area_id|name"; the topic is the question the form was opened for.
    """

    def __init__(self, systems: Systems, verification: Verification) -> None:
        """Areas and accounts come from `systems`."""
        self._systems = systems
        self._verification = verification

    def name(self) -> str:
        """Rasa's name of the action."""
        return "validate_outage_form"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Set the slots; the form asks again while no single area is known."""
        about, asked = intent(tracker), tracker.get_slot("requested_slot")
        named = entity(tracker, "area")
        events: Events = []
        if about in TOPICS:
            events.append(SlotSet("topic", about))
        elif asked and named is None and about not in VALUES:
            return [SlotSet("topic", LEFT), SlotSet("area", None), SlotSet("requested_slot", None)]
        try:
            areas = await self._areas(tracker, named or (said(tracker) if asked else None))
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
            return [SlotSet("topic", STOPPED), SlotSet("area", None), SlotSet("requested_slot", None)]
        if len(areas) == 1:
            known = f"{areas[0].area_id}|{areas[0].name}"
            return [*events, SlotSet("area", known), SlotSet("requested_slot", None)]
        if len(areas) > 1:
            buttons = [{"title": a.name, "payload": f'/inform{{"area":"{a.name}"}}'} for a in areas[:MOST_CHOICES]]
            dispatcher.utter_message(response="utter_area_choose", buttons=buttons)
        else:
            dispatcher.utter_message(response="utter_area_unknown" if asked or named else "utter_which_area")
        return [*events, SlotSet("area", None), SlotSet("requested_slot", "area")]

    async def _areas(self, tracker: Tracker, query: str | None) -> Sequence[Area]:
        if query is not None:
            found = await self._systems.areas(query)
            exact = [area for area in found if area.name == query]
            return exact or found
        account_no = await self._verification.account(conversation(tracker))
        account = await self._systems.account(account_no) if account_no else None
        if account is None:
            return []
        # the account knows its area by id; its name is looked up by the address
        found = await self._systems.areas(account.address)
        return [a for a in found if a.area_id == account.area_id] or [Area(account.area_id, account.address, "", "")]


class ActionOutage(Action):
    """Says what the outage system knows of the area, or files a fault report."""

    def __init__(
        self,
        systems: Systems,
        verification: Verification,
        queue: TicketQueue,
        clock: Clock,
        subjects: Mapping[str, str],
    ) -> None:
        """`subjects`: where a left form leads; `queue` keeps the reports' tickets, and makes one fault one incident."""
        self._systems = systems
        self._verification = verification
        self._queue = queue
        self._clock = clock
        self._subjects = subjects

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_outage"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Answer the topic; the form's slots are emptied."""
        topic, known = tracker.get_slot("topic"), tracker.get_slot("area")
        done: Events = [SlotSet("topic", None), SlotSet("area", None)]
        if topic == LEFT:
            return [*done, *follow(tracker, self._subjects)]
        if topic == STOPPED or not known:
            return done
        area_id, name = known.split("|", 1)
        try:
            outages = await self._systems.outages(area_id)
            if topic == "query_planned_outage":
                self._say_planned(dispatcher, name, outages)
            elif (now := self._current(outages)) is not None:
                self._say_current(dispatcher, name, now)
            elif topic == "report_outage" and entity(tracker, "confirmed"):
                await self._report(dispatcher, tracker, area_id, name)
            else:
                restored = self._restored(outages)
                if restored is not None:
                    self._say_current(dispatcher, name, restored)
                report = {"title": "报修", "payload": f'/report_outage{{"area":"{name}","confirmed":"yes"}}'}
                dispatcher.utter_message(response="utter_no_outage", area=name, buttons=[report])
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
        return done

    def _current(self, outages: Sequence[Outage]) -> Outage | None:
        now = self._clock()
        return next((o for o in outages if o.starts_at <= now and o.restored_at is None), None)

    def _restored(self, outages: Sequence[Outage]) -> Outage | None:
        return next((o for o in outages if o.restored_at is not None), None)

    def _say_planned(self, dispatcher: CollectingDispatcher, name: str, outages: Sequence[Outage]) -> None:
        now = self._clock()
        planned = [o for o in outages if o.kind == "planned" and now < o.starts_at < now + SOON]
        for outage in reversed(planned):
            self._say(dispatcher, name, outage, f"{KINDS['planned']}，{_span(outage)}，原因：{outage.reason}。")
        if (current := self._current(outages)) is not None:
            self._say_current(dispatcher, name, current)
        elif not planned:
            dispatcher.utter_message(response="utter_no_planned_outage", area=name)

    def _say_current(self, dispatcher: CollectingDispatcher, name: str, outage: Outage) -> None:
        kind = KINDS.get(outage.kind, "停电")
        if outage.restored_at is not None:
            what = (
                f"{local(outage.starts_at)}的{kind}，原因：{outage.reason}，已在{local(outage.restored_at)}恢复供电。"
            )
        else:
            crew = CREWS.get(outage.crew or "", "")
            end = f"预计{local(outage.ends_at)}来电" if outage.ends_at else "来电时间还没有确定"
            what = f"{kind}，{local(outage.starts_at)}开始，原因：{outage.reason}。{crew + '，' if crew else ''}{end}。"
        self._say(dispatcher, name, outage, what)

    @staticmethod
    def _say(dispatcher: CollectingDispatcher, name: str, outage: Outage, what: str) -> None:
        dispatcher.utter_message(response="utter_outage", area=name, what=what, as_of=local(outage.as_of))
        rows = [
            ("类型", KINDS.get(outage.kind, "停电")),
            ("原因", outage.reason),
            ("开始", local(outage.starts_at)),
            ("预计来电", local(outage.ends_at) if outage.ends_at else "待定"),
        ]
        if outage.restored_at is not None:
            rows[-1] = ("恢复供电", local(outage.restored_at))
        if outage.crew in CREWS:
            rows.append(("抢修进度", CREWS[outage.crew]))
        dispatcher.utter_message(json_message=card("outage", name, rows, outage.as_of))

    async def _report(self, dispatcher: CollectingDispatcher, tracker: Tracker, area_id: str, name: str) -> None:
        who, seq = conversation(tracker), message_seq(tracker)
        account_no = await self._verification.account(who)
        number = await self._systems.report_fault(
            account_no=account_no,
            area_id=area_id,
            description=said(tracker),
            contact=f"conversation {who}",
            idempotency_key=f"{who}-{seq}",
        )
        area = next((one for one in await self._systems.areas(name) if one.area_id == area_id), None)
        place = Place(area.name, area.transformer, area.feeder) if area is not None else None
        await self._queue.file(who, seq, f"{name}停电了，报修编号{number}", account_no, place)
        dispatcher.utter_message(response="utter_fault_reported", report_no=number, area=name)


def _span(outage: Outage) -> str:
    return f"{local(outage.starts_at)}到{local(outage.ends_at) if outage.ends_at else '待定'}"
