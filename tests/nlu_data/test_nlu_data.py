import json
from collections import Counter
from pathlib import Path

import pytest

import nlu_data
from nlu_data import checks


def test_every_intent_has_varied_utterances() -> None:
    count = Counter(row.intent for row in nlu_data.utterances())
    every = {intent for intents in nlu_data.TOPICS.values() for intent in intents}
    assert len(every) == 56
    assert set(count) == every
    assert min(count.values()) >= 40


def test_no_sentence_is_written_twice() -> None:
    seen = Counter(row.plain for row in nlu_data.utterances())
    assert [text for text, times in seen.items() if times > 1] == []


def test_every_entity_is_annotated_somewhere() -> None:
    assert {name for row in nlu_data.utterances() for name, _ in row.entities} == set(nlu_data.ENTITIES)


def test_complaints_are_unique_and_labelled() -> None:
    rows = list(nlu_data.complaints())
    assert len({row.text for row in rows}) == len(rows)
    assert {row.category for row in rows} <= set(nlu_data.CATEGORIES)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("- intent: nonsense\n  examples: |\n    - 你好\n", "没有这个意图"),
        ("- intent: greet\n  examples: |\n    - [你好](person)\n", "没有这种实体"),
        ("- intent: greet\n  examples: |\n    - 你[好\n", "方括号"),
        ("- intent: greet\n  examples: |\n    你好\n", "开头"),
    ],
)
def test_a_wrong_topic_file_is_refused_by_name(tmp_path: Path, block: str, message: str) -> None:
    (tmp_path / "smalltalk.yml").write_text(f"nlu:\n{block}", "utf-8")
    with pytest.raises(nlu_data.DataError, match=f"smalltalk.yml.*{message}"):
        list(nlu_data.utterances(tmp_path))


GOOD = {"text": "没电了", "category": "outage", "priority": "P2", "voice": "chat", "source": "t"}


@pytest.mark.parametrize(
    ("change", "message"),
    [({"category": "weather"}, "类别"), ({"priority": "P9"}, "优先级"), ({"text": " "}, "空的")],
)
def test_a_wrong_complaint_is_refused_by_line(tmp_path: Path, change: dict[str, str], message: str) -> None:
    file = tmp_path / "batch.jsonl"
    file.write_text(json.dumps(GOOD) + "\n" + json.dumps(GOOD | change) + "\n", "utf-8")
    with pytest.raises(nlu_data.DataError, match=f"batch.jsonl:2.*{message}"):
        list(nlu_data.complaints(file))


def test_a_training_sentence_does_not_stand_in_the_frozen_set() -> None:
    training = [nlu_data.Utterance("query_bill", "帮我查一下[上个月](month)的电费")]
    near = nlu_data.Utterance("query_bill", "帮我查一下，[上个月](month)的电费！")
    far = nlu_data.Utterance("query_bill", "[十月](month)电费出来没")
    assert checks.too_near(training, [far]) == []
    assert len(checks.too_near(training, [near, far])) == 1


def test_entities_cut_within_a_figure_or_at_a_blank_are_told() -> None:
    good = nlu_data.Utterance("query_bill", "户号[3310345528](account_no)[9月](month)账单")
    cut = nlu_data.Utterance("query_bill", "户号[33103455](account_no)28")
    blank = nlu_data.Utterance("query_bill", "[上个月 ](month)账单")
    assert checks.misaligned([good]) == []
    assert len(checks.misaligned([cut, blank])) == 2


def test_the_trainers_files_have_no_problem() -> None:
    assert checks.problems() == []
