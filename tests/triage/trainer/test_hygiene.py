"""Every kind of trouble that is put into a copy of the project's files is found, at its place, in words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import nlu_data
from triage.trainer.hygiene import ACTIONS, DIALOGUE, Checkup, checkup


@dataclass
class Copy:
    """The project's files in a folder of the test's own."""

    root: Path

    @property
    def nlu(self) -> Path:
        return self.root / "nlu_data"

    @property
    def dialogue(self) -> Path:
        return self.root / "dialogue"

    def checkup(self) -> Checkup:
        return checkup(self.nlu, self.dialogue, self.root / "actions")

    def swap(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    shutil.copytree(nlu_data.HERE, tmp_path / "nlu_data", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for folder in ("domain", "rules", "sentences"):
        shutil.copytree(DIALOGUE / folder, tmp_path / "dialogue" / folder)
    shutil.copy(DIALOGUE / "door.py", tmp_path / "dialogue")
    shutil.copytree(ACTIONS, tmp_path / "actions", ignore=shutil.ignore_patterns("__pycache__"))
    return Copy(tmp_path)


def test_the_project_is_clean_and_counted(copy: Copy) -> None:
    found = copy.checkup()
    assert [str(finding) for finding in found.findings] == []
    assert not found.blocked
    assert min(found.intents.values()) > 40 and set(found.categories) == set(nlu_data.CATEGORIES)


def _append(file: str, text: str) -> Callable[[Copy], None]:
    def change(copy: Copy) -> None:
        with (copy.root / file).open("a", encoding="utf-8") as stream:
            stream.write(text)

    return change


def _frozen_text(copy: Copy) -> str:
    rows = nlu_data.utterances(copy.nlu / "frozen" / "intents.yml")
    return next(row.text for row in rows if len(row.plain) > 12)


HANDOFF = "nlu_data/intents/handoff.yml"
ROW = '{{"text": "{}", "category": "{}", "priority": "P3", "voice": "chat", "source": "t"}}\n'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "blocks", "place", "change"),
    [
        ("two_labels", True, "handoff.yml", lambda copy: copy.swap(HANDOFF, "- 转人工\n", "- 转人工\n    - 停电了\n")),
        ("twice", True, "handoff.yml", lambda copy: copy.swap(HANDOFF, "- 转人工\n", "- 转人工\n    - 转人工\n")),
        (
            "misaligned", True, "handoff.yml",
            lambda copy: copy.swap(HANDOFF, "- 转人工\n", "- 转人工\n    - 打给我[138902133](phone)77吧\n"),
        ),
        (
            "leak", True, "intents.yml",
            lambda copy: copy.swap(HANDOFF, "- 转人工\n", f"- 转人工\n    - {_frozen_text(copy)}哦\n"),
        ),
        ("two_labels", True, "d.jsonl", _append("nlu_data/complaints/d.jsonl", ROW.format("停电了", "billing"))),
        (
            "unreadable", True, "nlu_data",
            lambda copy: copy.swap(HANDOFF, "intent: request_human", "intent: request_humans"),
        ),
        (
            "no_rule", True, "greet",
            lambda copy: copy.swap("dialogue/rules/smalltalk.yml", "intent: greet}", "intent: goodbye}"),
        ),
        (
            "no_intent", True, "smalltalk.yml",
            lambda copy: copy.swap("dialogue/rules/smalltalk.yml", "intent: greet}", "intent: greeting}"),
        ),
        (
            "no_response", True, "smalltalk.yml",
            lambda copy: copy.swap("dialogue/rules/smalltalk.yml", "utter_greet", "utter_hello"),
        ),
        (
            "unsaid", False, "utter_app_login_problem",
            lambda copy: copy.swap("dialogue/rules/service.yml", "utter_app_login_problem", "utter_goodbye"),
        ),
        ("unsaid", False, "say_old", _append("dialogue/sentences/outage.yml", "  say_old:\n    - text: 旧话。\n")),
        (
            "unsaid", False, "say_credit",
            lambda copy: copy.swap("actions/billing.py", '"say_credit"', '"say_nothing_due"'),
        ),
    ],
)  # fmt: skip
def test_a_trouble_is_found_at_its_place(
    copy: Copy, kind: str, blocks: bool, place: str, change: Callable[[Copy], None]
) -> None:
    change(copy)
    found = copy.checkup()
    ours = [finding for finding in found.findings if finding.kind == kind]
    assert ours and any(place in finding.place for finding in ours)
    assert {finding.blocks for finding in ours} == {blocks}
    assert all(finding.what and finding.todo for finding in ours)
    assert found.blocked == any(finding.blocks for finding in found.findings)


def test_a_rare_label_is_told(copy: Copy) -> None:
    rare = "safety_hazard"
    for file in (copy.nlu / "complaints").glob("*.jsonl"):
        lines = file.read_text("utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if rare not in line), "utf-8")
    _append("nlu_data/complaints/d.jsonl", ROW.format("门口的线掉下来挂着", rare))(copy)
    (finding,) = (one for one in copy.checkup().findings if one.kind == "imbalance")
    assert finding.place == rare and not finding.blocks
