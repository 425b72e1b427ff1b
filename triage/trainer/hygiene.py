"""Hygiene 数据体检: what is wrong with the data before it is trained on, in words a trainer can act on.

Rows are looked at by `nlu_data.checks`; here the dialogue's own files join them: an intent that no rule answers, and a
response that nothing says any more. Rules and forms are read from Rasa's files, the names that actions say from their
source, for they say them by name.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import nlu_data
from bot.dialogue.responses import FAST, FOLDERS, Responses
from bot.settings import ROOT
from nlu_data import checks
from nlu_data.checks import Finding

DIALOGUE = ROOT / "bot" / "dialogue"
ACTIONS = ROOT / "actions"


@dataclass(frozen=True)
class Checkup:
    """Findings, those that block a training first, and how many rows each intent and each category has."""

    findings: list[Finding]
    intents: Mapping[str, int]
    categories: Mapping[str, int]

    @property
    def blocked(self) -> bool:
        """Whether the data must be mended before a training."""
        return any(finding.blocks for finding in self.findings)


def checkup(root: Path = nlu_data.HERE, dialogue: Path = DIALOGUE, actions: Path = ACTIONS) -> Checkup:
    """Look at everything: the rows under `root`, Rasa's files under `dialogue`, the source under `actions`."""
    found = [*checks.problems(root), *unanswered(dialogue), *unsaid(dialogue, actions)]
    try:
        intents = Counter(row.intent for row in nlu_data.utterances(root / "intents"))
        files = sorted((root / "complaints").glob("*.jsonl"))
        categories = Counter(row.category for row in nlu_data.complaints(*files))
    except nlu_data.DataError:
        intents, categories = Counter(), Counter()
    every = [intent for group in nlu_data.TOPICS.values() for intent in group]
    return Checkup(
        sorted(found, key=lambda finding: not finding.blocks),
        {intent: intents[intent] for intent in every},
        {category: categories[category] for category in nlu_data.CATEGORIES},
    )


def unanswered(dialogue: Path) -> list[Finding]:
    """Intents that stand in no rule, and rules of intents that the domain lacks."""
    ruled = {step["intent"]: place for place, step in _steps(dialogue) if "intent" in step}
    domain = {
        next(iter(one)) if isinstance(one, dict) else one: file.name
        for file in sorted((dialogue / "domain").glob("*.yml"))
        for one in _yaml(file).get("intents") or ()
    }
    every = [intent for group in nlu_data.TOPICS.values() for intent in group]
    return [
        Finding("no_rule", intent, "没有规则回答这个意图，客户会得到“没听明白”", "请在 rules 里补一条规则")
        for intent in every
        if intent not in ruled
    ] + [
        Finding("no_intent", place, f"规则用到的意图 {intent} 不在 domain 里", "改正名字，或把意图加进 domain")
        for intent, place in ruled.items()
        if intent not in domain
    ]


def unsaid(dialogue: Path, actions: Path) -> list[Finding]:
    """Responses that no rule, form, action or door says, and responses that are said but do not exist."""
    folders = tuple(dialogue / folder.name for folder in FOLDERS)
    responses = Responses(folders).now()
    ruled = {step["action"]: place for place, step in _steps(dialogue) if str(step.get("action")).startswith("utter_")}
    slots = {
        f"utter_ask_{slot}"
        for file in (dialogue / "domain").glob("*.yml")
        for form in (_yaml(file).get("forms") or {}).values()
        for slot in form.get("required_slots") or ()
    }
    said = _said(actions, dialogue)
    found = []
    for name in responses:
        if name not in ruled and name not in slots and not said.fullmatch(name):
            place = f"{_file(name, folders)}，{name}"
            found.append(Finding("unsaid", place, "没有规则、表单或动作会说这句话", "删掉，或接上规则", blocks=False))
    for name, place in ruled.items():
        if name not in responses:
            found.append(Finding("no_response", place, f"规则要说 {name}，但没有这句话", "补上这句话，或改正名字"))
    return found


def _said(*folders: Path) -> re.Pattern[str]:
    """What the programs in `folders` may say: names they hold, whole or in pieces; `say_` goes on with a known intent.

    A piece `utter_` counts for nothing: what a rule says stands in the rule.
    """
    words: set[str] = set()
    for file in (file for folder in folders for file in sorted(folder.glob("*.py"))):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if re.fullmatch(r"say_\w*|utter_\w+", node.value):
                    words.add(node.value)
    intents = "|".join(intent for group in nlu_data.TOPICS.values() for intent in group)
    rest = {True: rf"({intents})", False: r"\w+"}
    whole = [word + rest[word == "say_"] * word.endswith("_") for word in words]
    return re.compile("|".join(whole) or r"(?!)")


def _steps(dialogue: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in sorted((dialogue / "rules").glob("*.yml")):
        for rule in _yaml(file).get("rules") or ():
            for step in rule.get("steps") or ():
                yield f"{file.name}，{rule['rule']}", step


def _file(name: str, folders: tuple[Path, ...]) -> str:
    for file in (file for folder in folders for file in sorted(folder.glob("*.yml"))):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.strip() == f"{name}:":
                return f"{file.name}:{number}"
    return "domain"


def _yaml(file: Path) -> dict[str, Any]:
    return yaml.load(file.read_text("utf-8"), FAST) or {}
