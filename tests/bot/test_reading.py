"""Any version's readings, by a real model."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import dialogue_model
from bot.dialogue.reading import Reader, ReaderFailed

pytestmark = pytest.mark.rasa


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader(dialogue_model.prepare()) as one:
        yield one


def test_texts_are_read_in_order_as_a_live_message_is(reader: Reader) -> None:
    bill, human, button, nonsense = reader.read(["我上个月电费多少", "转人工", "/greet", "阿斯顿发斯蒂芬斤斤计较"])
    assert bill["intent"] == "query_bill" and not bill["fallback"]
    assert [(e["entity"], e["value"], e["start"], e["end"]) for e in bill["entities"]] == [("month", "上个月", 1, 4)]
    assert bill["ranking"][0] == ["query_bill", bill["confidence"]] and len(bill["ranking"]) == 5
    assert human["intent"] == "request_human"
    assert (button["intent"], button["confidence"]) == ("greet", 1.0)
    assert all(intent != "nlu_fallback" for intent, _ in nonsense["ranking"])


def test_more_than_a_pipe_holds(reader: Reader) -> None:
    texts = [f"停电了{number}" + "很长" * 200 for number in range(400)]
    assert len(reader.read(texts)) == 400


def test_a_file_without_a_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"nothing")
    with Reader(tmp_path / "model.tar.gz") as broken, pytest.raises(ReaderFailed):
        broken.read(["停电了"])
