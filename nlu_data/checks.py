"""`python -m nlu_data.checks`: what is wrong with the trainers' files, in words; exit code 1 if anything is.

Sentences are compared as sets of character pairs without punctuation, figures alike; a test sentence that shares
`TOO_NEAR` of them with a training sentence would measure memory instead of understanding.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import nlu_data
from nlu_data import DataError, Utterance

TOO_NEAR = 0.8
SHORT = 5
LEAST = 60
LEAST_BUSY = 120
LEAST_FROZEN = 10
BUSY = (
    "query_bill", "query_arrears", "explain_high_bill", "report_outage", "query_restore_time", "query_planned_outage",
    "payment_not_credited", "file_complaint", "request_human", "inform",
)  # fmt: skip
FROZEN = nlu_data.HERE / "frozen"


def problems() -> list[str]:
    """Everything wrong with the training and frozen sentences, one line each."""
    try:
        training = list(nlu_data.utterances())
        frozen = {name: list(nlu_data.utterances(FROZEN / name)) for name in ("intents.yml", "intents_robust.yml")}
    except DataError as error:
        return [str(error)]
    return [
        *twice(training),
        *misaligned(training),
        *(f"{name}: {line}" for name, rows in frozen.items() for line in misaligned(rows)),
        *too_few(training),
        *too_few_frozen(frozen["intents.yml"]),
        *(f"{name}: {line}" for name, rows in frozen.items() for line in too_near(training, rows)),
    ]


def twice(rows: Iterable[Utterance]) -> list[str]:
    """Sentences written more than once, whatever their labels."""
    return [f"written {n} times: {text}" for text, n in Counter(row.plain for row in rows).items() if n > 1]


def misaligned(rows: Iterable[Utterance]) -> list[str]:
    """Entities with a blank or a mark at an end, or that cut a figure in two."""
    wrong = []
    for row in rows:
        position = 0
        spans: list[tuple[str, str, int]] = []
        for name, span in row.entities:
            start = row.plain.index(span, position)
            position = start + len(span)
            spans.append((name, span, start))
        taken = {i for _, span, start in spans for i in range(start, start + len(span))}
        inside = [" ", *(" " if i in taken else c for i, c in enumerate(row.plain)), " "]
        for name, span, start in spans:
            before, after = inside[start], inside[start + len(span) + 1]
            cut = (before.isdigit() and span[0].isdigit()) or (after.isdigit() and span[-1].isdigit())
            if cut or re.search(r"^[\s，。！？、,.!?]|[\s，。！？、,.!?]$", span):
                wrong.append(f"{row.intent}: [{span}]({name}) is cut wrongly in {row.plain}")
    return wrong


def too_few(rows: Iterable[Utterance]) -> list[str]:
    """Intents with fewer training sentences than wanted."""
    count = Counter(row.intent for row in rows)
    wanted = {i: LEAST_BUSY if i in BUSY else LEAST for intents in nlu_data.TOPICS.values() for i in intents}
    return [f"{i}: {count[i]} sentences, {least} wanted" for i, least in wanted.items() if count[i] < least]


def too_few_frozen(rows: Iterable[Utterance]) -> list[str]:
    """Intents with fewer test sentences than wanted."""
    count = Counter(row.intent for row in rows)
    every = (i for intents in nlu_data.TOPICS.values() for i in intents)
    return [f"frozen: {i}: {count[i]} sentences, {LEAST_FROZEN} wanted" for i in every if count[i] < LEAST_FROZEN]


def too_near(training: Sequence[Utterance], frozen: Iterable[Utterance]) -> list[str]:
    """Frozen sentences that nearly stand in the training data.

    Sentences of fewer than `SHORT` characters (你好, 停电了) are said alike by everybody and are left out.
    """
    return [f"{mine.plain} is too near to {other.plain} in training" for mine, other in near(training, frozen)]


def near(training: Sequence[Utterance], frozen: Iterable[Utterance]) -> Iterator[tuple[Utterance, Utterance]]:
    """Pairs of a frozen sentence and the first training sentence too near to it."""
    pairs = [_pairs(row.plain) for row in training]
    places: dict[str, list[int]] = defaultdict(list)
    for i, every in enumerate(pairs):
        for pair in every:
            places[pair].append(i)
    for row in frozen:
        mine = _pairs(row.plain)
        shared = Counter(i for pair in mine for i in places.get(pair, ()))
        for i, n in shared.most_common():
            if n / len(mine | pairs[i]) >= TOO_NEAR:
                yield row, training[i]
                break


def _pairs(text: str) -> frozenset[str]:
    plain = re.sub(r"\W", "", unicodedata.normalize("NFKC", text).lower())
    plain = re.sub(r"\d+", "0", plain)
    return frozenset(plain[i : i + 2] for i in range(len(plain) - 1)) if len(plain) >= SHORT else frozenset()


def main() -> int:
    """Print the problems; 0 if there is none."""
    found = problems()
    print("\n".join(found) if found else "nlu_data: nothing wrong")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
