"""Messages of several matters as two writers cut them who had not seen the rules, read by the real model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from bot import dialogue_model
from bot.dialogue.reading import Reader
from tests.bench.several import alike, rows, score

pytestmark = pytest.mark.rasa


@pytest.mark.parametrize(("writer", "least", "most"), [(1, 34, 2), (2, 13, 2)])
def test_most_of_what_writers_cut_is_cut_and_hardly_anything_else(writer: int, least: int, most: int) -> None:
    with Reader(dialogue_model.prepare()) as reader:

        async def read(text: str) -> Mapping[str, Any]:
            return reader.read([text])[0]

        found = asyncio.run(score([row for row in rows() if row["writer"] == writer], read))
    assert found["alike"] >= least and found["cut"] <= most, found


def test_parts_are_alike_where_they_are_cut_at_nearly_the_same_place() -> None:
    assert alike(["电费多少", "明天停电吗"], ["电费多少，", "明天停电吗？"])
    assert not alike(["电费多少明天停电吗"], ["电费多少，", "明天停电吗？"])
    assert not alike(["电费", "多少啊那个明天停电吗"], ["电费多少啊那个，", "明天停电吗？"])
