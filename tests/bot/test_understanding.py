"""What `POST /model/parse` of a real Rasa with our components answers."""

from collections.abc import Iterator

import httpx
import pytest

from bot import dialogue_model
from tests.bench.understanding import serving

pytestmark = pytest.mark.rasa


@pytest.fixture(scope="module")
def rasa() -> Iterator[httpx.Client]:
    with serving(dialogue_model.prepare()) as http:
        yield http


@pytest.mark.parametrize(
    ("text", "intent", "entities"),
    [
        ("我上个月电费多少", "query_bill", [("month", "上个月")]),
        ("３３１００００１７９上個月電費", "query_bill", [("account_no", "３３１００００１７９"), ("month", "上個月")]),
        ("停店了", "report_outage", []),
        ("轉人工", "request_human", []),
        ("幺三八零零二三七七一九", "inform", [("phone", "幺三八零零二三七七一九")]),
    ],
)  # fmt: skip
def test_a_message_is_understood_as_it_was_written(
    rasa: httpx.Client, text: str, intent: str, entities: list[tuple[str, str]]
) -> None:
    answer = rasa.post("/model/parse", json={"text": text}).json()
    assert answer["intent"]["name"] == intent
    assert [(e["entity"], e["value"]) for e in answer["entities"]] == entities
    assert all(text[e["start"] : e["end"]] == e["value"] for e in answer["entities"])


def test_confidences_are_probabilities_and_nothing_is_too_odd_to_parse(rasa: httpx.Client) -> None:
    ranking = rasa.post("/model/parse", json={"text": "电费"}).json()["intent_ranking"]
    assert all(0 <= one["confidence"] <= 1 for one in ranking)
    assert sum(one["confidence"] for one in ranking if one["name"] != "nlu_fallback") <= 1.001
    for text in ("？", "😀", "／", "x" * 500):
        assert rasa.post("/model/parse", json={"text": text}).status_code == 200
