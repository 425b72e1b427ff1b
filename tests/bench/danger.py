"""`python -m tests.bench danger`: how the danger check reads voices it never heard.

Each voice of nlu_data/danger.jsonl is left out of training in turn; then the frozen sets with the weights in use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bot import safety, safety_training
from bot.safety_training import DATA

Rows = list[tuple[str, bool]]


def voices() -> dict[str, Rows]:
    """The rows of each independent writer who tells of dangers."""
    found: dict[str, Rows] = {}
    for line in (DATA / "danger.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if row.get("voice", "").startswith("writer-"):
            found.setdefault(row["voice"], []).append((row["text"], row["danger"]))
    return {voice: rows for voice, rows in sorted(found.items()) if any(danger for _, danger in rows)}


def frozen(file: Path) -> Rows:
    """The rows of a frozen set."""
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [(row["text"], row["danger"]) for row in rows]


def score(rows: Rows, weights: Mapping[str, float]) -> dict[str, int]:
    """How many dangers there are and are seen, how many harmless messages there are and alarm."""
    found = [(safety.danger(text, weights) is not None, danger) for text, danger in rows]
    seen = [alarm for alarm, danger in found if danger]
    false = [alarm for alarm, danger in found if not danger]
    return {"dangers": len(seen), "seen": sum(seen), "harmless": len(false), "false": sum(false)}


def main() -> None:
    """Print a line for each frozen set, each voice left out, and all of them."""
    for file in sorted((DATA / "frozen").glob("danger*.jsonl")):
        print(json.dumps({file.stem: score(frozen(file), safety.weights())}), flush=True)
    every, total = list(safety_training.rows()), dict.fromkeys(("dangers", "seen", "harmless", "false"), 0)
    for voice, rows in voices().items():
        held = {text for text, _ in rows}
        found = score(rows, safety_training.train(row for row in every if row[0] not in held))
        total = {name: total[name] + count for name, count in found.items()}
        print(json.dumps({f"{voice} left out": found}), flush=True)
    print(json.dumps({"voices left out": total}))
