"""Laws of editing a topic file: only the line meant changes, and what was added and removed again leaves no trace."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu_data import DataError, Utterance
from nlu_data.topic_file import TopicFile

INTENTS = ("greet", "goodbye", "thank", "deny")
words = st.text(st.sampled_from("电费停了吗a1，。:#'\"-|>&*%@ 😀"), min_size=1, max_size=8).map(str.strip).filter(bool)
comments = st.sampled_from(["", "# 说明", "# 2026年起", "   # 缩进的说明", "#"])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[Utterance]]:
    """A file as people write them: comments, blank lines, any indentation, either line end, with its rows."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    dash, deep = " " * draw(st.integers(0, 3)), " " * draw(st.integers(1, 4))
    lines = [draw(comments), 'version: "3.1"  # 版本', "nlu:", draw(comments)]
    rows = []
    texts = draw(st.lists(words, min_size=2, max_size=8, unique=True))
    intents = draw(st.lists(st.sampled_from(INTENTS), min_size=1, max_size=3, unique=True))
    for number, intent in enumerate(intents):
        remark = draw(st.sampled_from(["", "  # 每句一行"]))
        lines += [f"{dash}- intent: {intent}   # {number}", f"{dash}  examples: |{remark}"]
        for text in texts[number :: len(intents)] or ["好"]:
            rows.append(Utterance(intent, text))
            lines.append(f"{dash}  {deep}- {text}")
        lines += draw(st.sampled_from([[], [""], ["# 下一段", ""], ["", "", "# 完"]]))
    return end.join(lines) + draw(st.sampled_from(["", end])), rows


@settings(deadline=None)
@given(files())
def test_reading_changes_nothing_and_finds_every_row(file: tuple[str, list[Utterance]]) -> None:
    text, rows = file
    topic = TopicFile("smalltalk.yml", text)
    assert topic.text == text
    assert list(topic.rows()) == rows
    lines = text.replace("\r\n", "\n").split("\n")
    for row in topic.rows():
        assert row.text in lines[int(row.place.split(":")[1]) - 1]


@settings(deadline=None)
@given(files(), words, st.sampled_from(INTENTS))
def test_a_row_added_stands_last_of_its_intent_and_touches_no_other_byte(
    file: tuple[str, list[Utterance]], text: str, intent: str
) -> None:
    before, rows = file
    topic, new = TopicFile("smalltalk.yml", before), Utterance(intent, text)
    topic.add(new)
    again = TopicFile("smalltalk.yml", topic.text)
    assert [row for row in again.rows() if row.intent == intent] == [*(r for r in rows if r.intent == intent), new]
    assert [row for row in again.rows() if row.intent != intent] == [row for row in rows if row.intent != intent]
    kept, lines = before.splitlines(), topic.text.splitlines()
    more = 1 if intent in {row.intent for row in rows} else 3
    assert any(lines[:i] + lines[i + more :] == kept for i in range(len(kept) + 1))
    if new not in rows and intent in {row.intent for row in rows} and before.endswith("\n"):
        again.remove(new)
        assert again.text == before


@settings(deadline=None)
@given(files(), words, st.data())
def test_a_row_changed_and_changed_back_is_the_file_byte_for_byte(
    file: tuple[str, list[Utterance]], text: str, data: st.DataObject
) -> None:
    before, rows = file
    old = data.draw(st.sampled_from(rows))
    new = Utterance(old.intent, text)
    topic = TopicFile("smalltalk.yml", before)
    topic.change(old, new)
    changed = [(a, b) for a, b in zip(before.splitlines(), topic.text.splitlines(), strict=True) if a != b]
    assert len(changed) == (1 if new != old else 0)
    if new not in rows or new == old:
        topic.change(new, old)
        assert topic.text == before


@settings(deadline=None)
@given(files(), st.data())
def test_a_row_removed_takes_its_line_alone(file: tuple[str, list[Utterance]], data: st.DataObject) -> None:
    before, rows = file
    row = data.draw(st.sampled_from(rows))
    topic = TopicFile("smalltalk.yml", before)
    if sum(one.intent == row.intent for one in rows) == 1:
        with pytest.raises(DataError, match="最后一句"):
            topic.remove(row)
        assert topic.text == before
        return
    topic.remove(row)
    assert len(topic.text.splitlines()) == len(before.splitlines()) - 1
    rest = list(rows)
    rest.remove(row)
    assert list(TopicFile("smalltalk.yml", topic.text).rows()) == rest


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Utterance("nonsense", "你好"), "没有这个意图"),
        (Utterance("greet", "[你好](person)"), "没有这种实体"),
        (Utterance("greet", "你[好"), "方括号"),
        (Utterance("greet", "你\n好"), "换行"),
        (Utterance("greet", " "), "空的"),
    ],
)
def test_an_unfit_row_is_refused_and_nothing_changed(row: Utterance, message: str) -> None:
    text = "nlu:\n- intent: greet\n  examples: |\n    - 早\n"
    topic = TopicFile("smalltalk.yml", text)
    with pytest.raises(DataError, match=message):
        topic.add(row)
    assert topic.text == text


def test_a_file_whose_end_is_no_longer_the_training_data_is_refused() -> None:
    text = "nlu:\n- intent: greet\n  examples: |\n    - 早\nversion: '3.1'\n"
    topic = TopicFile("smalltalk.yml", text)
    topic.add(Utterance("greet", "晚上好"))
    with pytest.raises(DataError):
        topic.add(Utterance("thank", "谢谢"))
