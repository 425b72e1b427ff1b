"""The only writer of the training files: rows come, change and go; comments, order and every other line stay.

All of a call's rows are checked before anything is written, and either every file is replaced or none (`files`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nlu_data import HERE, TOPICS, complaint, complaints, utterances
from nlu_data.checks import misaligned, near, text_of
from nlu_data.files import Change, changing
from nlu_data.rows import Complaint, DataError, Gone, Utterance, check, check_complaint, check_text
from nlu_data.topic_file import TopicFile

DESK = "desk"
FIELDS = ("text", "category", "priority", "voice", "source")


@dataclass
class Written:
    """What became of the rows of one call; `kept_out` are too near to a frozen sentence to be learnt from."""

    added: list[Utterance | Complaint] = field(default_factory=list)
    changed: list[tuple[Utterance | Complaint, Utterance | Complaint]] = field(default_factory=list)
    same: list[Utterance | Complaint] = field(default_factory=list)
    kept_out: list[Utterance | Complaint] = field(default_factory=list)


def from_desk(text: str, category: str, priority: str, at: datetime) -> Complaint:
    """A complaint labelled in the loop, with its provenance; raises `DataError` for an unknown label."""
    row = Complaint(" ".join(text.split()), category, priority, DESK, f"{DESK}-{at:%Y-%m-%d}")
    check_complaint(row)
    return row


def put(
    rows: Iterable[Utterance | Complaint],
    at: datetime,
    regressions: Mapping[Utterance | Complaint, Sequence[Mapping[str, str]]] | None = None,
    root: Path = HERE,
    dry: bool = False,
) -> Written:
    """Write rows: a text that already stands in the training files takes the new label, another is added.

    Utterances go to the end of their intent, complaints to `complaints/desk.jsonl`, `regressions`, each with the turns
    before it, to `regressions.jsonl` with the time `at`. With `dry` nothing is written. Raises `DataError` for a row
    that does not fit, or two of the same text and different labels, and `files.Busy`; then nothing is written either.
    """
    rows, wrong = list(rows), regressions or {}
    _fit(rows)
    _fit([*wrong])
    with changing(root) as change:
        edits = _Edits(change)
        written = Written()
        kept_out = _frozen(rows, root)
        for row in rows:
            if row in kept_out:
                written.kept_out.append(row)
            elif isinstance(row, Utterance):
                edits.put(row, written)
            else:
                edits.put_complaint(row, written)
        for row, before in wrong.items():
            edits.put_regression(row, before, at)
        if not dry:
            edits.done()
    return written


def change(
    old: Utterance | Complaint | None, new: Utterance | Complaint | None, root: Path = HERE, at: str = ""
) -> None:
    """Replace one row where it stands; remove it with `new` None; with `old` None put `new` back at the place `at`.

    A sentence that gets another intent goes to the place `at` there, or to the intent's end. Raises `Gone` when `old`
    is not there any more, `DataError` when `new` is unfit, stands there already or is too near to a frozen sentence.
    """
    if new is not None:
        _fit([new])
        if (old is None or text_of(old) != text_of(new)) and _frozen([new], root):
            raise DataError(f"这一句和测试句太像，学了会让评测不准，没有写入：{text_of(new)[:40]}")
    with changing(root) as changes:
        edits = _Edits(changes)
        if isinstance(old or new, Utterance):
            assert not isinstance(old, Complaint) and not isinstance(new, Complaint)
            edits.replace(old, new, at)
        else:
            assert not isinstance(old, Utterance) and not isinstance(new, Utterance)
            edits.replace_complaint(old, new, at)
        edits.done()


class _Edits:
    """The files of one change, read once and written at its end."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._root = change.root
        self._topics: dict[Path, TopicFile] = {}
        for topic in TOPICS:
            file = self._root / "intents" / f"{topic}.yml"
            self._topics[file] = TopicFile(file.name, change.read(file))
        self._known = {row.plain: row for topic in self._topics.values() for row in topic.read}
        files = sorted((self._root / "complaints").glob("*.jsonl"))
        self._complaints = {row.text: (file, row) for file in files for row in complaints(file)}

    def put(self, row: Utterance, written: Written) -> None:
        old = self._known.get(row.plain)
        if old is None:
            self._topic(row).add(row)
            written.added.append(row)
        elif old == row:
            written.same.append(row)
            return
        else:
            self.replace(old, row)
            written.changed.append((old, row))
        self._known[row.plain] = row

    def replace(self, old: Utterance | None, new: Utterance | None, at: str = "") -> None:
        if new is not None and (old is None or new.plain != old.plain) and new.plain in self._known:
            raise DataError(f"{self._known[new.plain].place}：这一句已经有了：{new.plain}")
        if old is not None and new is not None and new.intent == old.intent:
            self._topic(old).change(old, new)
            return
        if new is not None:
            self._topic(new).add(new, at)
        if old is not None:
            self._topic(old).remove(old)

    def put_complaint(self, row: Complaint, written: Written) -> None:
        if row.text not in self._complaints:
            file = self._root / "complaints" / f"{DESK}.jsonl"
            self._append(file, {name: getattr(row, name) for name in FIELDS})
            self._complaints[row.text] = (file, row)
            written.added.append(row)
            return
        file, old = self._complaints[row.text]
        if (old.category, old.priority) == (row.category, row.priority):
            written.same.append(row)
            return
        new = replace(old, category=row.category, priority=row.priority)
        self.replace_complaint(old, new)
        self._complaints[row.text] = (file, new)
        written.changed.append((old, new))

    def replace_complaint(self, old: Complaint | None, new: Complaint | None, at: str = "") -> None:
        if new is not None and (old is None or new.text != old.text) and new.text in self._complaints:
            raise DataError(f"{self._complaints[new.text][1].place}：这一句已经有了：{new.text[:40]}")
        if old is None:
            assert new is not None
            self._insert(new, at)
            return
        file, found = self._complaints.get(old.text, (None, None))
        if file is None or found != old:
            raise Gone(f"{old.place or '诉求'}：没有这一行，可能已被别人改过：{old.text[:40]}")
        lines = self._change.read(file).split("\n")
        for index, line in enumerate(lines):
            if line.strip() and complaint(line, f"{file.name}:{index + 1}") == old:
                end = "\r" if line.endswith("\r") else ""
                values = {name: getattr(new, name) for name in FIELDS} if new is not None else {}
                lines[index : index + 1] = [_line(json.loads(line) | values) + end] if new is not None else []
                break
        self._change.write(file, "\n".join(lines))

    def _insert(self, row: Complaint, at: str) -> None:
        name, _, number = at.partition(":")
        file = next((file for file, _ in self._complaints.values() if file.name == name), None)
        if file is None:
            raise Gone(f"没有{name}这个文件，可能已被别人改过")
        lines = self._change.read(file).split("\n")
        lines.insert(min(int(number), len(lines)) - 1, _line({field: getattr(row, field) for field in FIELDS}))
        self._change.write(file, "\n".join(lines))

    def put_regression(self, row: Utterance | Complaint, before: Sequence[Mapping[str, str]], at: datetime) -> None:
        file, text = self._root / "regressions.jsonl", text_of(row)
        if isinstance(row, Utterance):
            entities = [{"entity": name, "value": text[a:b], "start": a, "end": b} for name, a, b in row.spans]
            label: dict[str, Any] = {"intent": row.intent, "entities": entities}
        else:
            label = {"category": row.category, "priority": row.priority}
        wanted = {"text": text, **label, **({"before": list(before)} if before else {}), "at": at.isoformat()}
        lines = self._change.read(file).split("\n")
        for index, line in enumerate(lines):
            if line.strip() and (kept := json.loads(line))["text"] == text and label.keys() <= kept.keys():
                lines[index] = _line(wanted)
                self._change.write(file, "\n".join(lines))
                return
        self._append(file, wanted)

    def done(self) -> None:
        for file, topic in self._topics.items():
            self._change.write(file, topic.text)

    def _topic(self, row: Utterance) -> TopicFile:
        name = next(topic for topic, intents in TOPICS.items() if row.intent in intents)
        home = self._topics[self._root / "intents" / f"{name}.yml"]
        # a trainer may have kept an intent in another topic's file
        holds = (topic for topic in self._topics.values() if any(one == row for one in topic.rows()))
        return next(holds, home)

    def _append(self, file: Path, row: dict[str, Any]) -> None:
        text = self._change.read(file)
        if text and not text.endswith("\n"):
            text += "\n"
        self._change.write(file, f"{text}{_line(row)}\n")


def _fit(rows: Sequence[Utterance | Complaint]) -> None:
    seen: dict[tuple[type, str], tuple[str, ...]] = {}
    for row in rows:
        if isinstance(row, Utterance):
            check(row)
            if row.text != row.text.strip():
                raise DataError(f"{row.intent}：句子前后有空格：{row.text!r}")
            if wrong := misaligned([row]):
                raise DataError(f"{wrong[0].place}：{wrong[0].what}")
            text, label = row.plain, (row.intent, row.text)
        else:
            check_complaint(row)
            check_text(row.text, "诉求")
            text, label = row.text, (row.category, row.priority)
        if seen.setdefault((type(row), text), label) != label:
            raise DataError(f"同一句话有两种标注（{seen[type(row), text][0]}、{label[0]}）：{text[:60]}")


def _frozen(rows: Sequence[Utterance | Complaint], root: Path) -> list[Utterance | Complaint]:
    """Those of `rows` that nearly stand in a frozen set: learning them would spoil the measure."""
    folder = root / "frozen"
    spoken = [one.plain for file in sorted(folder.glob("intents*.yml")) for one in utterances(file)]
    written = [one.text for file in sorted(folder.glob("complaints_*.jsonl")) for one in complaints(file)]
    kept = set()
    for kind, frozen in ((Utterance, spoken), (Complaint, written)):
        kept |= {text for text, _ in near(frozen, [text_of(row) for row in rows if isinstance(row, kind)])}
    return [row for row in rows if text_of(row) in kept]


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)
