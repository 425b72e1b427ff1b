"""Where to go: service halls 营业厅 and charging stations 充电站."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.speech import Events, entity, local, number, said, say_unavailable
from actions.systems import ServiceSystem, SystemUnavailable

MOST = 3


class ActionHalls(Action):
    """Lists the halls nearest to the place the customer named."""

    def __init__(self, service: ServiceSystem) -> None:
        """`service` knows the halls."""
        self._service = service

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_halls"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """At most three."""
        try:
            halls = await self._service.halls(entity(tracker, "city") or "", entity(tracker, "area") or said(tracker))
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
            return []
        if halls:
            lines = "\n".join(f"{h.name}：{h.address}，{h.hours}，电话{h.phone}" for h in halls[:MOST])
            dispatcher.utter_message(response="utter_halls", lines=lines)
        else:
            dispatcher.utter_message(response="utter_no_halls")
        return []


class ActionChargingStations(Action):
    """Lists the charging stations nearest to the place the customer named."""

    def __init__(self, service: ServiceSystem) -> None:
        """`service` knows the stations."""
        self._service = service

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_charging_stations"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """At most three, with free points and price."""
        try:
            stations = await self._service.charging_stations(entity(tracker, "area") or said(tracker))
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
            return []
        if not stations:
            dispatcher.utter_message(response="utter_no_charging_stations")
            return []
        lines = "\n".join(
            f"{s.name}：{s.address}，空闲{s.free}/{s.total}，{number(s.price)}元/千瓦时" for s in stations[:MOST]
        )
        dispatcher.utter_message(response="utter_charging_stations", lines=lines, as_of=local(stations[0].as_of))
        return []
