"""The equivalent of our bill turn in a stock project: one action that reads a bill from memory and says its lines."""

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

LINES = [("第一档", "230", "0.5583", "128.41"), ("第二档", "56", "0.6083", "34.06")]
BILL = {"month": "2026-10", "kwh": "286", "lines": LINES}


class ActionBill(Action):
    """Says last month's bill."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_bill"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[dict[str, Any]]:
        """Text and a card, as ours sends them."""
        lines = "\n".join(
            f"{name}：{kwh} 千瓦时 × {price} 元 = {amount} 元" for name, kwh, price, amount in BILL["lines"]
        )
        dispatcher.utter_message(text=f"{BILL['month']} 用电 {BILL['kwh']} 千瓦时。\n{lines}")
        dispatcher.utter_message(json_message={"card": BILL})
        return []
