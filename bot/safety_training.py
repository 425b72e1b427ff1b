"""Trains the weights beside the danger words: what rules cannot list, a linear model has seen.

`python -m bot.safety_training` reads the trainers' files of nlu_data and writes bot/safety_weights.json. Features are
the distinct runs of one to four characters; each message has length one, so long letters do not shout.
Needs scikit-learn, which serving does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from bot.safety import WEIGHTS, left, plain
from bot.settings import ROOT

DATA = ROOT / "nlu_data"
LONGEST = 150
KEPT = 12_000
_ENTITY = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\{[^}]*\})")


def rows() -> Iterator[tuple[str, bool]]:
    """Every message that is surely danger or surely not; letters over `LONGEST` characters say too much at once."""
    for line in (DATA / "danger.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        yield row["text"], row["danger"]
    for file in sorted((DATA / "intents").glob("*.yml")):
        for block in yaml.safe_load(file.read_text("utf-8"))["nlu"]:
            for line in str(block.get("examples", "") if "intent" in block else "").splitlines():
                yield _ENTITY.sub(r"\1", line[2:]).strip(), block["intent"] == "report_safety_hazard"
    for file in sorted((DATA / "complaints").glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            hazard, urgent = row["category"] == "safety_hazard", row["priority"] == "P1"
            if len(row["text"]) <= LONGEST and hazard == urgent:
                yield row["text"], hazard


def train() -> dict[str, float]:
    """Weights by run of characters, the bias under ""; the `KEPT` heaviest."""
    found = [(left(plain(text), "□"), danger) for text, danger in rows() if text]
    counter = CountVectorizer(analyzer="char", ngram_range=(1, 4), min_df=2, binary=True, lowercase=False)
    features = normalize(counter.fit_transform([text for text, _ in found]))
    model = LogisticRegression(C=10, class_weight={False: 1, True: 2}, max_iter=500)
    model.fit(features, [danger for _, danger in found])
    runs, weights = counter.get_feature_names_out(), model.coef_[0]
    # what is left out must still count for the length: a weight of nothing is no feature
    heaviest = sorted(zip(runs, weights, strict=True), key=lambda pair: -abs(pair[1]))[:KEPT]
    return {"": round(float(model.intercept_[0]), 4), **{run: round(float(w), 3) for run, w in sorted(heaviest)}}


if __name__ == "__main__":
    weights = train()
    lines = ",\n".join(f"{json.dumps(run, ensure_ascii=False)}: {weight}" for run, weight in weights.items())
    WEIGHTS.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    print(f"{len(weights)} weights in {WEIGHTS.name}")
