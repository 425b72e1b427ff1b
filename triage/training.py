"""Train the classifier, choose its settings on validation, export it to ONNX with its card."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.metrics import f1_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC
from tqdm import tqdm

import models
import nlu_data
from bot.settings import models_folder
from models import SETUP, Registry, setup
from models.encoder import HOME
from triage import features
from triage.classifier import OnnxClassifier, load_encoder
from triage.examples import Example, ExamplesError, clean, digest
from triage.graph import Head, save
from triage.measures import coverage, ece, measure, sure_from, urgent_from

KIND = "7"  # part of the version: renew it when the same data gives another model
FOLDS = 4
COSTS = (0.1, 0.3, 1.0, 3.0, 10.0)
SHARES = (0.0, 0.5, 1.0)
TEMPERATURES = np.geomspace(0.05, 5, 80)
HEAVIEST = 20.0
URGENT_SEEN, URGENT_FALSE = 0.98, 0.03  # noisy texts raise half as many false alarms again: 5 % is the aim
VALIDATION = Path(nlu_data.__file__).with_name("frozen") / "complaints_valid.jsonl"
SEED = 1


@dataclass(frozen=True)
class Rows:
    """Features of texts: n-grams of length 1 a row, and what `features.dense` gives."""

    grams: sparse.csr_matrix
    dense: NDArray[np.float32]

    def joined(self, scale: NDArray[np.float32]) -> sparse.csr_matrix:
        """One matrix in which the dense columns weigh `scale`."""
        return sparse.hstack([self.grams, sparse.csr_matrix(self.dense * scale)]).tocsr()


@dataclass(frozen=True)
class Setting:
    """What validation chose: SVM's cost, the encoder's share, the temperature, and the score it reached."""

    cost: float
    share: float
    temperature: float
    score: float


def train(
    examples: Sequence[Example],
    out: Path,
    validation: Sequence[Example] = (),
    encoder: Path | None = None,
    seed: int = SEED,
) -> dict[str, Any]:
    """Fit, choose settings on `validation` (or by cross-validation), write the model's folder, return the card.

    `encoder` is a folder of `models.encoder`, or None for n-grams alone. Raises `ExamplesError` for unusable examples.
    """
    begun = time.monotonic()
    kept, notes = clean(examples)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if len({e.category for e in kept}) < 2:
        raise ExamplesError(f"every example has the category {kept[0].category!r}: at least two are needed")
    loaded = load_encoder(None if encoder == HOME else encoder) if encoder is not None else None
    bar = tqdm(total=5, desc="triage", unit="step", disable=not sys.stderr.isatty())
    texts = [features.normal(e.text) for e in kept]
    counted = _counts(texts)
    idf = _idf(counted)
    rows = Rows(_weighted(counted, idf), features.dense(texts, loaded))
    bar.update()
    checked = [e for e in validation if features.normal(e.text)]
    checks = [features.normal(e.text) for e in checked]
    check = Rows(_weighted(_counts(checks), idf), features.dense(checks, loaded)) if checks else None
    bar.update()
    card: dict[str, Any] = {"notes": notes}
    heads = []
    for name in ("category", "priority"):
        head, found = _head(name, kept, rows, checked, check, loaded is not None, seed)
        heads.append(head)
        card |= found
        bar.update()
    used = loaded is not None and any(found["encoder_share"] for key, found in card.items() if key.endswith("_setting"))
    if not used:
        heads = [head.without(features.FLAGS) for head in heads]
    blank = Counter(e.category for e in examples if not features.normal(e.text)).most_common(1)
    card = {
        "version": f"{KIND}-{digest([*kept, *checked])[:12]}-{loaded.name if loaded else 'ngrams'}",
        "kind": "hashed n-grams of characters and words, the first sentence beside the whole; linear SVM",
        "encoder": loaded.name if loaded is not None and used else None,
        "features": features.READS,
        "categories": heads[0].classes,
        "priorities": heads[1].classes,
        "blank": blank[0][0] if blank else "other" if "other" in heads[0].classes else None,
        "examples": len(kept),
        "per_category": dict(Counter(e.category for e in kept).most_common()),
        "validation_examples": len(checked),
        "data_sha256": digest(kept),
        "seed": seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **card,
    }
    out.mkdir(parents=True, exist_ok=True)
    save(heads, idf, out / "model.onnx")
    if loaded is not None and used and loaded.folder != HOME and loaded.folder != out / "encoder":
        shutil.copytree(loaded.folder, out / "encoder")
    bar.update()
    bar.close()
    card["seconds"] = round(time.monotonic() - begun, 1)
    (out / "card.json").write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return card


def evaluate(folder: Path, examples: Sequence[Example]) -> dict[str, Any]:
    """Every figure of `measures.measure` for a trained folder."""
    return measure(OnnxClassifier(folder), examples)


def candidate(author: str, root: Path = models.ROOT) -> str:
    """Make a version from nlu_data/complaints as they are and return its name; it is not put in use.

    Raises `ExamplesError`, or `nlu_data.DataError` for files that cannot be read.
    """
    registry, (examples, validation) = Registry("triage", root), _material()
    with registry.workplace() as place:
        card = train(examples, place / "made", validation)
        return registry.add(place / "made", {**card, "author": author, "source": source(), "code": code()})


def ensure(again: bool = False, root: Path = models.ROOT) -> Path:
    """The folder of the model in use, trained (anew if asked for) and put in use where `models.setup` says so."""
    print("[4/4] The triage model ...", flush=True)
    return setup.ensure(Registry("triage", root), source(), code(), lambda: candidate(SETUP, root), again)


def source() -> str:
    """The version that a model of the data as they are would have."""
    examples, validation = _material()
    return f"{KIND}-{digest([*clean(examples)[0], *validation])[:12]}-ngrams"


def code() -> str:
    """What of a model trainers do not write: how it is made, from n-grams alone.

    The project's encoder raised no category score (docs/encoder.md), and made the training three times as long.
    """
    return f"{KIND} ngrams"


def _material() -> tuple[list[Example], list[Example]]:
    examples = [Example(c.text, c.category, c.priority) for c in nlu_data.complaints()]
    return examples, [Example(c.text, c.category, c.priority) for c in nlu_data.complaints(VALIDATION)]


def _head(
    name: str, kept: Sequence[Example], rows: Rows, checked: Sequence[Example], check: Rows | None, vectors: bool,
    seed: int,
) -> tuple[Head, dict[str, Any]]:  # fmt: skip
    """Fit one head and say what validation showed; without labels a head of no classes."""
    given = np.array([getattr(e, name) or "" for e in kept])
    mask = given != ""
    labels = given[mask]
    classes = [str(label) for label in np.unique(labels)]
    size = rows.grams.shape[1] + rows.dense.shape[1]
    if len(classes) < 2:
        return Head(name, classes, np.zeros((size, len(classes)), np.float32), np.zeros(len(classes), np.float32)), (
            {"urgent_from": None} if name == "priority" else {}
        )
    part = Rows(rows.grams[mask], rows.dense[mask])
    held = np.array([getattr(e, name) or "" for e in checked])
    held_mask = np.isin(held, classes)
    use = check is not None and set(held[held_mask]) == set(classes)
    if use and check is not None:
        test, truth = Rows(check.grams[held_mask], check.dense[held_mask]), held[held_mask]
    else:
        test, truth = part, labels
    scales = {share: _scale(name, share, rows.dense.shape[1]) for share in (SHARES if vectors else SHARES[:1])}
    setting, probabilities = _search(part, labels, classes, test, truth, use, scales, seed)
    weights, bias = _weights(_fit(part.joined(scales[setting.share]), labels, setting.cost, seed))
    weights[rows.grams.shape[1] :] *= scales[setting.share][:, None]
    right = np.array(classes)[probabilities.argmax(1)] == truth
    confidence = probabilities.max(1)
    found = {
        f"{name}_setting": {"cost": setting.cost, "encoder_share": setting.share, "temperature": setting.temperature},
        f"{name}_validation": {
            "by": "validation set" if use else f"{FOLDS}-fold cross-validation", "examples": len(truth),
            "accuracy": float(right.mean()), "macro_f1": setting.score, "ece": ece(confidence, right),
            "coverage_at_precision_0.95": coverage(confidence, right),
        },
    }  # fmt: skip
    if name == "category":
        found["sure_from"] = sure_from(confidence, right, 0.97)
    else:
        urgent = truth == "P1"
        found["urgent_from"] = (
            urgent_from(probabilities[:, classes.index("P1")], urgent, URGENT_SEEN, URGENT_FALSE)
            if "P1" in classes
            else None
        )
    return Head(
        name,
        classes,
        np.asarray(weights / setting.temperature, np.float32),
        np.asarray(bias / setting.temperature, np.float32),
    ), found


def _search(
    part: Rows, labels: NDArray[np.str_], classes: list[str], test: Rows, truth: NDArray[np.str_], use: bool,
    scales: Mapping[float, NDArray[np.float32]], seed: int,
) -> tuple[Setting, NDArray[np.float64]]:  # fmt: skip
    """The best setting and its probabilities on held-out rows; along rising costs it stops after two falls."""
    best: tuple[Setting, NDArray[np.float64]] | None = None
    for share, scale in scales.items():
        joined, held = part.joined(scale), test.joined(scale)
        falls, before = 0, -1.0
        for cost in COSTS:
            if use:
                margins = _margins(_fit(joined, labels, cost, seed), held, classes)
            else:
                margins = np.zeros((len(labels), len(classes)))
                for learn, hold in _folds(labels, seed):
                    if len(set(labels[learn])) > 1:
                        margins[hold] = _margins(_fit(joined[learn], labels[learn], cost, seed), joined[hold], classes)
            score = float(f1_score(truth, np.array(classes)[margins.argmax(1)], average="macro", zero_division=0))
            falls, before = falls + (score < before), score
            if best is None or score > best[0].score + 0.003:
                temperature = _temperature(margins, truth, classes)
                best = Setting(cost, share, temperature, score), _softmax(margins / temperature)
            if falls == 2:
                break
    assert best is not None
    return best


def _scale(name: str, share: float, width: int) -> NDArray[np.float32]:
    """Weights of the dense columns: `share` for the encoder's; the safety flags speak of the priority alone."""
    scale = np.full(width, share, dtype=np.float32)
    scale[-features.FLAGS :] = name == "priority"
    return scale


def _folds(labels: NDArray[np.str_], seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Stratified where every class has a row for each fold."""
    smallest = Counter(labels.tolist()).most_common()[-1][1]
    count = min(FOLDS, len(labels))
    kind = StratifiedKFold if smallest >= count else KFold
    yield from kind(count, shuffle=True, random_state=seed).split(np.zeros(len(labels)), labels)


def _fit(rows: sparse.csr_matrix, labels: NDArray[np.str_], cost: float, seed: int) -> LinearSVC:
    """A linear SVM; rare classes weigh more, at most `HEAVIEST` times."""
    counted = Counter(labels.tolist())
    weights = {name: min(len(labels) / len(counted) / count, HEAVIEST) for name, count in counted.items()}
    return LinearSVC(C=cost, class_weight=weights, random_state=seed, max_iter=3000, tol=1e-3).fit(rows, labels)


def _weights(model: LinearSVC) -> tuple[NDArray[Any], NDArray[Any]]:
    weights, bias = model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)
    if weights.shape[1] == 1:  # two classes: one column stands for both
        return np.hstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights, bias


def _margins(model: LinearSVC, rows: sparse.csr_matrix, classes: list[str]) -> NDArray[np.float64]:
    """Scores of every class, shape (texts, classes); a class the model never saw is out of the question."""
    weights, bias = _weights(model)
    found = np.full((rows.shape[0], len(classes)), -5.0)
    found[:, [classes.index(str(name)) for name in model.classes_]] = rows @ weights + bias
    return found


def _temperature(margins: NDArray[np.float64], truth: NDArray[np.str_], classes: list[str]) -> float:
    """The temperature with the least log loss (Guo et al. 2017)."""
    index = np.array([classes.index(label) for label in truth])

    def loss(temperature: float) -> float:
        return float(-np.log(_softmax(margins / temperature)[np.arange(len(index)), index] + 1e-12).mean())

    return float(min(TEMPERATURES, key=loss))


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return found


def _counts(texts: Sequence[str]) -> list[sparse.csr_matrix]:
    """What `features.counts` gives, one matrix of shape (texts, BUCKETS) a group."""
    found = [features.counts(text) for text in texts]
    offsets = np.cumsum([0] + [len(buckets) for buckets, _ in found])
    columns = np.concatenate([buckets for buckets, _ in found])
    values = np.concatenate([value for _, value in found], axis=1)
    shape = (len(texts), features.BUCKETS)
    groups = [sparse.csr_matrix((row, columns, offsets), shape=shape, dtype=np.float32) for row in values]
    for group in groups:
        group.eliminate_zeros()
    return groups


def _idf(groups: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
    """log(texts / texts with it) + 1 over whole texts; n-grams of a single text count nothing."""
    texts = groups[0].shape[0]
    seen = sum(np.bincount(groups[number].indices, minlength=features.BUCKETS) for number in (0, 2))
    least = 2 if texts > 50 else 1
    return np.where(seen >= least, np.log(texts / np.clip(seen, 1, texts)) + 1, 0).astype(np.float32)


def _weighted(groups: Sequence[sparse.csr_matrix], idf: NDArray[np.float32]) -> sparse.csr_matrix:
    parts = [
        normalize(group @ sparse.diags(idf)) * weight for group, weight in zip(groups, features.GROUPS, strict=True)
    ]
    return sum(parts[1:], start=parts[0]).astype(np.float32).tocsr()


if __name__ == "__main__":
    ensure("--retrain" in sys.argv, models_folder())
