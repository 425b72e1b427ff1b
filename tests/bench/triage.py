"""`python -m tests.bench triage`: every figure of the triage classifier, beside two peers trained on the same rows.

Peers: scikit-learn's TF-IDF of character n-grams with a linear SVM, and a small transformer from random initialisation.
Letters in `var/letters.jsonl` (not part of the project; `category_also` and `priority_also` count as right) are
measured too. Draws the confusion matrix of the frozen test set into the model's folder.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from transformers import BertConfig, BertForSequenceClassification

import nlu_data
from triage import training
from triage.classifier import OnnxClassifier
from triage.examples import Example, clean, read
from triage.features import normal
from triage.measures import measure
from triage.policy import Facts, assess
from triage.taxonomy import Taxonomy

FROZEN = training.VALIDATION.parent
LETTERS = Path("var/letters.jsonl")
LONGEST, EPOCHS, BATCH, PATIENCE = 64, 8, 32, 2
SIZES = (500, 1000, 2000, 4000)
MEMORY = """
import sys
from pathlib import Path
from triage.classifier import OnnxClassifier
OnnxClassifier(Path(sys.argv[1])).classify(["停电了"])
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith("VmRSS")))
"""


def letters(model: OnnxClassifier, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Accuracy of category and priority where either reader's label is right, and of what would be routed."""
    taxonomy, now = Taxonomy.load(), datetime.now(UTC)
    found = model.classify([row["text"] for row in rows])
    decided = [assess(p, row["text"], Facts(), taxonomy, now) for p, row in zip(found, rows, strict=True)]
    right = [d.category in (row["category"], row.get("category_also")) for d, row in zip(decided, rows, strict=True)]
    urgent = [d.priority in (row["priority"], row.get("priority_also")) for d, row in zip(decided, rows, strict=True)]
    sure = [ok for ok, prediction in zip(right, found, strict=True) if prediction.sure]
    return {
        "accuracy": float(np.mean(right)), "priority_accuracy": float(np.mean(urgent)),
        "routed": len(sure) / len(rows), "routed_precision": float(np.mean(sure)) if sure else 0.0,
    }  # fmt: skip


def svm(rows: Sequence[Example]) -> Callable[[Sequence[str]], list[str]]:
    """TF-IDF of 1- to 3-grams of characters, linear SVM, as one would write it in two lines."""
    model = make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True), LinearSVC())
    model.fit([row.text for row in rows], [row.category for row in rows])
    return lambda texts: [str(label) for label in model.predict(texts)]


def transformer(rows: Sequence[Example], held: Sequence[Example]) -> Callable[[Sequence[str]], list[str]]:
    """Two layers of 128, characters, from random initialisation, stopped early on the validation set."""
    torch.manual_seed(1)
    index = {char: n for n, char in enumerate(sorted({c for row in rows for c in normal(row.text)}), 2)}
    classes = sorted({row.category for row in rows})
    config = BertConfig(
        vocab_size=len(index) + 2, hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512,
        max_position_embeddings=LONGEST, num_labels=len(classes),
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-4)

    def ids(texts: Sequence[str]) -> torch.Tensor:
        cut = [[index.get(char, 1) for char in normal(text)[:LONGEST]] or [1] for text in texts]
        return torch.tensor([row + [0] * (max(map(len, cut)) - len(row)) for row in cut])

    def predict(texts: Sequence[str]) -> list[str]:
        model.eval()
        found: list[str] = []
        with torch.no_grad():
            for start in range(0, len(texts), BATCH):
                given = ids(texts[start : start + BATCH])
                scores = model(input_ids=given, attention_mask=(given > 0).long()).logits
                found += [classes[int(best)] for best in scores.argmax(1)]
        return found

    best, waited, kept = -1.0, 0, model.state_dict()
    rng = np.random.default_rng(1)
    for _ in range(EPOCHS):
        model.train()
        for start in range(0, len(rows), BATCH):
            chosen = [rows[int(n)] for n in rng.integers(0, len(rows), BATCH)] if start else list(rows[:BATCH])
            given = ids([row.text for row in chosen])
            labels = torch.tensor([classes.index(row.category) for row in chosen])
            model(input_ids=given, attention_mask=(given > 0).long(), labels=labels).loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        score = macro(held, predict([row.text for row in held]))
        waited = 0 if score > best else waited + 1
        if score > best:
            best, kept = score, {name: value.clone() for name, value in model.state_dict().items()}
        if waited == PATIENCE:
            break
    model.load_state_dict(kept)
    return predict


def macro(rows: Sequence[Example], guessed: Sequence[str]) -> float:
    """Macro F1 over the classes of the rows."""
    return float(f1_score([row.category for row in rows], guessed, average="macro", zero_division=0))


def speed(model: OnnxClassifier, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds of one 60-character message on one core (clock and processor), and texts a second.

    On a busy machine the processor's time says more than the clock.
    """
    sixty = [(text * 60)[:60] for text in texts[:200]]
    taken, worked = [], []
    for text in sixty:
        begun, used = time.perf_counter(), time.process_time()
        model.classify([text])
        taken.append((time.perf_counter() - begun) * 1000)
        worked.append((time.process_time() - used) * 1000)
    used = time.process_time()
    model.classify(texts)
    used = time.process_time() - used
    half = len(texts) // 2
    begun = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(model.classify, (texts[:half], texts[half:])))
    seconds = time.perf_counter() - begun
    return {
        "p50_ms": statistics.median(taken), "p50_processor_ms": statistics.median(worked),
        "texts_per_second_two_threads": len(texts) / seconds, "texts_per_processor_second": len(texts) / used,
    }  # fmt: skip


def deletion(model: OnnxClassifier, texts: Sequence[str]) -> dict[str, float]:
    """In what share of texts deleting the top word lowers the category's probability, and milliseconds to explain."""
    lowered, taken = [], []
    for text in texts:
        begun = time.perf_counter()
        words = model.explain(text)
        taken.append((time.perf_counter() - begun) * 1000)
        before = model.classify([text])[0]
        if not words:
            lowered.append(False)
            continue
        after = model.classify([normal(text).replace(words[0][0], "")])[0]
        lowered.append(after.probabilities[before.category] < before.confidence)
    share, slow = float(np.mean(lowered)), float(np.quantile(taken, 0.95))
    return {"lowered": share, "p50_ms": statistics.median(taken), "p95_ms": slow}


def curve(rows: Sequence[Example], test: Sequence[Example]) -> dict[int, float]:
    """Macro F1 on the test set after training on so many rows, drawn at random."""
    order = np.random.default_rng(1).permutation(len(rows))
    found = {}
    for size in [size for size in SIZES if size < len(rows)]:
        with tempfile.TemporaryDirectory() as name:
            training.train([rows[n] for n in order[:size]], Path(name), read([training.VALIDATION]), None)
            guessed = OnnxClassifier(Path(name)).classify([row.text for row in test])
        found[size] = macro(test, [prediction.category for prediction in guessed])
    return found


def picture(truth: Sequence[str], guessed: Sequence[str], file: Path) -> None:
    """The confusion matrix, truth down, guess across; darker is more of the row."""
    labels = sorted(set(truth) | set(guessed))
    table: NDArray[np.int64] = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for a, b in zip(truth, guessed, strict=True):
        table[labels.index(a), labels.index(b)] += 1
    side, left = 44, 130
    image = Image.new("RGB", (left + side * len(labels), 110 + side * len(labels)), "white")
    draw = ImageDraw.Draw(image)
    for row, label in enumerate(labels):
        draw.text((6, 10 + row * side + side // 3), label, fill="black")
        turned = Image.new("RGB", (105, 14), "white")
        ImageDraw.Draw(turned).text((0, 0), label, fill="black")
        image.paste(turned.rotate(-90, expand=True), (left + row * side + side // 3, 16 + side * len(labels)))
        for column in range(len(labels)):
            share = table[row, column] / max(1, table[row].sum())
            box = (left + column * side, 10 + row * side, left + column * side + side - 2, 8 + (row + 1) * side)
            draw.rectangle(box, fill=(int(255 - 200 * share), int(255 - 130 * share), 255))
            if table[row, column]:
                draw.text((box[0] + 12, box[1] + 14), str(table[row, column]), fill="black")
    image.save(file)


def main() -> None:
    """Print one JSON object a line: the model, speed, each set, the peers, the learning curve."""
    folder = training.ensure()
    model = OnnxClassifier(folder)

    def tell(name: str, value: Any) -> None:
        print(json.dumps({name: value}, ensure_ascii=False), flush=True)

    tell("card", {key: value for key, value in model.card.items() if key != "per_category"})
    rows = clean([Example(c.text, c.category, c.priority) for c in nlu_data.complaints()])[0]
    sets = {name: read([FROZEN / f"complaints_{name}.jsonl"]) for name in ("valid", "test", "robust")}
    texts = [row.text for row in sets["test"]]
    for name, examples in sets.items():
        tell(name, measure(model, examples))
    real = [json.loads(line) for line in LETTERS.read_text(encoding="utf-8").splitlines()] if LETTERS.exists() else []
    if real:
        tell("letters", letters(model, real))
    guessed = [prediction.category for prediction in model.classify(texts)]
    picture([row.category for row in sets["test"]], guessed, folder / "confusion.png")
    tell("confusion", str(folder / "confusion.png"))
    tell("speed", speed(model, texts))
    tell("explanation", deletion(model, texts[:200]))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(folder)], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    tell("memory_mb", round(float(done.stdout.splitlines()[-1]) / 1000))
    peers: dict[str, Callable[[], Callable[[Sequence[str]], list[str]]]] = {
        "tfidf_svm": lambda: svm(rows),
        "from_scratch": lambda: transformer(rows, sets["valid"]),
    }
    for peer, make in peers.items():
        predict = make()
        found = {name: macro(examples, predict([row.text for row in examples])) for name, examples in sets.items()}
        if real:
            labels = predict([row["text"] for row in real])
            found["letters_accuracy"] = float(
                np.mean([a in (row["category"], row.get("category_also")) for a, row in zip(labels, real, strict=True)])
            )
        tell(peer, found)
    tell("learning_curve", curve(rows, sets["test"]))


if __name__ == "__main__":
    main()
