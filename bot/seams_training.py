"""Trains the weights of `bot.dialogue.seams`: `python -m bot.seams_training` writes bot/dialogue/seam_weights.json.

Two of the trainers' sentences set side by side have a seam between them, and one wherever a mark stood; every other
place has none. Needs scikit-learn, which serving does not.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

import nlu_data
from bot.dialogue.seams import PAUSE, WEIGHTS, marks

SEED = 1
TIMES = 3  # how often a sentence is set beside another
SAMPLED = 0.35  # of the places that are no seam
SHORTEST, LONGEST = 4, 40
LEAST = 3  # rows that a mark must be in
KEPT = 20_000
ALONE = frozenset("greet goodbye thank affirm deny inform bot_challenge out_of_scope".split())


def unmarked(text: str) -> tuple[str, set[int]]:
    """A text without its marks, and the places where they stood."""
    said, seams = "", set()
    for piece in filter(None, PAUSE.split(text)):
        seams.add(len(said))
        said += piece
    return said, seams - {0}


def places(draw: random.Random) -> Iterator[tuple[set[str], bool]]:
    """The marks of every seam and of some other places."""
    told = [(row.intent, *unmarked(row.plain)) for row in nlu_data.utterances()]
    texts = [(said, seams) for _, said, seams in told]
    apart = [(said, seams) for intent, said, seams in told if intent not in ALONE and SHORTEST <= len(said) <= LONGEST]
    for _ in range(TIMES):
        draw.shuffle(apart)
        for (one, ends), (other, more) in zip(apart[::2], apart[1::2], strict=False):
            texts.append((one + other, {*ends, len(one), *(len(one) + at for at in more)}))
    for said, seams in texts:
        for at in range(2, len(said) - 1):
            if at in seams or draw.random() < SAMPLED:
                yield marks(said, at), at in seams


def train() -> dict[str, float]:
    """Weights by mark, the bias under "": the `KEPT` heaviest."""
    found = list(places(random.Random(SEED)))
    counter = CountVectorizer(analyzer=lambda row: row, min_df=LEAST, binary=True)
    counts = counter.fit_transform([row for row, _ in found])
    model = LogisticRegression(solver="liblinear").fit(counts, [seam for _, seam in found])
    names = counter.get_feature_names_out()
    heaviest = np.argsort(-abs(model.coef_[0]), kind="stable")[:KEPT]
    table = {str(names[at]): round(float(model.coef_[0][at]), 3) for at in heaviest}
    return {"": round(float(model.intercept_[0]), 4), **dict(sorted(table.items()))}


if __name__ == "__main__":
    table = train()
    lines = ",\n".join(f"{json.dumps(mark, ensure_ascii=False)}: {weight}" for mark, weight in table.items())
    WEIGHTS.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    print(f"{len(table)} weights in {WEIGHTS.name}")
