"""Train the linear classifier, measure it, export it to ONNX with its card. `python -m triage.training [--retrain]`."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

import nlu_data
from models import NoModel, Registry
from triage.classifier import BUCKETS, OnnxClassifier, Prediction, features

HELD_OUT = 10
TEMPERATURES = np.geomspace(0.2, 2, 40)
BINS = 15


@dataclass(frozen=True)
class Example:
    """One labelled message; `priority` is None where the file gives none."""

    text: str
    category: str
    priority: str | None


class ExamplesError(ValueError):
    """A file of examples is wrong; the message names file and line."""


def read(files: Sequence[Path]) -> list[Example]:
    """Examples of JSONL files; raises `ExamplesError` naming the line."""
    found = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ExamplesError(f"{file}: {error}") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                example = Example(row["text"], row["category"], row.get("priority"))
                if not all(isinstance(x, str) and x for x in (example.text, example.category)):
                    raise TypeError("text and category must be words")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ExamplesError(f"{file}, line {number}: {error!r}") from error
            found.append(example)
    if not found:
        raise ExamplesError("there are no examples to learn from")
    return found


def train(examples: Sequence[Example], out: Path) -> dict[str, Any]:
    """Fit, calibrate on every tenth example, write `out`/model.onnx and card.json, and return the card."""
    begun = time.monotonic()
    rows = features([example.text for example in examples])
    held = np.arange(len(examples)) % HELD_OUT == HELD_OUT - 1
    heads, names, metrics = [], [], {}
    labelled = np.array([example.priority is not None for example in examples])
    for head, labels, mask in (
        ("category", np.array([e.category for e in examples]), np.ones(len(examples), dtype=bool)),
        ("priority", np.array([e.priority or "" for e in examples]), labelled),
    ):
        classes = sorted(set(labels[mask]))
        if not mask.any() or (head == "priority" and len(classes) < 2):
            names.append(classes if mask.any() else [])
            continue
        if len(classes) < 2:
            raise ExamplesError(f"every example has the {head} {classes[0]!r}: at least two are needed")
        fit = mask & ~held if len(set(labels[mask & ~held])) == len(classes) else mask
        model = LogisticRegression(C=20, class_weight="balanced", max_iter=200).fit(rows[fit], labels[fit])
        weights, bias = _weights(model)
        check = mask & held if (mask & held).any() else mask
        temperature = _temperature(rows[check] @ weights + bias, labels[check], list(model.classes_))
        metrics[f"held_out_{head}_accuracy"] = float(accuracy_score(labels[check], model.predict(rows[check])))
        final = LogisticRegression(C=20, class_weight="balanced", max_iter=200).fit(rows[mask], labels[mask])
        weights, bias = _weights(final)
        heads.append((head, weights / temperature, bias / temperature))
        names.append([str(name) for name in final.classes_])
    digest = hashlib.sha256("\n".join(f"{e.text}\t{e.category}\t{e.priority}" for e in examples).encode()).hexdigest()
    card = {
        "version": f"linear-{digest[:12]}",
        "kind": "hashed character 1-3-grams, logistic regression",
        "categories": names[0],
        "priorities": names[1],
        "examples": len(examples),
        "data_sha256": digest,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - begun, 1),
        "metrics": metrics,
    }
    out.mkdir(parents=True, exist_ok=True)
    onnx.save(_graph(heads), str(out / "model.onnx"))
    (out / "card.json").write_text(json.dumps(card, ensure_ascii=False, indent=1), encoding="utf-8")
    return card


def evaluate(folder: Path, examples: Sequence[Example]) -> dict[str, Any]:
    """Accuracy, macro F1, per class, ECE (15 bins), coverage at precision 0.95 and texts per second."""
    model = OnnxClassifier(folder)
    begun = time.perf_counter()
    found: list[Prediction] = []
    for start in range(0, len(examples), 64):
        found += model.classify([example.text for example in examples[start : start + 64]])
    seconds = time.perf_counter() - begun
    truth = [example.category for example in examples]
    guessed = [prediction.category for prediction in found]
    labels = sorted(set(truth) | set(guessed))
    precision, recall, f1, support = precision_recall_fscore_support(truth, guessed, labels=labels, zero_division=0)
    confidence = np.array([prediction.confidence for prediction in found])
    right = np.array([a == b for a, b in zip(truth, guessed, strict=True)])
    in_truth = [index for index, label in enumerate(labels) if label in set(truth)]
    result: dict[str, Any] = {
        "version": model.version,
        "examples": len(examples),
        "accuracy": float(right.mean()),
        "macro_f1": float(np.mean([f1[index] for index in in_truth])),
        "classes": {
            label: {
                "precision": float(precision[i]), "recall": float(recall[i]), "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, label in enumerate(labels)
        },
        "ece": _ece(confidence, right),
        "coverage_at_precision_0.95": _coverage(confidence, right),
        "texts_per_second": len(examples) / seconds,
    }  # fmt: skip
    with_priority = [(e.priority, p.priority) for e, p in zip(examples, found, strict=True) if e.priority]
    if with_priority:
        result["priority_accuracy"] = float(np.mean([a == b for a, b in with_priority]))
    return result


def ensure(again: bool = False) -> Path:
    """The current model's folder, trained from nlu_data/complaints when there is none of these data."""
    registry = Registry("triage")
    examples = [Example(c.text, c.category, c.priority) for c in nlu_data.complaints()]
    digest = hashlib.sha256("\n".join(f"{e.text}\t{e.category}\t{e.priority}" for e in examples).encode()).hexdigest()
    version = f"linear-{digest[:12]}"
    try:
        if registry.current().name == version and not again:
            return registry.current()
    except NoModel:
        pass
    print("[4/4] Training the triage model ...", flush=True)
    card = train(examples, registry.folder / version)
    registry.promote(version)
    print(f"      {len(examples)} examples, done in {card['seconds']} s", flush=True)
    return registry.current()


def _weights(model: LogisticRegression) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weights, bias = model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)
    if weights.shape[1] == 1:  # two classes: one column stands for both
        zero = np.zeros_like(weights)
        return np.hstack([zero, weights]), np.concatenate([np.zeros(1, np.float32), bias])
    return weights, bias


def _temperature(logits: NDArray[np.float32], labels: NDArray[np.str_], classes: list[str]) -> float:
    index = np.array([classes.index(label) for label in labels])

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(scaled).sum(axis=1))
        return float((log_sum - scaled[np.arange(len(index)), index]).mean())

    return float(min(TEMPERATURES, key=loss))


def _graph(heads: Sequence[tuple[str, NDArray[np.float32], NDArray[np.float32]]]) -> onnx.ModelProto:
    nodes, constants, outputs = [], [], []
    for name, weights, bias in heads:
        constants += [numpy_helper.from_array(weights, f"{name}_w"), numpy_helper.from_array(bias, f"{name}_b")]
        nodes += [
            helper.make_node("MatMul", ["features", f"{name}_w"], [f"{name}_m"]),
            helper.make_node("Add", [f"{name}_m", f"{name}_b"], [f"{name}_l"]),
            helper.make_node("Softmax", [f"{name}_l"], [name], axis=1),
        ]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, weights.shape[1]]))
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, BUCKETS])]
    graph = helper.make_graph(nodes, "triage", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _ece(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in range(BINS)
        if (bins == b).any()
    ]  # fmt: skip
    return float(sum(gaps))


def _coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_], precision: float = 0.95) -> float:
    order = np.argsort(-confidence)
    reached = np.cumsum(right[order]) / np.arange(1, len(right) + 1) >= precision
    return float((np.flatnonzero(reached).max() + 1) / len(right)) if reached.any() else 0.0


if __name__ == "__main__":
    ensure("--retrain" in sys.argv)
