"""How good a model is: every figure that `python -m triage evaluate` prints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from triage.classifier import Classifier, Prediction
from triage.examples import Example
from triage.policy import Facts, assess
from triage.taxonomy import Taxonomy

BINS = 15


def measure(model: Classifier, examples: Sequence[Example]) -> dict[str, Any]:
    """Accuracy, macro F1, per class, ECE (15 bins), coverage at precision 0.95, P1 and texts per second.

    Priorities are those an agent would see: the model's, raised by the policy where it knows the category.
    """
    begun = time.perf_counter()
    found = model.classify([example.text for example in examples])
    seconds = time.perf_counter() - begun
    truth = [example.category for example in examples]
    confidence = np.array([prediction.confidence for prediction in found])
    right = np.array([prediction.category == label for prediction, label in zip(found, truth, strict=True)])
    sure = np.array([prediction.sure for prediction in found])
    return {
        "version": model.version,
        "examples": len(examples),
        "accuracy": float(right.mean()),
        **by_class(truth, [prediction.category for prediction in found]),
        "ece": ece(confidence, right),
        "coverage_at_precision_0.95": coverage(confidence, right),
        "routed": {
            "share": float(sure.mean()),
            "precision": float(right[sure].mean()) if sure.any() else None,
        },
        **_priorities(examples, found),
        "texts_per_second": len(examples) / seconds,
    }


def by_class(truth: Sequence[str], guessed: Sequence[str]) -> dict[str, Any]:
    """macro_f1 over the classes of `truth`, and precision, recall, F1 and support of every class."""
    labels = sorted(set(truth) | set(guessed))
    precision, recall, f1, support = precision_recall_fscore_support(truth, guessed, labels=labels, zero_division=0)
    return {
        "macro_f1": float(np.mean([score for score, count in zip(f1, support, strict=True) if count])),
        "classes": {
            label: {
                "precision": float(precision[i]), "recall": float(recall[i]), "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, label in enumerate(labels)
        },
    }  # fmt: skip


def ece(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error over `BINS` equal bins (Guo et al. 2017)."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in range(BINS)
        if (bins == b).any()
    ]  # fmt: skip
    return float(sum(gaps))


def coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_], precision: float = 0.95) -> float:
    """The largest share of texts, most confident first, that keeps the precision."""
    threshold = sure_from(confidence, right, precision)
    return float((confidence >= threshold).mean())


def sure_from(confidence: NDArray[np.float64], right: NDArray[np.bool_], precision: float = 0.95) -> float:
    """The least confidence from which on predictions reach the precision; above 1 where none does."""
    order = np.argsort(-confidence)
    falling = confidence[order]
    last = np.append(falling[1:] < falling[:-1], True)  # equal confidences stand or fall together
    reached = last & (np.cumsum(right[order]) / np.arange(1, len(right) + 1) >= precision)
    return float(falling[np.flatnonzero(reached).max()]) if reached.any() else 1.01


def urgent_from(scores: NDArray[np.float64], urgent: NDArray[np.bool_], recall: float, false: float) -> float | None:
    """The highest threshold with the recall on urgent rows; raised to where false alarms stay within `false`."""
    if not urgent.any() or urgent.all():
        return None
    thresholds = np.unique(scores)
    for_recall = max(t for t in thresholds if (scores[urgent] >= t).mean() >= recall)
    for_false = min((t for t in thresholds if (scores[~urgent] >= t).mean() <= false), default=float(thresholds[-1]))
    return float(max(for_recall, for_false))


def _priorities(examples: Sequence[Example], found: Sequence[Prediction]) -> dict[str, Any]:
    taxonomy, now = Taxonomy.load(), datetime.now(UTC)
    rows = []
    for example, prediction in zip(examples, found, strict=True):
        guess = prediction.priority
        if prediction.category in taxonomy.categories:
            guess = assess(prediction, example.text, Facts(), taxonomy, now).priority
        if example.priority:
            rows.append((example.priority, guess))
    if not rows:
        return {}
    urgent = [guess == "P1" for label, guess in rows if label == "P1"]
    calm = [guess == "P1" for label, guess in rows if label != "P1"]
    return {
        "priority_accuracy": float(np.mean([label == guess for label, guess in rows])),
        "p1_recall": float(np.mean(urgent)) if urgent else None,
        "p1_false_alarms": float(np.mean(calm)) if calm else None,
    }
