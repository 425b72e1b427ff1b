"""Rows go out and come back unchanged in every format; what does not fit is refused at its place."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nlu_data
from nlu_data import CATEGORIES, ENTITIES, PRIORITIES, TOPICS, Complaint, DataError, Utterance
from triage.trainer import exchange

INTENTS = [intent for group in TOPICS.values() for intent in group]
plain = (
    st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="[]"), min_size=1, max_size=12)
    | st.text(st.sampled_from("=+-@'\"，,;停电 （）()\\/{}#:"), min_size=1, max_size=8)
).map(str.strip).filter(bool)  # fmt: skip


@st.composite
def spoken(draw: st.DrawFn) -> Utterance:
    text = draw(plain)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4, unique=True)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    entities = [{"start": a, "end": b, "entity": draw(st.sampled_from(ENTITIES))} for a, b in pairs]
    return Utterance.marked(draw(st.sampled_from(INTENTS)), text, entities)


said = st.lists(spoken(), min_size=1, max_size=6)
complaints = st.lists(
    st.builds(
        Complaint, plain, st.sampled_from(CATEGORIES), st.sampled_from(PRIORITIES), st.sampled_from(["chat", "=1+1"]),
        plain,
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@pytest.mark.parametrize("name", exchange.FORMATS)
@settings(deadline=None)
@given(rows=said)
def test_utterances_round_trip(name: str, rows: list[Utterance]) -> None:
    assert exchange.parse(name, exchange.dump(name, rows)) == rows


@pytest.mark.parametrize("name", [name for name in exchange.FORMATS if name != "rasa"])
@settings(deadline=None)
@given(rows=complaints)
def test_complaints_round_trip(name: str, rows: list[Complaint]) -> None:
    assert exchange.parse(name, exchange.dump(name, rows)) == rows


@pytest.mark.parametrize("name", exchange.FORMATS)
def test_the_projects_own_rows_round_trip(name: str) -> None:
    rows = list(nlu_data.utterances())
    assert exchange.parse(name, exchange.dump(name, rows)) == rows
    if name != "rasa":
        letters = list(nlu_data.complaints())
        assert exchange.parse(name, exchange.dump(name, letters)) == letters


@settings(deadline=None)
@given(rows=said | complaints)
def test_no_cell_of_a_csv_is_a_formula(rows: list[Utterance] | list[Complaint]) -> None:
    text = exchange.dump("csv", rows).decode("utf-8-sig")
    for cells in csv.reader(io.StringIO(text, newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_a_file_saved_by_excel_is_read() -> None:
    rows = exchange.parse("csv", b"\xef\xbb\xbftext,intent\r\n" + "查[上月](month)电费,query_bill\r\n,\r\n".encode())
    assert rows == [Utterance("query_bill", "查[上月](month)电费")]
    with pytest.raises(DataError, match="UTF-8"):
        exchange.parse("csv", "text,intent\r\n查电费,query_bill\r\n".encode("gbk"))


def test_doccanos_intent_detection_is_read() -> None:
    line = {"id": 7, "text": "查上月电费", "entities": [[1, 3, "month"]], "cats": ["query_bill"], "Comments": []}
    assert exchange.parse("doccano", json.dumps(line).encode()) == [Utterance("query_bill", "查[上月](month)电费")]


@pytest.mark.parametrize(("start", "end", "fits"), [(2, 4, True), (3, 5, True), (4, 6, False)])
def test_label_studios_offsets_may_count_utf_16_units(start: int, end: int, fits: bool) -> None:
    span = {"type": "labels", "value": {"start": start, "end": end, "text": "上月", "labels": ["month"]}}
    intent = {"type": "choices", "from_name": "intent", "value": {"choices": ["query_bill"]}}
    task = {"data": {"text": "😭查上月电费"}, "annotations": [{"result": [intent, span]}]}
    content = json.dumps([task]).encode()
    if fits:
        assert exchange.parse("label_studio", content) == [Utterance("query_bill", "😭查[上月](month)电费")]
    else:
        with pytest.raises(DataError, match="第1条.*位置"):
            exchange.parse("label_studio", content)


TASK = {"data": {"text": "查电费"}, "annotations": []}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("csv", "text,intent\n停电了,nonsense\n", "csv:2：没有这个意图"),
        ("csv", "text,intent\n停[电](weather)了,report_outage\n", "csv:2：没有这种实体"),
        ("csv", "text,intent\n停电了，来人,快,report_outage\n", "csv:2：有3列"),
        ("csv", "句子,意图\n停电了,report_outage\n", "列名"),
        ("csv", "text,category,priority\n停电了,outage,P9\n", "csv:2：没有这个优先级"),
        ("rasa", "nlu:\n- intent: greet\n  examples: |\n    - 你好\n    - [你](x)好\n", "yml:5：没有这种实体"),
        ("rasa", "nlu: [", "不是正确的 YAML"),
        ("doccano", '{"text": "停电了", "label": [[0, 9, "month"]], "intent": "greet"}', "jsonl:1：.*位置"),
        ("doccano", '{"text": "停电了", "label": [["a", 9, "month"]], "intent": "greet"}', "jsonl:1：.*格式不对"),
        ("doccano", '{"text": "停电了", "label": []}\n', "jsonl:1：没有意图"),
        ("doccano", '{"text": "停电了", "label": ["outage", "billing", "P2"]}', "不止一个"),
        ("doccano", "{", "jsonl:1：不是正确的 JSON"),
        ("label_studio", json.dumps([TASK]), "第1条：有0份标注"),
        ("label_studio", json.dumps([{"data": {}}]), "第1条"),
        ("label_studio", '{"a": 1}', "一个列表"),
        ("doccano", "\n", "没有一行"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(name: str, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        exchange.parse(name, content.encode())
