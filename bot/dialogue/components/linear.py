"""The intent model itself: TF-IDF of what `features` sees, linear machines, confidence by a temperature."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from bot.dialogue.components import noise
from bot.dialogue.components.features import BLOCKS, readable
from bot.dialogue.components.patterns import Found

Sentence = tuple[str, Sequence[Found]]
HELD_OUT = 0.2
SHARPNESS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


class Linear:
    """A trained model; small, and quick for one message at a time."""

    def __init__(self, vectorizers: list[TfidfVectorizer], machine: LinearSVC, sharpness: float) -> None:
        """`sharpness` turns margins into probabilities: softmax(sharpness × margin)."""
        self._vectorizers, self._sharpness = vectorizers, sharpness
        self._intents = [str(name) for name in machine.classes_]
        self._weights = np.ascontiguousarray(machine.coef_.T.astype(np.float32))
        self._bias = machine.intercept_.astype(np.float32)
        for one in vectorizers:
            one.stop_words_ = None  # what min_df left out, of no use any more

    @classmethod
    def train(cls, sentences: Sequence[Sentence], intents: Sequence[str], penalty: float, seed: int) -> Linear:
        """Learn from normal texts with their entities; the sharpness is measured on a fifth that is kept out."""
        dice = random.Random(seed)
        order = list(range(len(sentences)))
        dice.shuffle(order)
        cut = int(len(order) * HELD_OUT)
        held, rest = order[:cut], order[cut:]
        first = cls._fit([sentences[i] for i in rest], [intents[i] for i in rest], penalty, seed)
        margins = first.margins([sentences[i] for i in held])
        columns = {name: i for i, name in enumerate(first._intents)}
        wanted = np.array([columns.get(intents[i], 0) for i in held])
        loss = [-np.log(_softmax(s * margins)[np.arange(len(held)), wanted] + 1e-12).mean() for s in SHARPNESS]
        model = cls._fit(sentences, intents, penalty, seed)
        model._sharpness = SHARPNESS[int(np.argmin(loss))]
        return model

    @classmethod
    def _fit(cls, sentences: Sequence[Sentence], intents: Sequence[str], penalty: float, seed: int) -> Linear:
        texts, labels = noise.copies(sentences, intents, seed)
        vectorizers = [TfidfVectorizer(analyzer=block, sublinear_tf=True, min_df=2) for block in BLOCKS]
        matrix = sparse.hstack([one.fit_transform(texts) for one in vectorizers]).tocsr()
        machine = LinearSVC(C=penalty, random_state=seed).fit(matrix, labels)
        return cls(vectorizers, machine, 3.0)

    def margins(self, sentences: Sequence[Sentence]) -> Any:
        """One row of margins for each sentence, in the order of the machine's classes."""
        texts = [readable(text, found) for text, found in sentences]
        matrix = sparse.hstack([one.transform(texts) for one in self._vectorizers]).tocsr()
        return matrix @ self._weights + self._bias

    def rank(self, text: str, found: Sequence[Found]) -> list[tuple[str, float]]:
        """Every intent with its confidence, the likeliest first."""
        confidence = _softmax(self._sharpness * self.margins([(text, found)]))[0]
        return [(self._intents[i], float(confidence[i])) for i in np.argsort(-confidence)]


def _softmax(rows: Any) -> Any:
    exponents = np.exp(rows - rows.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
