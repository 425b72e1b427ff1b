"""The class through which Rasa speaks says what the files say now, in Rasa's own Python; broken files are not said."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.dialogue.environment import QUIET, VENV
from bot.dialogue.responses import HERE, LOOK_EVERY
from bot.settings import ROOT, child_environment

pytestmark = pytest.mark.rasa
SCRIPT = """
import asyncio, json, sys, time
from pathlib import Path
from rasa.core.nlg.generator import NaturalLanguageGenerator
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig
from bot.dialogue.responses import Responses

root = Path(sys.argv[1])
speaker = NaturalLanguageGenerator.create(EndpointConfig(type="bot.dialogue.answers.Answers"), None)
speaker._files = Responses((root / "domain", root / "sentences"))
tracker = DialogueStateTracker("1", [])
say = lambda name, **values: asyncio.run(speaker.generate(name, tracker, "rest", **values))
file = root / "sentences" / "billing.yml"
first = say("say_no_bill", month="10月")["text"]
file.write_text(file.read_text("utf-8").replace("没有查到{month}的账单", "没查到{month}的账单"), "utf-8")
time.sleep(float(sys.argv[2]))
second = say("say_no_bill", month="10月")["text"]
file.write_text("responses: [", "utf-8")
time.sleep(float(sys.argv[2]))
third = say("say_no_bill", month="10月")["text"]
print(json.dumps([first, second, third, say("say_balance", balance="1", as_of="x")["buttons"], say("say_nothing")]))
"""


def test_rasa_says_a_changed_response_without_a_new_model(tmp_path: Path) -> None:
    for folder in ("domain", "sentences"):
        shutil.copytree(HERE / folder, tmp_path / folder)
    done = subprocess.run(
        [str(VENV / "bin" / "python"), "-c", SCRIPT, str(tmp_path), str(LOOK_EVERY + 0.1)],
        cwd=ROOT, env=child_environment(QUIET), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    first, second, third, buttons, nothing = json.loads(done.stdout.splitlines()[-1])
    assert first.startswith("没有查到10月的账单")
    assert second.startswith("没查到10月的账单") and third == second
    assert buttons == [{"title": "余额不足时提醒我", "payload": "/set_usage_alert"}]
    assert nothing is None
