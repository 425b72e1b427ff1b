"""The Chinese text classifier as the service uses it: ONNX, no torch."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.encoder import Encoder
from triage import features
from triage.words import tokenizer

log = logging.getLogger(__name__)

CANDIDATES = 4
LONG = 200


@dataclass(frozen=True)
class Prediction:
    """类别 with its probability, and the model's priority; `sure` where routing needs no one's second look.

    `model` is the version that said so.
    """

    category: str
    confidence: float
    probabilities: Mapping[str, float]
    priority: str
    sure: bool = True
    priorities: Mapping[str, float] = field(default_factory=dict)
    model: str = ""

    def best(self, count: int = 3) -> list[tuple[str, float]]:
        """The most probable categories, best first."""
        return sorted(self.probabilities.items(), key=lambda row: -row[1])[:count]


class Classifier(Protocol):
    """Whoever sorts messages."""

    @property
    def version(self) -> str:
        """The model's."""
        ...

    def classify(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction for each text, in order."""
        ...

    def explain(self, text: str, count: int = 3) -> list[tuple[str, float]]:
        """The words that decided the category, most weighty first, with how much they weigh."""
        ...


class OnnxClassifier:
    """A trained folder: model.onnx, card.json, and encoder/ where the model came with an encoder of its own."""

    def __init__(self, folder: Path) -> None:
        """Load; raises `FileNotFoundError` or `ValueError` when the folder holds no usable model."""
        self.card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        try:
            self.version: str = self.card["version"]
            self._categories: list[str] = self.card["categories"]
            self._priorities: list[str] = self.card["priorities"]
            self._sure: float = self.card["sure_from"]
            self._urgent: float | None = self.card["urgent_from"]
            self._blank: str | None = self.card["blank"]
            wanted: str | None = self.card["encoder"]
            read: str = self.card["features"]
        except KeyError as error:
            raise ValueError(f"{folder / 'card.json'} names no {error}: train the model anew") from error
        if read != features.READS:
            raise ValueError(f"{folder} reads {read}, not {features.READS}: train the model anew")
        self._encoder = load_encoder(folder / "encoder" if (folder / "encoder").is_dir() else None) if wanted else None
        if self._encoder is not None and self._encoder.name != wanted:
            raise ValueError(f"{folder} was trained with the encoder {wanted}, not {self._encoder.name}")
        tokenizer()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._model = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def classify(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction for each text, in order; each is computed alone, so a text's answer never varies."""
        return [self._predict(features.normal(text)) for text in texts]

    def explain(self, text: str, count: int = 3) -> list[tuple[str, float]]:
        """The words that decided the category, most weighty first: how much its log-odds fall without each.

        The n-grams' weights name a few of jieba's words; each of these is then left out for real (in a long letter the
        encoder's vectors stay as they are). Words that do not lower the score are not named.
        """
        read = features.normal(text)
        if not read:
            return []
        vectors = features.dense([read], self._encoder)
        _, _, scores, shares = self._run(read, vectors)
        best = int(scores.argmax())
        weights = _word_weights(read, shares[:, best] - np.delete(shares, best, axis=1).mean(axis=1))
        chosen = sorted((word for word in weights if weights[word] > 0), key=lambda word: -weights[word])[:CANDIDATES]
        falls = []
        for word in chosen:
            left = read.replace(word, "")
            kept = vectors if len(read) > LONG else features.dense([left], self._encoder)
            falls.append((word, _log_odds(scores, best) - _log_odds(self._run(left, kept)[2], best)))
        return sorted(((word, fall) for word, fall in falls if fall > 0), key=lambda row: -row[1])[:count]

    def unread(self) -> Prediction:
        """What is said of a text that could not be read: nobody's matter for certain, an ordinary priority."""
        name = self._blank if self._blank is not None else self._categories[0]
        every = {each: float(each == name) for each in self._categories}
        return Prediction(name, 0.0, every, "P3", False, model=self.version)

    def _run(self, read: str, vectors: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Probabilities of categories and of priorities, the categories' scores, and each n-gram's share in these."""
        buckets, values = features.counts(read)
        given = {"buckets": buckets, "values": values, "dense": vectors}
        *rows, shares = self._model.run(("category", "priority", "category_scores", "shares"), given)
        return [row[0] for row in rows] + [shares]

    def _predict(self, read: str) -> Prediction:
        if not read and self._blank is not None:
            calm = "P4" if "P4" in self._priorities else "P3"
            every = {name: float(name == self._blank) for name in self._categories}
            return Prediction(self._blank, 1.0, every, calm, model=self.version)
        categories, priorities, _, _ = self._run(read, features.dense([read], self._encoder))
        best = int(categories.argmax())
        confidence = float(categories[best])
        return Prediction(
            self._categories[best],
            confidence,
            {name: float(p) for name, p in zip(self._categories, categories, strict=True)},
            self._priority(priorities),
            confidence >= self._sure,
            {name: float(p) for name, p in zip(self._priorities, priorities, strict=True)},
            self.version,
        )

    def _priority(self, found: NDArray[np.float32]) -> str:
        if not len(found):
            return "P3"
        if self._urgent is not None:
            urgent = self._priorities.index("P1")
            if found[urgent] >= self._urgent:
                return "P1"
            found = found.copy()
            found[urgent] = 0
        return self._priorities[int(found.argmax())]


class LiveClassifier:
    """The service's classifier: another version can take over between two messages.

    A model that fails keeps no customer from a ticket: the text is `OnnxClassifier.unread`, for an agent to sort.
    """

    def __init__(self, folder: Path) -> None:
        """Load the first; raises as `OnnxClassifier` does."""
        self._now = OnnxClassifier(folder)
        self._folder = folder

    @property
    def version(self) -> str:
        """The version in use."""
        return self._now.version

    def classify(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction for each text, in order, all by one version."""
        model = self._now
        try:
            return model.classify(texts)
        except Exception:
            log.exception("the triage model %s failed: train it anew, or go back to another", model.version)
            return [model.unread() for _ in texts]

    def explain(self, text: str, count: int = 3) -> list[tuple[str, float]]:
        """The words that decided, by the version in use; none where it fails."""
        try:
            return self._now.explain(text, count)
        except Exception:
            log.exception("the triage model %s cannot explain itself", self._now.version)
            return []

    async def using(self) -> str:
        """The name of the folder in use."""
        return self._folder.name

    async def load(self, folder: Path) -> None:
        """Use another version from now on; raises as `OnnxClassifier` does, and the old one stays."""
        new = await asyncio.to_thread(OnnxClassifier, folder)
        await asyncio.to_thread(new.classify, ["电费"])  # what is read with the first message is read now
        self._now, self._folder = new, folder


def load_encoder(folder: Path | None = None) -> Encoder:
    """The encoder of a folder, or the project's own; loaded once."""
    return _encoder(folder)


@cache
def _encoder(folder: Path | None) -> Encoder:
    return Encoder(folder) if folder is not None else Encoder()


def _log_odds(scores: NDArray[np.float32], best: int) -> float:
    return float(scores[best] - np.logaddexp.reduce(np.delete(scores, best).astype(np.float64)))


def _word_weights(read: str, shares: NDArray[np.float32]) -> dict[str, float]:
    """What the n-grams that touch each of jieba's words add to the score; punctuation is no word."""
    buckets, _ = features.counts(read)
    words = tokenizer().lcut(read, HMM=False)
    ends = np.cumsum([len(word) for word in words])
    starts = ends - [len(word) for word in words]
    total = shares[np.searchsorted(buckets, [features.word_bucket(f"{word} ") for word in words])]
    for size, row in enumerate(features.character_buckets(read), 1):
        sums = np.concatenate([[0.0], np.cumsum(shares[np.searchsorted(buckets, row)])])
        total = total + sums[np.minimum(ends, len(row))] - sums[np.minimum(np.maximum(starts - size + 1, 0), len(row))]
    found: dict[str, float] = {}
    for word, value in zip(words, total.tolist(), strict=True):
        if any(char.isalnum() for char in word):
            found[word] = max(found.get(word, 0.0), value)
    return found
