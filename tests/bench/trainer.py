"""`python -m tests.bench trainer`: what the trainer's loop costs and whom it disturbs.

A product in a tree of its own answers customers who ask for a bill at a steady pace: before, during and after a full
training, and while a model is promoted and taken back again and again. Before that: how many seeded errors the review
list shows first, and the keystrokes of a row beside doccano's. Figures are printed, never asserted.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

import nlu_data
from bot import dialogue_model
from nlu_data import Utterance, writing
from nlu_data.checks import FROZEN
from nlu_data.names import FALLBACK, names
from tests import databases
from tests.product import PASSWORD, Product, own_tree
from tests.triage.trainer.traffic import FIRST, errors_found
from triage import training
from triage.desk.initials import initials

CUSTOMERS = 8
PAUSE = 1.25  # a customer may send 60 messages a minute
QUIET = 60.0
SWAPS = 3
ACCOUNT = ("3310000017", "1580")
QUESTION = "我上个月电费多少"
LOST_AFTER = 10.0
SHOWN = 3  # readings that the page offers on keys
UNSURE = 0.8
DOCCANO_KEYS = (
    36  # digits and letters; further labels need Ctrl or Shift beside one (doccano 1.8, label_types/models.py)
)


@dataclass
class Turns:
    """Seconds of every turn that was answered with the bill, what else was answered, and how many got no answer."""

    seconds: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    dropped: int = 0

    def told(self) -> dict[str, Any]:
        """Percentiles in ms."""
        return {
            "turns": len(self.seconds), "dropped": self.dropped, "other_answers": dict(self.others),
            "p50_ms": round(statistics.median(self.seconds) * 1000, 1),
            "p95_ms": round(statistics.quantiles(self.seconds, n=20)[-1] * 1000, 1),
        }  # fmt: skip


class Customer:
    """A verified customer on an open socket."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    @classmethod
    async def enter(cls, url: str) -> Customer:
        async with httpx.AsyncClient() as http:
            token = (await http.post(f"{url}/chat/session")).json()["token"]
        one = cls(await connect(f"{url.replace('http', 'ws')}/chat/ws?token={token}&after=0"))
        for text in ("查电费", *ACCOUNT):
            await one.ask(text)
        return one

    async def ask(self, text: str) -> str:
        """The bot's answer; raises `TimeoutError`."""
        await self._socket.send(json.dumps({"type": "message", "id": uuid.uuid4().hex, "text": text}))
        async with asyncio.timeout(LOST_AFTER):
            while True:
                frame = json.loads(await self._socket.recv())
                if frame["type"] == "message" and frame["from"] in ("bot", "system"):
                    return str(frame["text"])

    async def close(self) -> None:
        await self._socket.close()


async def during(url: str, work: Callable[[], Awaitable[Any]]) -> tuple[Turns, Any]:
    """Every customer asks at a steady pace until the work is done."""
    turns, over = Turns(), asyncio.Event()
    customers = [await Customer.enter(url) for _ in range(CUSTOMERS)]

    async def talk(customer: Customer, late: float) -> None:
        await asyncio.sleep(late)
        while not over.is_set():
            begun = time.perf_counter()
            try:
                answer = await customer.ask(QUESTION)
            except TimeoutError:
                turns.dropped += 1
            else:
                if "数据时间" in answer:
                    turns.seconds.append(time.perf_counter() - begun)
                else:
                    turns.others[answer[:40]] += 1
            await asyncio.sleep(max(0.0, PAUSE - (time.perf_counter() - begun)))

    talks = [asyncio.create_task(talk(one, number * PAUSE / CUSTOMERS)) for number, one in enumerate(customers)]
    try:
        found = await work()
    finally:
        over.set()
        await asyncio.gather(*talks)
        for customer in customers:
            await customer.close()
    return turns, found


async def trained(api: httpx.AsyncClient) -> dict[str, Any]:
    """A full training as the page's button starts it, to its end."""
    job = (await api.post("/trainer/jobs", json={"kinds": ["dialogue", "triage"]})).raise_for_status().json()
    while job["state"] == "running":
        await asyncio.sleep(1)
        job = (await api.get(f"/trainer/jobs/{job['id']}")).raise_for_status().json()
    if job["state"] != "done":
        raise RuntimeError(f"the training ended as {job['state']}: {job['why']}\n{job['log'][-2000:]}")
    return dict(job)


async def swapped(api: httpx.AsyncClient, url: str, version: str) -> dict[str, list[float]]:
    """Seconds from each promotion, and each rollback, until the model has taken over."""
    person = {"person": "bench", "reason": "measured under load"}
    found: dict[str, list[float]] = {"promote_seconds": [], "rollback_seconds": []}
    for _ in range(SWAPS):
        for verb, body in (
            ("promote", {"kind": "dialogue", "version": version, "override": person}),
            ("rollback", {"kind": "dialogue"}),
        ):
            done, begun = await swaps(url), time.perf_counter()
            (await api.post(f"/trainer/{verb}", json=body)).raise_for_status()
            while await swaps(url) == done:
                await asyncio.sleep(0.05)
            found[f"{verb}_seconds"].append(round(time.perf_counter() - begun, 1))
            await asyncio.sleep(5)
    return found


async def swaps(url: str) -> float:
    """How many dialogue models have taken over so far."""
    async with httpx.AsyncClient() as http:
        lines = (await http.get(f"{url}/metrics")).text.splitlines()
    wanted = 'dianqiao_model_swaps_total{end="done",kind="dialogue"}'
    return next((float(line.split()[-1]) for line in lines if line.startswith(wanted)), 0.0)


def seeded() -> dict[str, int]:
    """Of errors put among ordinary conversations, how many stand in the first rows of the review list."""
    with tempfile.TemporaryDirectory(prefix="dianqiao-bench-") as name:
        found = [errors_found(databases.sqlite(Path(name), f"seeded{seed}"), seed) for seed in (1, 2, 3)]
    return {"seeded": sum(of for _, of in found), f"in_first_{FIRST}": sum(top for top, _ in found)}


def strokes(product: Product) -> dict[str, Any]:
    """Keystrokes of a row's intent, for all frozen sentences and for those a trainer would meet (below `UNSURE`).

    Ours: Enter takes the first reading, 1 to `SHOWN` and Enter another; else /, initials until they tell it from all
    others, Enter, Enter (tests/triage/test_trainer_pages.py types these). doccano: the label's key, the commonest
    labels on one key, and the arrow to the next row; it offers no reading.
    """
    rows = [row for name in ("intents.yml", "intents_robust.yml") for row in nlu_data.utterances(FROZEN / name)]
    common = [name for name, _ in Counter(row.intent for row in nlu_data.utterances()).most_common(DOCCANO_KEYS)]
    titles = {name: title for name, title in names().intents.items() if name != FALLBACK}
    short = dict(zip(titles, initials(*titles.values()), strict=True))

    def searched(intent: str) -> int:
        others = [letters for name, letters in short.items() if name != intent]
        told = (n for n in range(1, len(short[intent])) if not any(o.startswith(short[intent][:n]) for o in others))
        return 3 + next(told, len(short[intent]))

    ours, theirs, unsure = list[int](), list[int](), list[int]()
    with httpx.Client(base_url=f"http://127.0.0.1:{product.rasa_port}", timeout=30) as http:
        for row in rows:
            read = http.post("/model/parse", json={"text": row.plain}).raise_for_status().json()
            ranking = [one["name"] for one in read["intent_ranking"] if one["name"] in short][:SHOWN]
            place = ranking.index(row.intent) if row.intent in ranking else None
            ours.append(searched(row.intent) if place is None else 1 if place == 0 else 2)
            theirs.append(2 if row.intent in common else 3)
            if read["intent"]["confidence"] < UNSURE:
                unsure.append(len(ours) - 1)
    return {
        name: {
            "rows": len(chosen),
            "ours": round(statistics.mean(ours[n] for n in chosen), 2),
            "doccano": round(statistics.mean(theirs[n] for n in chosen), 2),
        }
        for name, chosen in {"all": range(len(rows)), "unsure": unsure}.items()
    }


async def measure(product: Product) -> dict[str, Any]:
    """Everything, one after the other."""
    async with httpx.AsyncClient(base_url=f"{product.url}/api", timeout=60) as api:
        token = (await api.post("/login", json={"username": "admin", "password": PASSWORD})).json()["token"]
        api.headers["Authorization"] = f"Bearer {token}"
        await during(product.url, lambda: asyncio.sleep(10))  # warm
        before, _ = await during(product.url, lambda: asyncio.sleep(QUIET))
        training_turns, job = await during(product.url, lambda: trained(api))
        after, _ = await during(product.url, lambda: asyncio.sleep(QUIET))
        promoting, seconds = await during(product.url, lambda: swapped(api, product.url, job["made"]["dialogue"]))
    quiet = statistics.quantiles([*before.seconds, *after.seconds], n=20)[-1]
    return {
        "steps_seconds": {step["name"]: step["seconds"] for step in job["steps"]},
        "training_seconds": round(job["ended"] - job["begun"]),
        "before": before.told(), "training": training_turns.told(), "after": after.told(),
        "p95_training_to_quiet": round(statistics.quantiles(training_turns.seconds, n=20)[-1] / quiet, 2),
        "promoting": promoting.told(), **seconds,
    }  # fmt: skip


def main() -> None:
    """Print one JSON object."""
    dialogue_model.prepare()
    training.ensure()
    with tempfile.TemporaryDirectory(prefix="dianqiao-bench-") as name:
        folder, tree = Path(name) / "var", Path(name) / "tree"
        folder.mkdir()
        own_tree(tree)
        now = datetime.now(UTC)  # a row more for each model, so that there is something to learn
        complaint = writing.from_desk("抄表员上门时把我家院门的锁弄坏了没人赔", "damage_claim", "P3", now)
        writing.put([Utterance("give_praise", "给这个机器人点个大大的赞吧"), complaint], now, root=tree / "nlu_data")
        product = Product(folder, tree)
        product.start()
        try:
            figures = {"review": seeded(), "strokes_a_row": strokes(product), **asyncio.run(measure(product))}
        finally:
            product.stop()
    print(json.dumps(figures, ensure_ascii=False, indent=1))
