"""Versions of a dialogue model with reports, without models: what the pages and the API need of them."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import nlu_data
from models import Registry
from nlu_data.dialogues import Fault
from triage.trainer import report
from triage.trainer.rehearsal import Played
from triage.trainer.report import FROZEN, SETS, Report, Row


def version(registry: Registry, name: str, created: str) -> None:
    place = registry.folder / name
    place.mkdir(parents=True)
    (place / "card.json").write_text(json.dumps({"version": name, "created": created, "author": "zhou"}))


def evaluated(registry: Registry, name: str, rows: list[Row], dialogues: Sequence[Played] = ()) -> None:
    sets = {"frozen": rows, "robust": [], "regressions": []}
    report.keep(registry, Report("dialogue", name, report.digest("dialogue"), "", sets, {}, {}, dialogues))


def furnished(models: Path, name: str, created: str, wrong: float, misread: Mapping[str, str] | None = None) -> None:
    """A version that reads a share of the frozen sentences wrong, and those of `misread` as said there.

    Where it is more than half, one of two dialogues fails.
    """
    registry, dice = Registry("dialogue", models), random.Random(1)
    version(registry, name, created)
    intents = [intent for group in nlu_data.TOPICS.values() for intent in group]
    corrected = Row("宝贝不转了", "report_meter_problem", "report_meter_problem", 0.8)
    rows: dict[str, list[Row]] = {"regressions": [corrected]}
    for which, file in SETS["dialogue"].items():
        rows[which] = []
        for one in nlu_data.utterances(FROZEN / file):
            read = dice.choice(intents) if dice.random() < wrong and one.intent not in report.DANGER else one.intent
            read = (misread or {}).get(one.plain, read)
            rows[which].append(Row(one.plain, one.intent, read, 0.5 + dice.random() / 2))
    figures = {which: report.measure(found) for which, found in rows.items()}
    latency = {"mean_ms": 3.0, "p50_ms": 3.0, "p95_ms": 5.2}
    fault = Fault(2, "催一下", ["没有说“催办”"], "您好，请问有什么可以帮您？") if wrong > 0.5 else None
    talks = [Played("查电费"), Played("催办", fault)]
    report.keep(registry, Report("dialogue", name, report.digest("dialogue"), created, rows, latency, figures, talks))
