"""Trains the weights beside the danger words: what rules cannot list, a linear model has seen.

`python -m bot.safety_training` reads the trainers' files of nlu_data and writes bot/safety_weights.json. Features are
`bot.safety.marks`, rare ones louder than common ones; a message counts as much as any, so long letters do not shout.
Needs scikit-learn, which serving does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import yaml
from scipy.sparse import diags
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from bot.safety import WEIGHTS, danger_by_words, marks
from bot.settings import ROOT

DATA = ROOT / "nlu_data"
LONGEST = 150
KEPT = 20_000
PENALTY = 60
_ENTITY = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\{[^}]*\})")


def rows() -> Iterator[tuple[str, bool]]:
    """Every message that is surely danger or surely not; letters over `LONGEST` characters say too much at once."""
    for line in (DATA / "danger.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        yield row["text"], row["danger"]
    for file in sorted((DATA / "intents").glob("*.yml")):
        for block in yaml.safe_load(file.read_text("utf-8"))["nlu"]:
            for line in str(block.get("examples", "") if "intent" in block else "").splitlines():
                text = _ENTITY.sub(r"\1", line[2:]).strip()
                if block["intent"] == "report_safety_hazard" or not _depends_on_power(text):
                    yield text, block["intent"] == "report_safety_hazard"
    for file in sorted((DATA / "complaints").glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            hazard, urgent = row["category"] == "safety_hazard", row["priority"] == "P1"
            if len(row["text"]) <= LONGEST and hazard == urgent:
                yield row["text"], hazard


def _depends_on_power(text: str) -> bool:
    """Whether the words see a life at stake: such a message is danger, though what is asked for may be power."""
    hazard = danger_by_words(text)
    return hazard is not None and hazard.kind == "life_support"


def train(messages: Iterable[tuple[str, bool]]) -> dict[str, float]:
    """Weights by mark, the bias under "", learnt from messages as `rows` gives them.

    Learnt from all marks, and once more from the `KEPT` heaviest alone.
    """
    found = [(text, danger) for text, danger in messages if text]
    counter = CountVectorizer(analyzer=marks, min_df=2, binary=True)
    counts, wanted = counter.fit_transform([text for text, _ in found]), [danger for _, danger in found]
    rarity = np.log(len(found) / np.asarray(counts.sum(axis=0)).ravel())
    rarity /= rarity.mean()
    all_marks = _fitted(counts, rarity, wanted).coef_[0] * rarity
    heaviest = np.argsort(-abs(all_marks), kind="stable")[:KEPT]
    model = _fitted(counts[:, heaviest], rarity[heaviest], wanted)
    names = counter.get_feature_names_out()[heaviest]
    louder = model.coef_[0] * rarity[heaviest]
    table = {str(name): round(float(weight), 3) for name, weight in zip(names, louder, strict=True)}
    return {"": round(float(model.intercept_[0]), 4), **dict(sorted(table.items()))}


def _fitted(counts: Any, rarity: Any, wanted: list[bool]) -> LogisticRegression:
    model = LogisticRegression(C=PENALTY, class_weight={False: 1, True: 2}, solver="liblinear", tol=1e-3)
    return model.fit(normalize(counts) @ diags(rarity), wanted)


if __name__ == "__main__":
    weights = train(rows())
    lines = ",\n".join(f"{json.dumps(mark, ensure_ascii=False)}: {weight}" for mark, weight in weights.items())
    WEIGHTS.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    print(f"{len(weights)} weights in {WEIGHTS.name}")
