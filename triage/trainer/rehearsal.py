"""Whole dialogues with a dialogue model, played by a product of its own (`bot.rehearsal`) in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.rasa_process import end_with_parent
from bot.settings import ROOT, child_environment
from nlu_data import dialogues
from nlu_data.dialogues import Fault


@dataclass(frozen=True)
class Played:
    """A dialogue and its first fault, None when it went as it should."""

    name: str
    fault: Fault | None = None


def rehearse(folders: Sequence[Path], workplace: Path) -> dict[str, list[Played]]:
    """Every frozen and every corrected dialogue with the model of each folder, by the folder's name.

    What is half done lies in `workplace`; the processes give way as the caller does. Raises `CalledProcessError`.
    """
    if not folders:
        return {}
    wanted = [*dialogues.frozen(), *dialogues.corrected()]
    asked, told = workplace / "dialogues.json", workplace / "played.json"
    asked.write_text(
        json.dumps({"day": str(dialogues.day()), "dialogues": [one.turns for one in wanted]}, ensure_ascii=False),
        "utf-8",
    )
    subprocess.run(
        [sys.executable, "-m", "bot", "rehearse", asked, told, *folders],
        cwd=ROOT,
        env=child_environment({"TMPDIR": str(workplace)}),
        check=True,
        preexec_fn=end_with_parent,
    )
    found = json.loads(told.read_text("utf-8"))
    return {
        version: [played(one.name, fault) for one, fault in zip(wanted, faults, strict=True)]
        for version, faults in found.items()
    }


def played(name: str, fault: Mapping[str, Any] | None) -> Played:
    """From JSON."""
    if fault is None:
        return Played(name)
    return Played(name, Fault(fault["turn"], fault["said"], tuple(fault["why"]), fault["heard"]))
