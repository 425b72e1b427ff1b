"""The tracker store in the dialogue environment, where alone it runs."""

import json
import subprocess

import pytest

from bot.dialogue import environment
from bot.settings import ROOT, child_environment

pytestmark = pytest.mark.rasa

SCRIPT = """
import asyncio, json
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActiveLoop, SlotSet
from bot.dialogue.trackers import Trackers

def domain(*names):
    slots = "".join(f"\\n  {name}: {{type: text, mappings: [{{type: custom}}]}}" for name in names)
    return Domain.from_yaml(f"version: '3.1'\\nslots:{slots}\\n")

async def main():
    store = Trackers(domain("account_no", "month"))
    tracker = await store.get_or_create_tracker("1")
    tracker.update_with_events([SlotSet("account_no", "3310000017"), ActiveLoop("bill_form")], store.domain)
    await store.save(tracker)
    store.domain = domain("account_no", "hall")
    tracker = await store.retrieve("1")
    tracker.update(SlotSet("hall", "A"), store.domain)
    slots = {name: slot.value for name, slot in tracker.slots.items()}
    fresh = await store.get_or_create_tracker("2")
    print(json.dumps({"slots": slots, "loop": tracker.active_loop_name, "fresh": sorted(fresh.slots)}))

asyncio.run(main())
"""


def test_a_conversation_goes_on_with_the_slots_of_the_next_model() -> None:
    environment.install()
    python = str(environment.VENV / "bin" / "python")
    done = subprocess.run(
        [python, "-c", SCRIPT], cwd=ROOT, env=child_environment(environment.QUIET), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["slots"]["account_no"] == "3310000017" and found["slots"]["hall"] == "A"
    assert "month" not in found["slots"] and found["loop"] == "bill_form"
    assert {"account_no", "hall"} <= set(found["fresh"])
