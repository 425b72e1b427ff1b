"""Rows of the loop reach the files, and only the lines they mean."""

from __future__ import annotations

import difflib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

import nlu_data
from nlu_data import Complaint, DataError, Utterance
from nlu_data.rows import check
from nlu_data.writing import change, from_desk, put

NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("intents", "complaints", "frozen"):
        shutil.copytree(nlu_data.HERE / name, tmp_path / name)
    return tmp_path


def _changed(root: Path) -> dict[str, list[str]]:
    """The lines that differ from the project's own files, as a diff shows them."""
    found = {}
    for file in sorted(root.rglob("*.yml")) + sorted(root.rglob("*.jsonl")):
        ours = nlu_data.HERE / file.relative_to(root)
        before = ours.read_text("utf-8").split("\n") if ours.exists() else []
        after = file.read_text("utf-8").split("\n")
        lines = [line for line in difflib.ndiff(before, after) if line[0] in "+-" and line[2:]]
        if lines:
            found[file.relative_to(root).as_posix()] = lines
    return found


def test_new_rows_go_to_their_topic_and_to_the_desks_complaints(root: Path) -> None:
    month = {"entity": "month", "start": 4, "end": 6}
    question = Utterance.marked("query_bill", "[微笑]上回那张单子数目看不懂", [month])
    rows: list[Utterance | Complaint] = [
        question,
        from_desk("你们把我家门口的杆子\n换成水泥的要多久嘛", "construction", "P3", NOW),
    ]
    written = put(rows, NOW, regressions={question: [{"say": "你好"}]}, root=root)
    assert written.added == rows
    changed = _changed(root)
    assert changed.pop("intents/billing.yml") == ["+     - ［微笑］[上回](month)那张单子数目看不懂"]
    desk = json.loads(changed.pop("complaints/desk.jsonl")[0][2:])
    assert desk == {
        "text": "你们把我家门口的杆子 换成水泥的要多久嘛", "category": "construction", "priority": "P3",
        "voice": "desk", "source": "desk-2026-11-25",
    }  # fmt: skip
    regression = json.loads(changed.pop("regressions.jsonl")[0][2:])
    assert regression["entities"] == [{"entity": "month", "value": "上回", "start": 4, "end": 6}]
    assert changed == {}
    blocks = [row for row in nlu_data.utterances(root / "intents") if row.intent == "query_bill"]
    assert blocks[-1] == rows[0]


def test_a_text_that_stands_there_takes_the_new_label(root: Path) -> None:
    rows: list[Utterance | Complaint] = [
        Utterance("query_restore_time", "停电了"),
        Complaint("停电了", "outage_frequent", "P3", "desk", "x"),
    ]
    written = put(rows, NOW, root=root)
    assert len(written.changed) == 2 and not written.added
    changed = _changed(root)
    assert changed["intents/outage.yml"] == ["-     - 停电了", "+     - 停电了"]
    (line,) = [line for line in changed["complaints/c.jsonl"] if line[0] == "+"]
    assert json.loads(line[2:]) | {"text": ""} == {
        "text": "", "category": "outage_frequent", "priority": "P3", "voice": "chat", "source": "batch-c",
    }  # fmt: skip
    again = put(rows, NOW, root=root)
    assert again.same == rows and not again.changed


def test_a_row_nearly_in_a_frozen_set_is_kept_out(root: Path) -> None:
    frozen = next(row for row in nlu_data.utterances(root / "frozen" / "intents.yml") if len(row.plain) > 12)
    written = put([Utterance(frozen.intent, frozen.text)], NOW, root=root)
    assert len(written.kept_out) == 1
    assert _changed(root) == {}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Utterance("nonsense", "问一下"), "没有这个意图"),
        (Utterance("query_bill", "户号[33103455](account_no)28"), "没有标准"),
        (Complaint("没电", "weather", "P1", "desk", "x"), "没有这个类别"),
        (Complaint("没电", "outage", "P9", "desk", "x"), "没有这个优先级"),
        (Utterance("deny", "头一句新话不一样"), "两种标注"),
    ],
)
def test_one_unfit_row_and_none_is_written(root: Path, row: Utterance | Complaint, message: str) -> None:
    with pytest.raises(DataError, match=message):
        put([Utterance("greet", "头一句新话不一样"), row], NOW, root=root)
    assert _changed(root) == {}


def test_a_preview_writes_nothing(root: Path) -> None:
    written = put([Utterance("greet", "头一句新话不一样")], NOW, root=root, dry=True)
    assert len(written.added) == 1
    assert _changed(root) == {}


def test_a_row_is_moved_changed_and_removed(root: Path) -> None:
    row = next(row for row in nlu_data.utterances(root / "intents") if row.plain == "哈喽")
    moved = Utterance("thank", "哈喽谢了哦")
    change(row, moved, root)
    assert _changed(root)["intents/smalltalk.yml"] == ["-     - 哈喽", "+     - 哈喽谢了哦"]
    with pytest.raises(DataError, match="已被别人改过"):
        change(row, Utterance("greet", "哈喽呀呀"), root)
    change(moved, None, root)
    complaint = next(nlu_data.complaints(root / "complaints" / "b.jsonl"))
    change(complaint, None, root)
    changed = _changed(root)
    assert changed["intents/smalltalk.yml"] == ["-     - 哈喽"]
    assert len(changed["complaints/b.jsonl"]) == 1


@pytest.mark.parametrize("span", [(0, 0), (2, 99), (3, 1)])
def test_a_span_outside_the_sentence_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="位置"):
        Utterance.marked("query_bill", "上月电费", [{"entity": "month", "start": span[0], "end": span[1]}])


def test_marks_and_spans_are_the_same_thing() -> None:
    for row in nlu_data.utterances():
        spans = [{"entity": name, "start": start, "end": end} for name, start, end in row.spans]
        again = Utterance.marked(row.intent, row.plain, spans)
        check(again)
        assert again == row
