"""`python -m triage classify|train|evaluate`; a wrong line, file or request ends with exit code 2."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from models import NoModel, Registry
from triage.classifier import OnnxClassifier
from triage.policy import Facts, assess
from triage.taxonomy import Taxonomy


class WrongLine(ValueError):
    """A line of the input is no {"text": …}."""


def classify(folder: Path) -> None:
    """One JSON line out for each JSON line in; nothing is written unless every line can be read."""
    model, taxonomy, now = OnnxClassifier(folder), Taxonomy.load(), datetime.now(UTC)
    texts = []
    for number, line in enumerate(sys.stdin.buffer.read().splitlines(), 1):
        try:
            text = json.loads(line)["text"]
            if not isinstance(text, str):
                raise TypeError("text is no string")
        except (ValueError, KeyError, TypeError) as error:
            raise WrongLine(f'line {number}: {error!r}; each line must be {{"text": "…"}}') from error
        texts.append(text)
    for text, found in zip(texts, model.classify(texts), strict=True):
        category, priority, reasons = found.category, found.priority, list[str]()
        if found.category in taxonomy.categories:
            decided = assess(found, text, Facts(), taxonomy, now)
            category, priority, reasons = decided.category, decided.priority, list(decided.reasons)
        words = [word for word, _ in model.explain(text)]
        row = {
            "category": category,
            "priority": priority,
            "confidence": found.confidence,
            "probabilities": found.probabilities,
            "sure": found.sure,
            "reasons": [*reasons, f"关键词：{'、'.join(words)}"] if words else reasons,
        }
        print(json.dumps(row, ensure_ascii=False))


def train(data: list[Path], out: Path, validation: list[Path], encoder: Path | None, seed: int) -> None:
    """Write the model into `out` only when it is complete."""
    from triage import examples, training

    rows, held = examples.read(data), examples.read(validation) if validation else []
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as part:
        chosen = encoder
        if encoder is not None and not (encoder / "encoder.json").exists():
            from models import export

            export.from_folder(encoder, Path(part) / "encoder")
            chosen = Path(part) / "encoder"
        card = training.train(rows, Path(part) / "model", held, chosen, seed)
        out.mkdir(exist_ok=True)
        shutil.rmtree(out / "encoder", ignore_errors=True)
        for file in (Path(part) / "model").iterdir():
            shutil.move(file, out / file.name)
    print(json.dumps(card, ensure_ascii=False))


def evaluate(folder: Path, data: Path) -> None:
    """One JSON object with every measure."""
    from triage import examples, training

    print(json.dumps(training.evaluate(folder, examples.read([data])), ensure_ascii=False))


def main() -> int:
    """Parse and do; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m triage", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("classify").add_argument("--model", type=Path)
    training_verb = verbs.add_parser("train")
    training_verb.add_argument("--data", type=Path, nargs="+", required=True)
    training_verb.add_argument("--out", type=Path, required=True)
    training_verb.add_argument("--validation", type=Path, nargs="+", default=[], help="else by cross-validation")
    training_verb.add_argument(
        "--encoder", type=Path, help="models/encoder, or a Hugging Face encoder's folder (needs torch)"
    )
    training_verb.add_argument("--seed", type=int, default=1)
    evaluating = verbs.add_parser("evaluate")
    evaluating.add_argument("--model", type=Path, required=True)
    evaluating.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    try:
        match given.verb:
            case "classify":
                classify(given.model or Registry("triage").current())
            case "train":
                train(given.data, given.out, given.validation, given.encoder, given.seed)
            case _:
                evaluate(given.model, given.data)
    except (ValueError, OSError, NoModel) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
