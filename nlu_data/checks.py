"""`python -m nlu_data.checks`: what is wrong with the trainers' files, in words; exit code 1 if it blocks training.

Sentences are compared as sets of character pairs without punctuation, figures alike; a test sentence that shares
`TOO_NEAR` of them with a training sentence would measure memory instead of understanding.
"""

from __future__ import annotations

import math
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nlu_data
from nlu_data import Complaint, DataError, Utterance

TOO_NEAR = 0.8
SHORT = 5
LEAST = 60
LEAST_BUSY = 120
LEAST_FROZEN = 10
LEAST_CATEGORY = 60
MOST_TIMES = 20
BUSY = (
    "query_bill", "query_arrears", "explain_high_bill", "report_outage", "query_restore_time", "query_planned_outage",
    "payment_not_credited", "file_complaint", "request_human", "inform",
)  # fmt: skip
FROZEN = nlu_data.HERE / "frozen"
SPOKEN_SETS = ("intents.yml", "intents_robust.yml")
Row = Utterance | Complaint


@dataclass(frozen=True)
class Finding:
    """What is wrong (`what`), where (`place`: file and line) and what to do; one that `blocks` stops a training."""

    kind: str
    place: str
    what: str
    todo: str
    blocks: bool = True

    def __str__(self) -> str:
        """One line for the terminal."""
        return f"{'挡住训练' if self.blocks else '提醒'}：{self.place}：{self.what}。{self.todo}。"


def problems(root: Path = nlu_data.HERE) -> list[Finding]:
    """Everything wrong with the training and frozen rows under `root`, what blocks first."""
    try:
        return sorted([*spoken(root), *written(root)], key=lambda finding: not finding.blocks)
    except DataError as error:
        return [Finding("unreadable", "nlu_data", str(error), "按提示改好文件")]


def spoken(root: Path) -> list[Finding]:
    """What is wrong with the sentences of the dialogue."""
    training = list(nlu_data.utterances(root / "intents"))
    frozen = {name: list(nlu_data.utterances(root / "frozen" / name)) for name in SPOKEN_SETS}
    return [
        *twice(training),
        *(finding for rows in (training, *frozen.values()) for finding in misaligned(rows)),
        *too_few(training),
        *too_few_frozen(frozen["intents.yml"]),
        *too_near(training, [row for rows in frozen.values() for row in rows]),
    ]


def written(root: Path) -> list[Finding]:
    """What is wrong with the complaints."""
    training = list(nlu_data.complaints(*sorted((root / "complaints").glob("*.jsonl"))))
    frozen = list(nlu_data.complaints(*sorted((root / "frozen").glob("complaints_*.jsonl"))))
    return [*twice(training), *too_near(training, frozen), *imbalance(Counter(row.category for row in training))]


def twice(rows: Iterable[Row]) -> list[Finding]:
    """Texts written more than once: with two labels, or for nothing."""
    same: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        same[text_of(row)].append(row)
    found = []
    for text, each in same.items():
        labels = sorted({label_of(row) for row in each})
        places = "、".join(row.place for row in each)
        if len(labels) > 1:
            what = f"同一句话标了{len(labels)}种（{'、'.join(labels)}）：{text[:60]}"
            found.append(Finding("two_labels", places, what, "定下一种，删掉其余"))
        elif len(each) > 1:
            found.append(Finding("twice", places, f"同一句话写了{len(each)}遍：{text[:60]}", "留一句，删掉其余"))
    return found


def misaligned(rows: Iterable[Utterance]) -> list[Finding]:
    """Entities with a blank or a mark at an end, or that cut a figure in two."""
    wrong = []
    for row in rows:
        plain, spans = row.plain, row.spans
        taken = {i for _, start, end in spans for i in range(start, end)}
        around = [" ", *(" " if i in taken else c for i, c in enumerate(plain)), " "]
        for name, start, end in spans:
            span, before, after = plain[start:end], around[start], around[end + 1]
            cut = (before.isdigit() and span[0].isdigit()) or (after.isdigit() and span[-1].isdigit())
            if cut or re.search(r"^[\s，。！？、,.!?]|[\s，。！？、,.!?]$", span):
                what = f"实体 {name} 的“{span}”没有标准：{plain[:60]}"
                wrong.append(Finding("misaligned", row.place or row.intent, what, "数字标完整，两头不带空格和标点"))
    return wrong


def too_few(rows: Iterable[Utterance]) -> list[Finding]:
    """Intents with fewer training sentences than wanted."""
    count = Counter(row.intent for row in rows)
    wanted = {i: LEAST_BUSY if i in BUSY else LEAST for intents in nlu_data.TOPICS.values() for i in intents}
    few = [(intent, least) for intent, least in wanted.items() if count[intent] < least]
    return [
        Finding("too_few", intent, f"只有{count[intent]}句，至少要{least}句", "补充别的说法", blocks=count[intent] == 0)
        for intent, least in few
    ] + imbalance(count)


def too_few_frozen(rows: Iterable[Utterance]) -> list[Finding]:
    """Intents with fewer test sentences than wanted."""
    count = Counter(row.intent for row in rows)
    every = (i for intents in nlu_data.TOPICS.values() for i in intents)
    return [
        Finding("too_few", i, f"评测句只有{count[i]}句，至少要{LEAST_FROZEN}句", "补充评测句", blocks=False)
        for i in every
        if count[i] < LEAST_FROZEN
    ]


def imbalance(count: Mapping[str, int]) -> list[Finding]:
    """Labels with less than a `MOST_TIMES`th of the largest label's rows."""
    most = max(count.values(), default=0)
    return [
        Finding(
            "imbalance", label, f"只有{n}条，最多的一类有{most}条，差了{most // n}倍", "补充这一类的说法", blocks=False
        )
        for label, n in count.items()
        if n * MOST_TIMES < most
    ]


def too_near(training: Sequence[Row], frozen: Sequence[Row]) -> list[Finding]:
    """Frozen texts that nearly stand in the training data.

    Texts of fewer than `SHORT` characters (你好, 停电了) are said alike by everybody and are left out.
    """
    known = {text_of(row): row for row in training}
    place = {text_of(row): row.place for row in frozen}
    return [
        Finding(
            "leak",
            f"{known[theirs].place}、{place[mine]}",
            f"训练里的“{theirs[:40]}”与评测集的“{mine[:40]}”几乎一样",
            "删掉训练里的这一句，评测才可信",
        )
        for mine, theirs in near(list(known), list(place))
    ]


def near(texts: Sequence[str], others: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of one of `others` and the first of `texts` too near to it.

    Two sets that share `TOO_NEAR` of their union share one of their few rarest pairs of characters (the prefix filter
    of Bayardo, Ma and Srikant, WWW 2007), so only those are looked up.
    """
    pairs, other_pairs = [_pairs(text) for text in texts], [_pairs(text) for text in others]
    often = Counter(pair for every in (*pairs, *other_pairs) for pair in every)

    def rarest(every: frozenset[str]) -> list[str]:
        ordered = sorted(every, key=lambda pair: (often[pair], pair))
        return ordered[: len(ordered) - math.ceil(TOO_NEAR * len(ordered)) + 1] if ordered else []

    places: dict[str, list[int]] = defaultdict(list)
    for i, every in enumerate(pairs):
        for pair in rarest(every):
            places[pair].append(i)
    for other, mine in zip(others, other_pairs, strict=True):
        for i in sorted({i for pair in rarest(mine) for i in places.get(pair, ())}):
            if len(mine & pairs[i]) >= TOO_NEAR * len(mine | pairs[i]):
                yield other, texts[i]
                break


def text_of(row: Row) -> str:
    """What the customer wrote."""
    return row.plain if isinstance(row, Utterance) else row.text


def label_of(row: Row) -> str:
    """The intent, or category and priority."""
    return row.intent if isinstance(row, Utterance) else f"{row.category} {row.priority}"


def _pairs(text: str) -> frozenset[str]:
    plain = re.sub(r"\W", "", unicodedata.normalize("NFKC", text).lower())
    plain = re.sub(r"\d+", "0", plain)
    return frozenset(plain[i : i + 2] for i in range(len(plain) - 1)) if len(plain) >= SHORT else frozenset()


def main() -> int:
    """Print the findings; 0 if none blocks a training."""
    found = problems()
    print("\n".join(map(str, found)) if found else "nlu_data：没有发现问题")
    return 1 if any(finding.blocks for finding in found) else 0


if __name__ == "__main__":
    sys.exit(main())
