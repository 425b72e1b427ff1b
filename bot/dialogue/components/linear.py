"""The intent model itself: TF-IDF of what `features` sees, linear machines, confidence by a temperature."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from bot.dialogue.components import noise
from bot.dialogue.components.features import BLOCKS, readable
from bot.dialogue.components.patterns import Found
from bot.dialogue.components.text import Lexicon

Sentence = tuple[str, Sequence[Found]]
Encode = Callable[[Sequence[str]], Any]
HELD_OUT = 0.2
SHARPNESS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


class Linear:
    """A trained model; small, and quick for one message at a time."""

    def __init__(
        self,
        vectorizers: Sequence[TfidfVectorizer],
        machine: LinearSVC,
        sharpness: float,
        encode: Encode | None,
        lexicon: Lexicon,
    ) -> None:
        """`sharpness` turns margins into probabilities: softmax(sharpness × margin)."""
        self._terms = [({str(t): int(i) for t, i in one.vocabulary_.items()}, one.idf_) for one in vectorizers]
        self._sharpness, self.encode, self.lexicon = sharpness, encode, lexicon
        self._intents = [str(name) for name in machine.classes_]
        self._weights = np.ascontiguousarray(machine.coef_.T.astype(np.float32))
        self._bias = machine.intercept_.astype(np.float32)

    @classmethod
    def train(
        cls,
        sentences: Sequence[Sentence],
        intents: Sequence[str],
        penalty: float,
        seed: int,
        encode: Encode | None,
        lexicon: Lexicon,
    ) -> Linear:
        """Learn from normal texts with their entities; the sharpness is measured on a fifth that is kept out.

        `encode` makes sentence vectors, shape (texts, width), of texts as `features.readable` makes them; it is no part
        of what is saved, nor is the lexicon: set `encode` and `lexicon` again after loading.
        """
        dice = random.Random(seed)
        order = list(range(len(sentences)))
        dice.shuffle(order)
        cut = int(len(order) * HELD_OUT)
        held, rest = order[:cut], order[cut:]
        first = cls._fit([sentences[i] for i in rest], [intents[i] for i in rest], penalty, seed, encode, lexicon)
        margins = first.margins([sentences[i] for i in held])
        columns = {name: i for i, name in enumerate(first._intents)}
        wanted = np.array([columns.get(intents[i], 0) for i in held])
        loss = [-np.log(_softmax(s * margins)[np.arange(len(held)), wanted] + 1e-12).mean() for s in SHARPNESS]
        model = cls._fit(sentences, intents, penalty, seed, encode, lexicon)
        model._sharpness = SHARPNESS[int(np.argmin(loss))]
        return model

    @classmethod
    def _fit(
        cls,
        sentences: Sequence[Sentence],
        intents: Sequence[str],
        penalty: float,
        seed: int,
        encode: Encode | None,
        lexicon: Lexicon,
    ) -> Linear:
        texts, labels = noise.copies(sentences, intents, seed, lexicon)
        vectorizers = [
            TfidfVectorizer(analyzer=_analyzer(block, lexicon), sublinear_tf=True, min_df=2, dtype=np.float32)
            for block, _ in BLOCKS
        ]
        blocks = [share * one.fit_transform(texts) for one, (_, share) in zip(vectorizers, BLOCKS, strict=True)]
        if encode is not None:
            blocks.append(sparse.csr_matrix(np.asarray(encode(texts), dtype=np.float32)))
        machine = LinearSVC(C=penalty, random_state=seed).fit(sparse.hstack(blocks).tocsr(), labels)
        return cls(vectorizers, machine, 3.0, encode, lexicon)

    def margins(self, sentences: Sequence[Sentence]) -> Any:
        """One row of margins for each sentence, in the order of the machine's classes."""
        return np.stack([self._margin(readable(text, found, self.lexicon)) for text, found in sentences])

    def _margin(self, text: str) -> Any:
        """What the vectorizers and the machine compute, without their cost of a dozen matrices for one message."""
        margin, start = self._bias.copy(), 0
        for (block, share), (terms, rarity) in zip(BLOCKS, self._terms, strict=True):
            count = Counter(terms[term] for term in block(text, self.lexicon) if term in terms)
            if count:
                at = np.fromiter(count.keys(), dtype=np.int64)
                weight = (1 + np.log(np.fromiter(count.values(), dtype=np.float64))) * rarity[at]
                margin += (share * weight / np.linalg.norm(weight)).astype(np.float32) @ self._weights[start + at]
            start += len(rarity)
        if self.encode is not None:
            margin += np.asarray(self.encode([text]), dtype=np.float32)[0] @ self._weights[start:]
        return margin

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the encoder and the lexicon."""
        return {**self.__dict__, "encode": None, "lexicon": None}

    def rank(self, text: str, found: Sequence[Found]) -> list[tuple[str, float]]:
        """Every intent with its confidence, the likeliest first."""
        confidence = _softmax(self._sharpness * self.margins([(text, found)]))[0]
        return [(self._intents[i], float(confidence[i])) for i in np.argsort(-confidence)]


def _analyzer(block: Callable[[str, Lexicon], list[str]], lexicon: Lexicon) -> Callable[[str], list[str]]:
    return lambda text: block(text, lexicon)


def _softmax(rows: Any) -> Any:
    exponents = np.exp(rows - rows.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
