"""The Chinese text classifier as the service uses it: ONNX, no torch."""

from __future__ import annotations

import json
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

BUCKETS = 2**15
LONGEST_GRAM = 3
LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Prediction:
    """类别 with its probability, and the model's priority."""

    category: str
    confidence: float
    probabilities: Mapping[str, float]
    priority: str


class Classifier(Protocol):
    """Whoever sorts messages."""

    version: str

    def classify(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction for each text, in order."""
        ...


def features(texts: Sequence[str]) -> NDArray[np.float32]:
    """Hashed counts of character 1- to 3-grams, 1 + log, each row of length 1: shape (texts, BUCKETS)."""
    rows = np.zeros((len(texts), BUCKETS), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        read = "".join(unicodedata.normalize("NFKC", text[:LONGEST_TEXT]).lower().split())
        for size in range(1, LONGEST_GRAM + 1):
            for start in range(len(read) - size + 1):
                row[zlib.crc32(read[start : start + size].encode()) % BUCKETS] += 1
        found = row > 0
        row[found] = 1 + np.log(row[found])
        row /= np.linalg.norm(row) or 1
    return rows


class OnnxClassifier:
    """A trained folder: model.onnx and card.json."""

    def __init__(self, folder: Path) -> None:
        """Load; raises `FileNotFoundError` or `ValueError` when the folder holds no usable model."""
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        self.version: str = card["version"]
        self._categories: list[str] = card["categories"]
        self._priorities: list[str] = card["priorities"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._model = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def classify(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction for each text, in order."""
        if not texts:
            return []
        outputs = self._model.run(None, {"features": features(texts)})
        priorities = outputs[1] if len(outputs) > 1 else None
        found = []
        for index, row in enumerate(outputs[0]):
            best = int(row.argmax())
            priority = self._priorities[int(priorities[index].argmax())] if priorities is not None else "P3"
            probabilities = {name: float(p) for name, p in zip(self._categories, row, strict=True)}
            found.append(Prediction(self._categories[best], float(row[best]), probabilities, priority))
        return found
