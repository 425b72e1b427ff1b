"""What a model can: the same frozen sets for every model, figures with their uncertainty, kept beside the model.

Intervals are of 95 %: Wilson's for shares (Wilson 1927), percentile bootstrap with 1000 resamples for F1 (Efron 1979).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from typing import Any

import nlu_data
from bot import dialogue_model
from bot.dialogue.reading import Reader
from models import Registry
from triage.classifier import OnnxClassifier
from triage.policy import Facts, assess
from triage.taxonomy import Taxonomy
from triage.trainer.rehearsal import Played, played

FROZEN = Path(nlu_data.__file__).with_name("frozen")
REGRESSIONS = Path(nlu_data.__file__).with_name("regressions.jsonl")
SETS = {
    "dialogue": {"frozen": "intents.yml", "robust": "intents_robust.yml"},
    "triage": {"frozen": "complaints_test.jsonl", "robust": "complaints_robust.jsonl"},
}
DANGER = ("report_safety_hazard", "safety_hazard")
NOT_UNDERSTOOD = "nlu_fallback"
BINS = 10
TIMED = 200
RESAMPLES = 1000
Z = 1.959964  # the normal's 97.5 % point

Span = tuple[str, int, int]


class NoReport(LookupError):
    """The model was not evaluated on the sets as they are now; the message says what to do, in Chinese."""


@dataclass(frozen=True)
class Row:
    """A sentence, what it means and what the model read.

    `missed` are entities (and nothing else) that were wanted and not found, as `entity:value`; priorities are None in
    dialogue. `confidence` is that of what was read, 0 to 1.
    """

    text: str
    wanted: str
    read: str
    confidence: float
    wanted_priority: str | None = None
    read_priority: str | None = None
    missed: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether the intent or category was read right."""
        return self.wanted == self.read

    @property
    def danger(self) -> bool:
        """Whether somebody may be in danger, so that the row must never be lost."""
        return self.wanted in DANGER or self.wanted_priority == "P1"

    @property
    def kept(self) -> bool:
        """Whether a danger row was seen as one: P1 as P1, otherwise its intent or category."""
        return self.read_priority == "P1" if self.wanted_priority == "P1" else self.right

    @property
    def held(self) -> bool:
        """Whether a corrected row is read right, with its entities."""
        return self.right and not self.missed and self.wanted_priority in (None, self.read_priority)


@dataclass(frozen=True)
class Report:
    """Rows of a model by set (frozen, robust, regressions), `measure` of each set, and milliseconds a message.

    `dialogues` are whole ones that were played with a dialogue model.
    """

    kind: str
    version: str
    data: str
    at: str
    rows: Mapping[str, Sequence[Row]]
    latency: Mapping[str, float]
    figures: Mapping[str, Mapping[str, Any]]
    dialogues: Sequence[Played] = ()

    @property
    def passed(self) -> tuple[int, int]:
        """How many dialogues went as they should, and of how many."""
        return sum(one.fault is None for one in self.dialogues), len(self.dialogues)


def make(kind: str, version: str, registry: Registry, dialogues: Sequence[Played] = ()) -> Report:
    """Evaluate a version on every set and keep the report in its folder; raises `NoModel` or `DataError`."""
    folder = registry.path(version)
    data = digest(kind)
    rows, latency = (_dialogue if kind == "dialogue" else _triage)(folder)
    figures = {name: measure(found) for name, found in rows.items() if found}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    report = Report(kind, version, data, at, rows, latency, figures, dialogues)
    keep(registry, report)
    return report


def keep(registry: Registry, report: Report) -> None:
    """Beside the model, as a whole or not at all."""
    file = registry.folder / report.version / "report.json"
    part = file.with_suffix(".part")
    part.write_text(json.dumps(asdict(report), ensure_ascii=False), "utf-8")
    part.replace(file)


def find(kind: str, version: str, registry: Registry) -> Report:
    """The kept report of a version; raises `NoReport` when there is none, or the sets changed since."""
    file = registry.folder / version / "report.json"
    try:
        kept = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        raise NoReport(f"版本 {version} 还没有评测，请先评测。") from None
    if kept["data"] != digest(kind):
        raise NoReport(f"版本 {version} 评测之后，测试句或纠正过的句子变了，请重新评测。")
    rows = {}
    for name, found in kept["rows"].items():
        rows[name] = [Row(**{**one, "missed": tuple(one["missed"])}) for one in found]
    return Report(**{**kept, "rows": rows, "dialogues": [played(**one) for one in kept["dialogues"]]})


def digest(kind: str) -> str:
    """SHA-256 of the sets that a model of this kind is measured on."""
    found = hashlib.sha256()
    talks = [FROZEN / "dialogues.yml", *sorted((FROZEN / "dialogues").glob("*.yml"))] if kind == "dialogue" else []
    for file in [*(FROZEN / name for name in SETS[kind].values()), REGRESSIONS, *talks]:
        found.update(file.name.encode() + b"\0" + (file.read_bytes() if file.exists() else b""))
    return found.hexdigest()[:16]


def measure(rows: Sequence[Row]) -> dict[str, Any]:
    """Accuracy, macro F1, every class, confusions, calibration and danger rows, each share with its interval."""
    names: list[str] = sorted({row.wanted for row in rows} | {row.read for row in rows})
    due, given = Counter(row.wanted for row in rows), Counter(row.read for row in rows)
    hit = Counter(row.wanted for row in rows if row.right)
    scores = _resampled(rows, names)
    classes: dict[str, dict[str, Any]] = {
        name: {
            "precision": share(hit[name], given[name]), "recall": share(hit[name], due[name]),
            "f1": {"value": _f1(hit[name], given[name], due[name]), **_spread(scores[name])}, "support": due[name],
        }
        for name in names
    }  # fmt: skip
    wanted = [name for name in names if due[name]]
    means = [sum(row) / len(row) for row in zip(*(scores[name] for name in wanted), strict=True)]
    mixed = Counter((row.wanted, row.read) for row in rows)
    danger = [row for row in rows if row.danger]
    return {
        "sentences": len(rows),
        "accuracy": share(sum(row.right for row in rows), len(rows)),
        "macro_f1": {"value": sum(classes[name]["f1"]["value"] for name in wanted) / len(wanted), **_spread(means)},
        "classes": classes,
        "confusions": [[a, b, n] for (a, b), n in sorted(mixed.items(), key=lambda row: -row[1])],
        "calibration": calibration(rows),
        "danger": share(sum(row.kept for row in danger), len(danger)),
    }


def share(right: int, of: int) -> dict[str, Any]:
    """A share with Wilson's 95 % interval; of nothing it may be anything."""
    if not of:
        return {"value": None, "low": 0.0, "high": 1.0, "right": 0, "of": 0}
    p, n = right / of, of
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return {"value": p, "low": max(0.0, middle - half), "high": min(1.0, middle + half), "right": right, "of": of}


def calibration(rows: Sequence[Row]) -> dict[str, Any]:
    """Mean confidence beside the share read right in `BINS` equal bins, and the expected gap (ECE, Guo et al. 2017)."""
    bins: dict[int, list[Row]] = {}
    for row in rows:
        bins.setdefault(min(int(row.confidence * BINS), BINS - 1), []).append(row)
    found: list[dict[str, Any]] = [
        {
            "from": number / BINS, "confidence": sum(row.confidence for row in bins[number]) / len(bins[number]),
            "right": share(sum(row.right for row in bins[number]), len(bins[number])),
        }
        for number in sorted(bins)
    ]  # fmt: skip
    gap = sum(abs(one["confidence"] - one["right"]["value"]) * one["right"]["of"] for one in found)
    return {"ece": gap / len(rows), "bins": found}


def _dialogue(folder: Path) -> tuple[dict[str, list[Row]], dict[str, float]]:
    """Every sentence through the model as `bot.dialogue.reader` loads it; its own 3.10 process."""
    wanted = {name: list(_sentences(FROZEN / file)) for name, file in SETS["dialogue"].items()}
    wanted["regressions"] = [
        (one["text"], one["intent"], {(span["entity"], span["start"], span["end"]) for span in one["entities"]})
        for one in _corrected("intent")
    ]
    texts = [text for rows in wanted.values() for text, _, _ in rows]
    with Reader(folder / dialogue_model.MODEL_FILE) as reader:
        reader.read(texts[:20])  # dictionaries are read with the first sentences
        begun = time.perf_counter()
        found = iter(reader.read(texts))
        spent = (time.perf_counter() - begun) * 1000 / max(len(texts), 1)
        alone = []
        for text in texts[:: max(1, len(texts) // TIMED)]:
            begun = time.perf_counter()
            reader.read([text])
            alone.append((time.perf_counter() - begun) * 1000)
    rows: dict[str, list[Row]] = {}
    for name, sentences in wanted.items():
        rows[name] = []
        for text, intent, entities in sentences:
            reading = next(found)
            spans = {(one["entity"], one["start"], one["end"]) for one in reading["entities"]}
            read = NOT_UNDERSTOOD if reading["fallback"] else reading["intent"]
            missed = tuple(f"{kind}:{text[start:end]}" for kind, start, end in sorted(entities - spans))
            rows[name].append(Row(text, intent, read, reading["confidence"], missed=missed))
    return rows, {"mean_ms": spent, **_percentiles(alone)}


def _triage(folder: Path) -> tuple[dict[str, list[Row]], dict[str, float]]:
    """Every message through the classifier, with the priority an agent would see: raised by the policy."""
    model, taxonomy, now = OnnxClassifier(folder), Taxonomy.load(), datetime.now(UTC)
    wanted: dict[str, list[tuple[str, str, str | None]]] = {
        name: [(one.text, one.category, one.priority) for one in nlu_data.complaints(FROZEN / file)]
        for name, file in SETS["triage"].items()
    }
    wanted["regressions"] = [(one["text"], one["category"], one["priority"]) for one in _corrected("category")]
    rows, spent = dict[str, list[Row]](), list[float]()
    for name, messages in wanted.items():
        rows[name] = []
        for text, category, priority in messages:
            begun = time.perf_counter()
            [found] = model.classify([text])
            spent.append((time.perf_counter() - begun) * 1000)
            seen = found.priority
            if found.category in taxonomy.categories:
                seen = assess(found, text, Facts(), taxonomy, now).priority
            if name == "regressions" and found.priority == priority:
                seen = priority  # what the policy adds is no reading of the model's
            rows[name].append(Row(text, category, found.category, found.confidence, priority, seen))
    return rows, {"mean_ms": sum(spent) / len(spent), **_percentiles(spent)}


def _sentences(file: Path) -> Iterator[tuple[str, str, set[Span]]]:
    """Text, intent and entities with their places."""
    for row in nlu_data.utterances(file):
        yield row.plain, row.intent, set(row.spans)


def _corrected(label: str) -> Iterator[dict[str, Any]]:
    """What trainers corrected, of the kind that carries this label (`intent` or `category`)."""
    if REGRESSIONS.exists():
        for line in REGRESSIONS.read_text("utf-8").splitlines():
            if line.strip() and label in (row := json.loads(line)):
                yield {"entities": [], "priority": None, **row}


def _percentiles(spent: Sequence[float]) -> dict[str, float]:
    ordered = sorted(spent)
    return {"p50_ms": ordered[len(ordered) // 2], "p95_ms": ordered[int(0.95 * len(ordered))]}


def _resampled(rows: Sequence[Row], names: Sequence[str]) -> dict[str, list[float]]:
    """F1 of every class in each of `RESAMPLES` draws of as many rows, with a fixed seed."""
    import numpy as np  # an evaluation's, not the service's

    place = {name: number for number, name in enumerate(names)}
    wanted, read = (np.array([place[getattr(row, which)] for row in rows]) for which in ("wanted", "read"))
    dice, size = np.random.default_rng(1), len(names)
    found = np.zeros((RESAMPLES, size))
    for draw in found:
        chosen = dice.integers(0, len(rows), len(rows))
        due, given = (np.bincount(labels[chosen], minlength=size) for labels in (wanted, read))
        hit = np.bincount(wanted[chosen][wanted[chosen] == read[chosen]], minlength=size)
        draw[:] = 2 * hit / np.maximum(due + given, 1)
    return {name: found[:, number].tolist() for name, number in place.items()}


def _spread(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {"low": ordered[int(0.025 * len(ordered))], "high": ordered[int(0.975 * len(ordered))]}


def _f1(hit: int, given: int, due: int) -> float:
    return 2 * hit / (given + due) if given + due else 0.0
