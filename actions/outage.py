"""Answers about outages of an area 台区, the diagnosis of 「我家停电了」, and fault reports 报修."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.alerts import HOW
from actions.complaint import noted
from actions.follow import ENDS, MANY, ONE, follow, outage_goes_on
from actions.interruption import LEFT, STOPPED
from actions.opening import opened
from actions.outage_check import NAMES, Findings, check
from actions.outage_form import NOTED, ValidateOutageForm, insists
from actions.outage_watch import KINDS, OutageWatch, OutageWatchRow, is_back
from actions.question import Question
from actions.speech import SHANGHAI, Clock, Events, conversation, local, message_seq, said, say_unavailable
from actions.systems import Account, Area, Outage, Systems, SystemUnavailable
from actions.verification import Verification
from triage.incident import Place
from triage.queue import TicketQueue

SOON = timedelta(days=7)
CREWS = {
    "dispatched": "抢修人员已出发",
    "arrived": "抢修人员已到现场",
    "repairing": "正在抢修",
    "restored": "已经恢复供电",
}
SLOTS = ("topic", "area", "scope", "matter", "misses", "area_said", "insisted")
URGE = {"title": "催一下", "payload": "/urge_ticket"}
ENDING = "取消停电通知"


class ActionOutage(Action):
    """Says what the systems know, or files a fault report."""

    def __init__(
        self, form: ValidateOutageForm, systems: Systems, verification: Verification, queue: TicketQueue,
        watch: OutageWatch, clock: Clock, subjects: Mapping[str, str],
    ) -> None:  # fmt: skip
        """`form` asks for what is missing; `subjects`: where a left form leads."""
        self._form = form
        self._systems = systems
        self._verification = verification
        self._queue = queue
        self._watch = watch
        self._clock = clock
        self._subjects = subjects

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_outage"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Ask for what is missing, or answer the topic; the form's slots are emptied."""
        opening, asks = await opened(self._form, dispatcher, tracker, domain)
        return opening if asks else [*opening, *await self._answer(dispatcher, tracker)]

    async def _answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        topic, known = tracker.get_slot("topic"), tracker.get_slot("area")
        done: Events = [SlotSet(slot, None) for slot in SLOTS]
        if known and "|" in known:  # else what was said in its place
            done.append(SlotSet("last_area", known))
        if topic == NOTED:
            if not await noted(dispatcher, tracker, self._queue):
                buttons = [
                    {"title": "登记诉求", "payload": "/file_complaint"},
                    {"title": "还没解决", "payload": "还没解决"},
                ]
                dispatcher.utter_message(response="say_no_open_ticket", buttons=buttons)
            return done
        if topic == LEFT:
            return [*done, *follow(dispatcher, tracker, self._subjects)]
        if topic == STOPPED or not known:
            return done
        done.append(SlotSet("spoken_of", topic))
        area_id, name = known.split("|", 1)
        area = Area(area_id, name, "", "")
        who = conversation(tracker)
        asked = Question(
            dispatcher, who, message_seq(tracker), topic, tracker.get_slot("matter") or said(tracker),
            await self._verification.account(who),
        )  # fmt: skip
        try:
            if topic == "report_outage" or await self._watch.awaited(who) is not None:
                await self._report(asked, area, tracker.get_slot("scope"), insists(tracker))
            elif topic == "subscribe_outage_notice":
                await self._subscribe(asked, area)
            else:
                outages = await self._systems.outages(area.area_id)
                if topic == "query_planned_outage":
                    self._say_planned(asked, area.name, outages)
                else:
                    await self._say_state(asked, area, outages)
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
            return [*done, SlotSet("matter", asked.text)]
        return done

    async def _report(self, asked: Question, area: Area, scope: str | None, insisted: bool) -> None:
        waiting = await self._watch.awaited(asked.conversation)
        if waiting is not None and waiting.area_id == area.area_id:
            await still_out(asked, waiting, self._watch, self._queue)
            return
        now = self._clock()
        own = await self._own_area(asked.account_no, area)
        found = await check(
            self._systems, self._queue, asked.conversation, area.area_id, asked.account_no if own else None,
            now.astimezone(SHANGHAI).date(),
        )  # fmt: skip
        mine = await self._watch.reported(asked.conversation, area.area_id)
        outage, cause = found.current(now), found.cause(now, {MANY: True, ONE: False}.get(scope or ""))
        if cause == "outage" and insisted and mine is None:
            assert outage is not None
            await self._watch.follow(asked.conversation, area, outage)
            await self._file(asked, area, outage)
        elif outage is not None and (cause == "outage" and not insisted or not await self._knows(asked, area, outage)):
            await self._tell(asked, area, outage)
        if cause in ("arrears", "prepaid"):
            self._say_cut(asked, found.account, cause)
        elif mine is not None and (cause != "outage" or insisted):
            asked.say("say_already_reported", [URGE], report_no=mine.report_no or "")
        elif cause == "many" or (insisted and cause != "outage"):
            await self._file(asked, area)
        elif cause != "outage":
            self._say_self_check(asked, area, found)
        if found.unchecked:
            asked.say("say_not_checked", systems="、".join(found.unchecked))

    async def _knows(self, asked: Question, area: Area, outage: Outage) -> bool:
        """Whether the contact was told of this outage."""
        told = await self._watch.last(asked.conversation)
        return told is not None and (told.area_id, told.outage_id) == (area.area_id, outage.outage_id)

    async def _tell(self, asked: Question, area: Area, outage: Outage) -> None:
        """The outage going on, and what the contact will hear of it; whoever still wants can report."""
        self._say(asked, area.name, outage)
        await self._watch.follow(asked.conversation, area, outage)
        scope = f'"area":"{area.name}"'
        buttons = [
            {"title": "只有我家没电", "payload": f'/report_outage{{{scope},"scope":"{ONE}"}}'},
            {"title": "我家也报修", "payload": f'/report_outage{{{scope},"confirmed":"yes"}}'},
        ]
        asked.say("say_will_tell", buttons)

    @staticmethod
    def _say_cut(asked: Question, account: Account | None, cause: str) -> None:
        assert account is not None
        due, as_of = f"{max(-account.balance, 0):.2f}", local(account.as_of)
        if cause == "arrears":
            asked.say("say_cut_for_arrears", [{"title": "怎么缴费", "payload": "/pay_bill"}], due=due, as_of=as_of)
        else:
            asked.say("say_prepaid_out", [{"title": "怎么充值", "payload": "/pay_bill"}], balance=due, as_of=as_of)

    def _say_self_check(self, asked: Question, area: Area, found: Findings) -> None:
        if (restored := found.restored()) is not None:
            self._say(asked, area.name, restored)
        scope = f'"area":"{area.name}","confirmed":"yes","scope":"{ONE}"'
        buttons = [
            {"title": "仍然没电，报修", "payload": f"/report_outage{{{scope}}}"},
            {"title": "开关跳了怎么办", "payload": "/ask_trip_help"},
        ]
        if asked.account_no is None:
            buttons.append({"title": "查是不是欠费", "payload": "/query_arrears"})
        if found.current(self._clock()) is not None:
            response = "say_alone"
        else:
            response = "say_no_outage" if NAMES["outages"] not in found.unchecked else "say_outage_unknown"
        asked.say(response, buttons, area=area.name)
        if found.usage:
            asked.say("say_meter_seen", day=f"{found.usage[0].date.month}月{found.usage[0].date.day}日",
                      as_of=local(found.usage[0].as_of) if found.usage[0].as_of else "采集数据")  # fmt: skip

    async def _file(self, asked: Question, area: Area, outage: Outage | None = None) -> None:
        """Report the fault once; a report within a known `outage` joins it."""
        number = await self._watch.report(asked.conversation, area, asked.account_no, asked.text)
        found = next((one for one in await self._systems.areas(area.name) if one.area_id == area.area_id), None)
        place = Place(found.name, found.transformer, found.feeder) if found is not None else None
        within = f"（已登记的停电{outage.outage_id}）" if outage is not None else ""
        await self._queue.file(
            asked.conversation, asked.seq, f"{area.name}停电了{within}，报修编号{number}", asked.account_no, place
        )
        asked.say("say_fault_joined" if outage is not None else "say_fault_reported", report_no=number, area=area.name)
        asked.card("outage", area.name, [("报修单号", number), ("地点", area.name)], self._clock())

    async def _own_area(self, account_no: str | None, area: Area) -> bool:
        """Whether the verified account lies in the area asked about; unknown counts as not."""
        if account_no is None:
            return False
        try:
            account = await self._systems.account(account_no)
        except SystemUnavailable:
            return True  # it will be named as not checked
        return account is not None and account.area_id == area.area_id

    async def _subscribe(self, asked: Question, area: Area) -> None:
        wanted = ENDS.search(asked.text) is None
        if not wanted and HOW.search(asked.text):
            asked.say("say_how_to_cancel", [{"title": ENDING, "payload": ENDING}], words=ENDING)
            return
        outages = await self._systems.outages(area.area_id) if wanted else []
        await self._watch.subscribe(asked.conversation, area, outages, wanted)
        asked.say("say_subscribed" if wanted else "say_unsubscribed", area=area.name)
        if wanted:
            self._say_planned(asked, area.name, outages)

    async def _say_state(self, asked: Question, area: Area, outages: Sequence[Outage]) -> None:
        now = self._clock()
        current = next((o for o in outages if o.starts_at <= now and o.restored_at is None), None)
        restored = next((o for o in outages if o.restored_at is not None), None)
        if current is not None:
            await self._tell(asked, area, current)
            return
        if (mine := await self._watch.reported(asked.conversation, area.area_id)) is not None:
            asked.say("say_already_reported", [URGE], report_no=mine.report_no or "")
            return
        if restored is not None:
            self._say(asked, area.name, restored)
        scope = f'"area":"{area.name}"'
        asked.say("say_none_now", [{"title": "我家现在没电", "payload": f"/report_outage{{{scope}}}"}], area=area.name)

    def _say_planned(self, asked: Question, name: str, outages: Sequence[Outage]) -> None:
        now = self._clock()
        current = next((o for o in outages if o.starts_at <= now and o.restored_at is None), None)
        planned = [o for o in outages if o.kind == "planned" and now < o.starts_at < now + SOON]
        for outage in reversed(planned):
            self._say(asked, name, outage)
        if current is not None:
            self._say(asked, name, current)
        if not planned:
            asked.say("say_no_planned_outage", area=name, as_of=local(now))

    def _say(self, asked: Question, name: str, outage: Outage) -> None:
        """One outage with its card."""
        kind, now = KINDS.get(outage.kind, "停电"), self._clock()
        end = local(outage.ends_at) if outage.ends_at else None
        if outage.restored_at is not None:
            what = f"{local(outage.starts_at)}的{kind}，已在{local(outage.restored_at)}恢复供电。"
        elif outage.starts_at > now:
            what = f"{kind}，{local(outage.starts_at)}到{end or '待定'}。"
        else:
            crew = CREWS.get(outage.crew or "", "")
            what = f"{kind}，{local(outage.starts_at)}开始。\n{crew + '，' if crew else ''}" + (
                f"预计{end}来电。" if end else "来电时间还没有确定。"
            )
        asked.say("say_outage", area=name, what=what, reason=outage.reason, as_of=local(outage.as_of))
        rows = [
            ("类型", kind),
            ("原因", outage.reason),
            ("开始", local(outage.starts_at)),
            ("恢复供电", local(outage.restored_at)) if outage.restored_at else ("预计来电", end or "待定"),
        ]
        if outage.crew in CREWS:
            rows.append(("抢修进度", CREWS[outage.crew]))
        asked.card("outage", name, rows, outage.as_of, source="停电信息系统")


class ActionTripHelp(Action):
    """What a layman can try after a trip 跳闸; whoever tried it has the fault reported."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_trip_help"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Advise, or go on to the report."""
        if going_on := outage_goes_on(tracker):
            return going_on
        dispatcher.utter_message(response="say_trip_help")
        return []


async def still_out(asked: Question, waiting: OutageWatchRow, watch: OutageWatch, queue: TicketQueue) -> None:
    """「您家来电了吗？」 was answered with no: a new report, and a ticket for a person."""
    if not await watch.settle(waiting):
        asked.say("say_will_tell")
        return
    area = Area(waiting.area_id, waiting.area_name, "", "")
    text = f"抢修完成后{waiting.area_name}仍没有电：{asked.text}"
    number = await watch.report(asked.conversation, area, asked.account_no, text)
    filed = await queue.file(asked.conversation, asked.seq, text, asked.account_no)
    asked.say("say_reported_again", report_no=number, number=filed.number, promise=filed.promise)


async def answer_awaited(
    dispatcher: CollectingDispatcher, tracker: Tracker, watch: OutageWatch, queue: TicketQueue,
    verification: Verification, default: bool | None = None,
) -> bool:  # fmt: skip
    """Take the message as the answer to 「您家来电了吗？」; False when nothing was asked or it answers nothing.

    `default` is what the message means when its words do not tell: a bare 是 or 不.
    """
    who, text = conversation(tracker), said(tracker)
    waiting = await watch.awaited(who)
    back = is_back(text) if not text.startswith("/") else None
    back = default if back is None else back
    if waiting is None or back is None:
        return False
    asked = Question(dispatcher, who, message_seq(tracker), "report_outage", text, await verification.account(who))
    if back:
        await watch.settle(waiting)
        asked.say("say_glad_back")
    else:
        await still_out(asked, waiting, watch, queue)
    return True
