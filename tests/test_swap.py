"""A promotion and a rollback while customers talk: a real Rasa, a real service, the registry's own files."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot import dialogue_model
from bot.conversation import BOT_UNAVAILABLE
from bot.replay import NoReplay, replay
from bot.settings import Settings
from models import SETUP, Registry
from tests.product import Customer, Product
from triage import training

pytestmark = pytest.mark.rasa

KINDS = ("dialogue", "triage")
WITHIN = 60
BILL = ("我上个月电费多少", "3310000017", "1580")


class Stage:
    """A product with a registry of its own, in which every kind of model has the versions a and b."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.models = folder, folder / "models"
        dialogue_model.prepare()
        training.ensure()
        for kind in ("dialogue", "triage"):
            made, registry = Registry(kind).current(), Registry(kind, self.models)
            for version in "ab":
                shutil.copytree(made, registry.folder / version)
                card = {**json.loads((made / "card.json").read_text()), "version": version}
                (registry.folder / version / "card.json").write_text(json.dumps(card))
            registry.promote("a", SETUP)
        self.product = Product(folder, MODELS_DIR=str(self.models))

    def registry(self, kind: str) -> Registry:
        return Registry(kind, self.models)

    def state(self, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.product.url}/readyz", timeout=10).json()["models"][kind]
        return found

    def await_state(self, kind: str, wanted: Callable[[dict[str, Any]], bool]) -> float:
        """Seconds until `kind` is as wanted."""
        begun = time.monotonic()
        while time.monotonic() - begun < WITHIN:
            if wanted(self.state(kind)):
                return time.monotonic() - begun
            time.sleep(0.05)
        raise AssertionError(f"{kind} stays {self.state(kind)}")

    def follow(self, version: str) -> float:
        """Seconds until both kinds use `version`."""
        return max(self.await_state(kind, lambda state: bool(state["version"] == version)) for kind in KINDS)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.folder / "dianqiao.db") as database:
            return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("swap"))
    try:
        stage.product.start()
        yield stage
    finally:
        stage.product.stop()


def bill(customer: Customer) -> None:
    """A form over three turns; every one must get its own answer."""
    assert "户号" in customer.hear(BILL[0])
    assert "后四位" in customer.hear(BILL[1])
    assert "172.46" in customer.hear(BILL[2])


def test_nobody_notices_a_promotion_and_a_rollback(stage: Stage) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def talk() -> None:
        try:
            while not stop.is_set():
                customer = Customer(stage.product)
                bill(customer)
                assert customer.owner == "bot" and BOT_UNAVAILABLE not in str(customer.seen)
        except BaseException as failure:
            failures.append(failure)

    stage.follow("a")
    talkers = [threading.Thread(target=talk) for _ in range(3)]
    for talker in talkers:
        talker.start()
    under_way = Customer(stage.product)
    assert "户号" in under_way.hear(BILL[0])
    for kind in KINDS:
        stage.registry(kind).promote("b", "李")
    stage.follow("b")
    assert "后四位" in under_way.hear(BILL[1]), "a form that began with the model before goes on"
    for kind in KINDS:
        stage.registry(kind).rollback("王")
    print(f"a rollback took {stage.follow('a'):.1f} s")
    assert "172.46" in under_way.hear(BILL[2])
    stop.set()
    for talker in talkers:
        talker.join()
    assert not failures, failures
    read = stage.rows("SELECT conversation_id, seq, model, intent, fallback FROM reading ORDER BY id")
    said = stage.rows("SELECT conversation_id, seq FROM message WHERE speaker = 'customer'")
    assert {row[:2] for row in read} == set(said), "every turn is read, and by one model"
    conversation = stage.rows("SELECT max(conversation_id) FROM reading WHERE model = 'b'")[0][0]
    assert {row[2] for row in read} == {"a", "b"} and not any(row[4] for row in read)
    answers = stage.rows(
        f"SELECT DISTINCT answers FROM message WHERE speaker = 'bot' AND conversation_id = {conversation}"
    )
    assert {seq for (seq,) in answers} <= {row[1] for row in read if row[0] == conversation}


def test_every_ticket_names_the_model_that_placed_it(stage: Stage) -> None:
    versions = {version: stage.registry("triage").card(version)["version"] for version in "ab"}
    for version in "ba":
        stage.registry("triage").promote(version, "李")
        stage.await_state("triage", lambda state, version=version: bool(state["version"] == version))  # type: ignore[misc]
        customer = Customer(stage.product)
        customer.ask("转人工")
        customer.look(1)
        assert customer.owner == "queue"
        assert stage.rows("SELECT model FROM ticket ORDER BY id DESC LIMIT 1") == [(versions[version],)]


def test_a_broken_version_changes_nothing_but_is_told(stage: Stage) -> None:
    for kind in KINDS:
        registry = stage.registry(kind)
        with registry.workplace() as place:
            (place / "made").mkdir()
            for name in ("model.tar.gz", "model.onnx"):
                (place / "made" / name).write_bytes(b"torn")
            registry.add(place / "made", {**registry.card("a"), "version": "broken"})
        before = stage.state(kind)["version"]
        registry.promote("broken", "李")
        stage.await_state(kind, lambda state: "broken" in (state["failure"] or ""))
        assert stage.state(kind)["version"] == before
        bill(Customer(stage.product))
        registry.rollback("李")
        stage.await_state(kind, lambda state: state["failure"] is None)


async def _again(stage: Stage, conversation: int, seq: int) -> list[str]:
    settings = Settings.read({"VAR_DIR": str(stage.folder), "MODELS_DIR": str(stage.models)})
    return await replay(settings, conversation, seq)


def test_a_message_is_read_again_by_the_version_that_read_it(stage: Stage) -> None:
    conversation, seq = stage.rows("SELECT conversation_id, seq FROM reading WHERE intent = 'query_bill' LIMIT 1")[0]
    lines = asyncio.run(_again(stage, conversation, seq))
    assert BILL[0] in lines[0] and lines[-1] == "same      yes"
    with pytest.raises(NoReplay):
        asyncio.run(_again(stage, conversation, seq + 1))


def test_a_restart_with_a_broken_version_goes_on_with_the_one_before(stage: Stage) -> None:
    for kind in KINDS:
        stage.registry(kind).promote("broken", "李")
        stage.await_state(kind, lambda state: "broken" in (state["failure"] or ""))
    stage.product.kill()
    stage.product.sweep()
    stage.product.start()
    for kind in KINDS:
        found = stage.state(kind)
        assert found["version"] == "a" and "broken" in found["failure"]
    bill(Customer(stage.product))
    for kind in KINDS:
        stage.registry(kind).rollback("李")
        stage.await_state(kind, lambda state: state["failure"] is None)


def test_a_service_killed_in_the_middle_comes_back_with_what_was_decided(stage: Stage) -> None:
    stage.registry("dialogue").promote("b", "李")
    time.sleep(1)
    stage.product.kill()
    stage.product.sweep()
    assert stage.registry("dialogue").current().name == "b"
    stage.product.start()
    assert stage.await_state("dialogue", lambda state: bool(state["version"] == "b")) < WITHIN
    bill(Customer(stage.product))
