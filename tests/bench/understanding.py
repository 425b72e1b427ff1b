"""How well messages are understood: `python -m tests.bench.understanding [--stock] [--brief]`.

Every sentence of the frozen sets goes through Rasa's `POST /model/parse`, as a customer's message does; with `--stock`
the same for Rasa's stock pipeline (DIET) trained on the same sentences. An entity counts when kind and place are right.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

import nlu_data
from bot import dialogue_model
from bot.dialogue import environment
from bot.settings import ROOT, free_port
from nlu_data.checks import FROZEN

STOCK = Path(__file__).parent / "stock"
SETS = ("intents", "intents_robust")
STARTED_WITHIN = 300
Span = tuple[str, int, int]


@contextmanager
def serving(model: Path) -> Iterator[httpx.Client]:
    """A Rasa that answers for `model` alone, without actions."""
    port = free_port()
    settings = {**os.environ, **environment.QUIET, "ACTIONS_URL": "http://127.0.0.1:1/", "ACTIONS_TOKEN": ""}
    command = environment.serve_command(port, model)
    process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            until = time.monotonic() + STARTED_WITHIN
            while time.monotonic() < until:
                try:
                    if http.get("/status").status_code == 200:
                        break
                except httpx.HTTPError:
                    time.sleep(0.3)
            yield http
    finally:
        process.terminate()
        process.wait()


def measure(http: httpx.Client, rows: Sequence[nlu_data.Utterance]) -> dict[str, Any]:
    """Precision, recall and F1 of every intent and entity, their means, and milliseconds a message."""
    wanted = [(row.intent, annotated(row)) for row in rows]
    found: list[tuple[str, set[Span]]] = []
    begun = time.perf_counter()
    for row in rows:
        answer = http.post("/model/parse", json={"text": row.plain}).raise_for_status().json()
        spans = {(e["entity"], e["start"], e["end"]) for e in answer["entities"]}
        found.append((answer["intent"]["name"], spans))
    took = time.perf_counter() - begun
    names = sorted({intent for intent, _ in wanted})
    intents = {
        name: _figures(
            sum(w == name == f for (w, _), (f, _) in zip(wanted, found, strict=True)),
            sum(f == name for f, _ in found),
            sum(w == name for w, _ in wanted),
        )
        for name in names
    }
    right, given, due = Counter[str](), Counter[str](), Counter[str]()
    for (_, mine), (_, theirs) in zip(wanted, found, strict=True):
        right.update(entity for entity, *_ in mine & theirs)
        given.update(entity for entity, *_ in theirs)
        due.update(entity for entity, *_ in mine)
    return {
        "sentences": len(rows),
        "macro_f1": round(sum(one["f1"] for one in intents.values()) / len(intents), 4),
        "accuracy": round(sum(w == f for (w, _), (f, _) in zip(wanted, found, strict=True)) / len(rows), 4),
        "not_understood": sum(f == "nlu_fallback" for f, _ in found),
        "entity_f1": _figures(right.total(), given.total(), due.total())["f1"],
        "ms_per_message": round(took * 1000 / len(rows), 1),
        "entities": {name: _figures(right[name], given[name], due[name]) for name in nlu_data.ENTITIES},
        "intents": intents,
    }


def annotated(row: nlu_data.Utterance) -> set[Span]:
    """The entities of a sentence with their places in its plain text."""
    spans, position = set(), 0
    for name, span in row.entities:
        start = row.plain.index(span, position)
        position = start + len(span)
        spans.add((name, start, position))
    return spans


def _figures(right: int, given: int, due: int) -> dict[str, float]:
    precision, recall = right / given if given else 0.0, right / due if due else 0.0
    f1 = 2 * right / (given + due) if given + due else 0.0
    return {"precision": round(precision, 3), "recall": round(recall, 3), "f1": round(f1, 3), "of": due}


def train_stock(folder: Path) -> tuple[Path, float]:
    """Train the stock pipeline on all our sentences, NLU alone; the model and the seconds it took."""
    shutil.copytree(STOCK, folder, dirs_exist_ok=True)
    shutil.copytree(nlu_data.HERE / "intents", folder / "data" / "intents")
    return _timed_training(
        ["train", "nlu", "--config", "config.yml", "--nlu", "data/intents", "--out", "models"],
        folder,
        folder / "models",
    )


def train_ours(folder: Path) -> float:
    """Train our dialogue model, NLU and rules, from nothing; the seconds it took."""
    folder.mkdir()
    data = ["--domain", "bot/dialogue/domain", "--data", "nlu_data/intents", "bot/dialogue/rules"]
    command = ["train", "--force", "--skip-validation", "--config", "config.yml", *data, "--out", str(folder)]
    return _timed_training(command, ROOT, folder)[1]


def _timed_training(arguments: list[str], folder: Path, out: Path) -> tuple[Path, float]:
    begun = time.monotonic()
    subprocess.run(
        [str(environment.VENV / "bin" / "rasa"), *arguments], cwd=folder, check=True,
        env={**os.environ, **environment.QUIET}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    took = time.monotonic() - begun
    return max(out.glob("*.tar.gz"), key=lambda file: file.stat().st_mtime), took


def compare(with_stock: bool) -> dict[str, Any]:
    """Figures of our model on every frozen set and, if asked, of the stock pipeline."""
    figures: dict[str, Any] = {"training_sentences": sum(1 for _ in nlu_data.utterances())}
    with tempfile.TemporaryDirectory(prefix="dianqiao-bench-") as name:
        models = {"dianqiao": dialogue_model.prepare()}
        if with_stock:
            models["stock_diet"], seconds = train_stock(Path(name) / "stock")
            mine = train_ours(Path(name) / "ours")
            figures["train_seconds"] = {"dianqiao": round(mine), "stock_diet_nlu_only": round(seconds)}
            figures["ratio_training"] = round(seconds / mine, 1)
        for who, model in models.items():
            with serving(model) as http:
                figures[who] = {one: measure(http, list(nlu_data.utterances(FROZEN / f"{one}.yml"))) for one in SETS}
    return figures


def table(figures: dict[str, Any]) -> str:
    """Per-intent precision, recall and F1 as lines of text, one column group for each model and set."""
    columns = [(who, one) for who in ("dianqiao", "stock_diet") if who in figures for one in SETS]
    lines = [" " * 26 + "".join(f"{who} {one}".rjust(28) for who, one in columns)]
    for intent in figures["dianqiao"][SETS[0]]["intents"]:
        line = intent.ljust(26)
        for who, one in columns:
            f = figures[who][one]["intents"].get(intent)
            line += (f"{f['precision']:.2f} {f['recall']:.2f} {f['f1']:.2f}" if f else "-").rjust(28)
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    result = compare("--stock" in sys.argv)
    if "--brief" not in sys.argv:
        print(table(result))
    for who in ("dianqiao", "stock_diet"):
        for one in result.get(who, {}).values():
            one.pop("intents")
    print(json.dumps(result, ensure_ascii=False, indent=1))
