"""Rehearsals: what is wrong with an answer, and a real run with a real Rasa."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot import dialogue_model
from bot.message import Button
from bot.rehearsal import Heard, choose, lacks
from nlu_data import dialogues
from tests.product import ROOT

HEARD = Heard(["您的电费是80元。"], ["bill"], [Button("缴费", "/pay_bill")], "bot", "query_bill", [("month", 0, 2)])


@pytest.mark.parametrize(
    "turn, wrong",
    [
        ({"say": "电费", "hear": ["80元", "电费"], "not": "停电", "card": "bill", "buttons": 1, "owner": "bot"}, []),
        ({"say": "电费", "hear": "90元"}, ["没有说“90元”"]),
        ({"say": "电费", "not": "电费"}, ["不该说“电费”"]),
        ({"say": "电费", "card": "ticket"}, ["没有ticket卡片"]),
        ({"say": "电费", "buttons": 2}, ["应有2个按钮，有1个"]),
        ({"say": "电费", "owner": "queue"}, ["之后应由排队等人工回答，现在是机器人"]),
        ({"say": "上月电费", "read": "query_balance"}, ["读错了意思"]),
        ({"say": "上月", "read": "query_bill", "entities": [{"entity": "month", "start": 0, "end": 2}]}, []),
        (
            {"say": "上月", "read": "query_bill", "entities": [{"entity": "date", "start": 0, "end": 2}]},
            ["没有认出“上月”"],
        ),
    ],
)
def test_what_is_wrong_with_an_answer_is_told(turn: Mapping[str, Any], wrong: list[str]) -> None:
    assert lacks(turn, HEARD) == wrong


def test_silence_and_endless_sentences_are_wrong() -> None:
    assert lacks({"say": "电费"}, Heard([], [], [], "bot")) == ["没有回答"]
    assert lacks({"say": "电费"}, Heard(["好" * 80 + "。", "好" * 81], [], [], "bot"))[0].startswith("一句话超过80个字")


def test_a_button_is_pressed_by_its_title_or_its_words_are_said() -> None:
    offered = [Button("查电费", "/query_bill")]
    assert choose({"tap": "电费"}, offered) == ("查电费", "/query_bill")
    assert choose({"tap": "停电", "say": "停电了"}, offered) == ("停电了", None)
    assert choose({"tap": "停电"}, offered) is None


@pytest.mark.rasa
def test_a_product_of_its_own_tells_where_a_dialogue_goes_wrong(tmp_path: Path) -> None:
    model = dialogue_model.prepare().parent
    held = next(one.turns for one in dialogues.frozen() if one.name == "投诉登记和进度")
    fails = [held[0], {"say": "我要投诉", "hear": "绝不会说的话"}, {"say": "谢谢"}]
    given, told = tmp_path / "in.json", tmp_path / "out.json"
    given.write_text(json.dumps({"day": str(dialogues.day()), "dialogues": [held, fails]}), "utf-8")
    command = [sys.executable, "-m", "bot", "rehearse", str(given), str(told), str(model)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    [(version, (first, second))] = json.loads(told.read_text("utf-8")).items()
    assert version == model.name and first is None
    assert (second["turn"], second["said"], second["why"]) == (2, "我要投诉", ["没有说“绝不会说的话”"])


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bot", "rehearse", str(tmp_path / "none"), str(tmp_path / "out"), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith("error: ")
