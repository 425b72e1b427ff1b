"""The reader beside the live model: a real model in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.dialogue import environment
from bot.dialogue.reader import Reader, ReaderFailed

pytestmark = pytest.mark.rasa


def test_texts_in_readings_out_in_order() -> None:
    texts = ["我上个月电费多少", "你好", "asdf qwer", *(f"查{n}月电费" for n in range(1, 13))] * 40
    with Reader(environment.prepare()) as reader:
        found = reader.read(texts)
        assert reader.read([]) == []
    assert len(found) == len(texts)
    assert found[0]["intent"] == "query_bill" and found[1]["intent"] == "greet"
    assert found[0]["entities"] == [{"entity": "month", "value": "上个月", "start": 1, "end": 4}]
    assert found[15:30] == found[:15]


def test_a_model_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"no model")
    with Reader(tmp_path / "model.tar.gz") as reader, pytest.raises(ReaderFailed, match="\\w"):
        reader.read(["你好"])
