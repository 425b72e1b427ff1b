"""`python -m tests.bench.encoder [FOLDER]`: what an encoder's vectors (else those of the project's) are worth.

Beside them n-grams of characters, and the same network untrained. Real question pairs lie in `var/pairs/*.csv` and
letters in `var/letters.jsonl` (no part of the project; without them those figures are left out). The figures are
written into the encoder's card.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC
from tokenizers import Tokenizer
from transformers import BertModel

import nlu_data
from models import export
from models.encoder import HOME, Encoder
from models.pretraining import read_pairs, shape
from nlu_data.checks import FROZEN
from tests.bench.triage import LETTERS, letters
from triage import training
from triage.classifier import OnnxClassifier
from triage.examples import Example, clean, read
from triage.measures import measure

PAIRS = Path("var/pairs")
MOST = 3000  # pairs of a set
SHARES = (0.3, 0.5, 1.0, 2.0)
Vectors = Callable[[Sequence[str]], Any]
"""Rows of length 1, dense or sparse, one a text."""


def grams(texts: Sequence[str]) -> TfidfVectorizer:
    """TF-IDF of 1- to 3-grams of characters."""
    return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, dtype=np.float32).fit(texts)


def paraphrases(rows: Sequence[tuple[str, str, int]], words: Vectors, vectors: Vectors | None) -> dict[str, float]:
    """Of real question pairs: the area under the ROC curve of their cosine, and how often the nearest question matches.

    `nearest`: for each matching pair, whether the second text is the closest of all second texts of the set;
    `nearest_of_20`: of those 20 that `words` finds closest, as the desk looks for similar tickets.
    """
    label = np.array([mark > 0 for _, _, mark in rows])
    texts = np.array([b for _, b, _ in rows])
    asked = np.flatnonzero(label)[:2000]
    first, second = words([a for a, _, _ in rows]), words(list(texts))
    if vectors is None:
        cosine = np.asarray(first.multiply(second).sum(axis=1)).ravel()
        best = np.asarray((first[asked] @ second.T).toarray().argmax(axis=1))
        return {"auc": float(roc_auc_score(label, cosine)), "nearest": float((texts[best] == texts[asked]).mean())}
    near = np.argpartition((first[asked] @ second.T).toarray(), -20, axis=1)[:, -20:]
    first, second = vectors([a for a, _, _ in rows]), vectors(list(texts))
    scores = first[asked] @ second.T
    best, among = scores.argmax(axis=1), np.take_along_axis(scores, near, axis=1).argmax(axis=1)
    chosen = near[np.arange(len(asked)), among]
    return {
        "auc": float(roc_auc_score(label, (first * second).sum(axis=1))),
        "nearest": float((texts[best] == texts[asked]).mean()),
        "nearest_of_20": float((texts[chosen] == texts[asked]).mean()),
    }


def intents(vectors: Vectors | None) -> dict[str, float]:
    """Macro F1 on the frozen sentences of a linear SVM on character n-grams, on vectors, and on both.

    The vectors' weight beside the n-grams is chosen on a fifth of the training sentences.
    """
    rows = list(nlu_data.utterances())
    texts, labels = [row.plain for row in rows], np.array([row.intent for row in rows])
    sets = {name: list(nlu_data.utterances(FROZEN / f"{name}.yml")) for name in ("intents", "intents_robust")}
    words = grams(texts)
    learned = words.transform(texts)
    dense = sparse.csr_matrix(vectors(texts)) if vectors else None

    def joined(given: Any, more: Any, share: float) -> Any:
        return given if more is None else sparse.hstack([given, more * share]).tocsr()

    share = 0.0
    if dense is not None:
        held = np.random.default_rng(1).permutation(len(rows)) < len(rows) // 5
        tried = {}
        for one in SHARES:
            both = joined(learned, dense, one)
            guessed = LinearSVC(random_state=1).fit(both[~held], labels[~held]).predict(both[held])
            tried[one] = f1_score(labels[held], guessed, average="macro")
        share = max(tried, key=lambda one: tried[one])
    model = LinearSVC(random_state=1).fit(joined(learned, dense, share), labels)
    alone = LinearSVC(random_state=1).fit(dense, labels) if dense is not None else None
    found: dict[str, float] = {"share": share}
    for name, held_rows in sets.items():
        plain, truth = [row.plain for row in held_rows], [row.intent for row in held_rows]
        more = sparse.csr_matrix(vectors(plain)) if vectors else None
        guessed = model.predict(joined(words.transform(plain), more, share))
        found[name] = float(f1_score(truth, guessed, average="macro"))
        if alone is not None:
            found[f"{name}_vectors_alone"] = float(f1_score(truth, alone.predict(more), average="macro"))
    return found


def triage(folder: Path | None) -> dict[str, Any]:
    """The classifier trained with this encoder (its weight chosen on validation) on every set."""
    rows = clean([Example(c.text, c.category, c.priority) for c in nlu_data.complaints()])[0]
    with tempfile.TemporaryDirectory() as name:
        card = training.train(rows, Path(name) / "model", read([training.VALIDATION]), folder)
        model = OnnxClassifier(Path(name) / "model")
        found: dict[str, Any] = {
            "seconds": card["seconds"],
            "shares": [card["category_setting"]["encoder_share"], card["priority_setting"]["encoder_share"]],
        }
        for one in ("valid", "test", "robust"):
            figures = measure(model, read([training.VALIDATION.parent / f"complaints_{one}.jsonl"]))
            found[one] = {key: round(figures[key], 4) for key in ("macro_f1", "p1_recall", "p1_false_alarms", "ece")}
        if LETTERS.exists():
            found["letters"] = letters(model, [json.loads(line) for line in LETTERS.read_text("utf-8").splitlines()])
    return found


def speed(encoder: Encoder, texts: Sequence[str]) -> float:
    """Milliseconds of the processor for one 60-character text."""
    begun = time.process_time()
    for text in texts[:200]:
        encoder.encode([(text * 60)[:60]])
    return round((time.process_time() - begun) * 1000 / 200, 2)


def untrained(folder: Path, out: Path) -> None:
    """The same tokens, word vectors and network (four layers where the encoder has none), all of random numbers."""
    card = json.loads((folder / "encoder.json").read_text("utf-8"))
    torch.manual_seed(1)
    width = card["width"] // (2 if card["layers"] else 1)
    model = BertModel(shape(card["vocabulary"], width, card["layers"] or 4), add_pooling_layer=False)
    model.config._attn_implementation = "eager"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pooled = export.Pooled(model, torch.randn(card["vocabulary"], width), torch.ones(card["vocabulary"]))
    export.write(pooled, tokenizer, out, card["window"], {"name": "untrained"})


def main() -> None:
    """Print one JSON object a line, and write what belongs to the encoder into its card."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else HOME
    learned, _ = read_pairs(sorted(PAIRS.glob("*.csv")))
    sets = {file.stem: read_pairs([file])[1] for file in sorted(PAIRS.glob("*.csv"))}
    scores: dict[str, dict[str, Any]] = {}

    def tell(who: str, what: str, value: Any) -> None:
        print(json.dumps({who: {what: value}}, ensure_ascii=False), flush=True)
        scores.setdefault(who, {})[what] = value

    vectorizer = grams([text for a, b, _ in learned for text in (a, b)]) if learned else None

    def words(texts: Sequence[str]) -> Any:
        assert vectorizer is not None
        return normalize(vectorizer.transform(texts))

    dice = np.random.default_rng(1)
    sets = {name: [rows[n] for n in dice.permutation(len(rows))[:MOST]] for name, rows in sets.items() if rows}
    for name, rows in sets.items():
        tell("tfidf", name, paraphrases(rows, words, None))
    tell("tfidf", "intents", intents(None))
    tell("ngrams", "triage", triage(None))
    with tempfile.TemporaryDirectory() as name:
        untrained(folder, Path(name) / "untrained")
        for who, place in (("encoder", folder), ("untrained", Path(name) / "untrained")):
            encoder = Encoder(place)
            for one, rows in sets.items():
                tell(who, one, paraphrases(rows, words, encoder.encode))
            tell(who, "intents", intents(encoder.encode))
            tell(who, "triage", triage(place))
            tell(who, "ms_per_text", speed(encoder, [row.text for row in read([training.VALIDATION])]))
    card = json.loads((folder / "encoder.json").read_text("utf-8"))
    text = json.dumps({**card, "scores": scores}, ensure_ascii=False, indent=1)
    (folder / "encoder.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
