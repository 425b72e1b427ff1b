"""Where to go: service halls 营业厅 and charging stations 充电站, nearest first; and how services are applied for."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any, TypeVar

from rasa_sdk import Action, Tracker
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.follow import SERVED, how_long_of, service_goes_on
from actions.places import coordinates, nearest
from actions.policy import facts
from actions.question import Question
from actions.speech import Events, conversation, entity, intent, local, message_seq, number, said, say_unavailable
from actions.systems import Area, ChargingStation, Hall, Point, Systems, SystemUnavailable
from actions.verification import Verification

MOST = 3
WEEKEND = re.compile("周末|(周|星期|礼拜)[六日天]|双休|节假日")
OPEN_AT_WEEKENDS = re.compile("周[六日]|每天|每日|全年|天天")
# what `actions.reread` finds asked of a rule, where no intent is that narrow
NARROW = {
    "cost": "say_cost",
    "credit_time": "say_credit_time",
    "cut_off": "say_cut_off",
    "station_hours": "say_station_hours",
    "service_detail": "say_service_detail",
}
S = TypeVar("S", Hall, ChargingStation)


class ActionRule(Action):
    """Answers by the rule: the response of the same name with the promises of policy.yml."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_rule"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """What to bring, where, how long."""
        if how_long_of(tracker) is not None:
            return [FollowupAction("action_how_long")]
        if (service := service_goes_on(tracker)) is not None:
            dispatcher.utter_message(response=service, **facts())
            return []
        about = intent(tracker)
        dispatcher.utter_message(response=NARROW.get(about, f"say_{about}"), **facts())
        return [SlotSet("spoken_of", about)] if about in SERVED else []


class ActionHowLong(Action):
    """「要多久」 after something else than an outage was spoken of."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_how_long"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """The promised time of the service; of a ticket where it stands; else what is meant is asked."""
        subject = how_long_of(tracker)
        if subject is None:
            dispatcher.utter_message(response="say_wait_for_what")
            return []
        if subject not in SERVED:
            return [FollowupAction("action_ticket_status")]
        response = "say_reconnect_rule" if subject == "request_reconnect" else f"say_how_long_{subject}"
        dispatcher.utter_message(response=response, **facts())
        return []


class Nearby(Action, ABC):
    """Shared by both lists: where the customer is, by the place they name or their verified account's."""

    subject: str
    """The intent that is answered, also where only the place was told."""

    def __init__(self, systems: Systems, verification: Verification) -> None:
        """`systems` knows areas, halls and stations."""
        self._systems = systems
        self._verification = verification

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """At most three, with the distance where both positions are known."""
        asked = Question(dispatcher, conversation(tracker), message_seq(tracker), intent(tracker), said(tracker))
        try:
            here, name = await self._here(tracker)
            await self._list(asked, entity(tracker, "city") or "", name or asked.text, here)
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
            return []
        return [SlotSet("spoken_of", self.subject), SlotSet("near", name)]

    @abstractmethod
    async def _list(self, asked: Question, city: str, near: str, here: Point | None) -> None: ...

    async def _here(self, tracker: Tracker) -> tuple[Point | None, str | None]:
        text = said(tracker)
        again = tracker.get_slot("spoken_of") == self.subject and entity(tracker, "area") is None
        if again and tracker.get_slot("near") and coordinates(text) is None:
            text = str(tracker.get_slot("near"))
        if (shared := coordinates(text)) is not None:
            return shared, None
        named = entity(tracker, "area")
        found = list(await self._systems.areas(named or text)) if not text.startswith("/") else []
        if not found and named is None:
            account_no = await self._verification.account(conversation(tracker))
            account = await self._systems.account(account_no) if account_no else None
            if account is not None:
                areas = await self._systems.areas(account.address)
                found = [area for area in areas if area.area_id == account.area_id]
        area: Area | None = found[0] if found else None
        return (area.at if area else None), (area.name if area else named)


class ActionHalls(Nearby):
    """The halls nearest to the customer."""

    subject = "find_service_hall"

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_halls"

    async def _list(self, asked: Question, city: str, near: str, here: Point | None) -> None:
        found = _named_first(nearest(await self._systems.halls(city, near), here), near)
        if WEEKEND.search(asked.text):
            found.sort(key=lambda pair: OPEN_AT_WEEKENDS.search(pair[0].hours) is None)
        halls = found[:MOST]
        if not halls:
            asked.say("say_no_halls")
            return
        lines = "\n".join(f"{h.name}{_away(km)}：{h.address}，{h.hours}，电话{h.phone}" for h, km in halls)
        as_of = next((hall.as_of for hall, _ in halls if hall.as_of), None)
        asked.say("say_halls", lines=lines, as_of=local(as_of) if as_of else "营业网点信息")
        asked.card("hall", "营业厅", [(f"{h.name}{_away(km)}", f"{h.address} {h.hours}") for h, km in halls], as_of,
                   source="服务网点系统")  # fmt: skip
        if here is None:
            asked.say("say_where_are_you")


class ActionChargingStations(Nearby):
    """The charging stations nearest to the customer, with free points and price."""

    subject = "find_charging_station"

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_charging_stations"

    async def _list(self, asked: Question, city: str, near: str, here: Point | None) -> None:
        stations = _named_first(nearest(await self._systems.charging_stations(f"{city}{near}"), here), near)[:MOST]
        if not stations:
            asked.say("say_no_charging_stations")
            return
        lines = "\n".join(
            f"{s.name}{_away(km)}：{s.address}，空闲{s.free}/{s.total}个，{number(s.price)}元/千瓦时"
            for s, km in stations
        )
        as_of = stations[0][0].as_of
        asked.say("say_charging_stations", lines=lines, as_of=local(as_of))
        rows = [(f"{s.name}{_away(km)}", f"空闲 {s.free}/{s.total}，{number(s.price)} 元/千瓦时") for s, km in stations]
        asked.card("station", "充电站", rows, as_of, source="服务网点系统")
        if here is None:
            asked.say("say_where_are_you")


def _named_first(found: list[tuple[S, float | None]], near: str) -> list[tuple[S, float | None]]:
    """Those whose address holds the named district or street come first, where nothing nearer is known."""
    return sorted(found, key=lambda pair: pair[1] is None and near not in pair[0].address)


def _away(km: float | None) -> str:
    return "" if km is None else f"（约{km:.1f}公里）"
