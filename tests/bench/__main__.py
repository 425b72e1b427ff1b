"""`make bench`: a bill turn through our web channel beside the equivalent action turn of a stock Rasa project.

Same machine, same Rasa version, one after the other, eight customers at a time; our turn is measured end to end and
through Rasa alone, our pipeline's training on the stock project's data. Figures are printed, never asserted.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import yaml
from websockets.asyncio.client import connect

import nlu_data
from bot import dialogue_model
from bot.dialogue import environment
from bot.settings import ROOT, free_port
from tests.product import Product
from triage import training

HERE = Path(__file__).parent / "stock"
AT_ONCE = 8
TURNS = 400
EXAMPLES = 40
QUESTION = "我上个月电费多少"
ACCOUNT = ("3310000017", "1580")


def memory(group: int) -> dict[str, float]:
    """Resident MB of every process of a group, by what it is."""
    found: dict[str, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if os.getpgid(int(entry.name)) != group:
                continue
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            pages = int((entry / "statm").read_text().split()[1])
        except (ProcessLookupError, FileNotFoundError):
            continue
        is_rasa = "/rasa " in command or "dialogue.serve" in command
        name = "rasa" if is_rasa else "actions" if "rasa_sdk" in command else "service"
        found[name] = found.get(name, 0) + pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return {name: round(size) for name, size in found.items()}


async def measure(turn: Callable[[int], Awaitable[None]]) -> dict[str, float]:
    """Turns a second and percentiles in ms; `AT_ONCE` customers, each waits for its answer before it asks again."""
    seconds: list[float] = []

    async def customer(index: int) -> None:
        for _ in range(TURNS // AT_ONCE):
            begun = time.perf_counter()
            await turn(index)
            seconds.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(customer(index) for index in range(AT_ONCE)))
    took = time.perf_counter() - begun
    return {
        "turns_per_second": round(len(seconds) / took, 1),
        "p50_ms": round(statistics.median(seconds) * 1000, 1),
        "p95_ms": round(statistics.quantiles(seconds, n=20)[-1] * 1000, 1),
    }


async def ours(product: Product) -> dict[str, float]:
    """Our web channel, end to end: WebSocket in, stored, Rasa, actions, stored, WebSocket out."""

    class Talk:
        def __init__(self, socket: Any) -> None:
            self.socket = socket

        async def ask(self, text: str) -> str:
            await self.socket.send(json.dumps({"type": "message", "id": uuid.uuid4().hex, "text": text}))
            while True:
                frame = json.loads(await self.socket.recv())
                if frame["type"] == "error":
                    raise RuntimeError(frame["text"])
                if frame["type"] == "message" and frame["from"] == "bot":
                    return str(frame["text"])

    async def verified() -> Talk:
        async with httpx.AsyncClient() as http:
            token = (await http.post(f"{product.url}/chat/session")).json()["token"]
        socket = await connect(f"{product.url.replace('http', 'ws')}/chat/ws?token={token}&after=0")
        talk = Talk(socket)
        await talk.ask("查电费")
        await talk.ask(ACCOUNT[0])
        assert "数据时间" in await talk.ask(ACCOUNT[1])
        return talk

    talks = [await verified() for _ in range(AT_ONCE)]

    async def turn(index: int) -> None:
        assert "电费" in await talks[index].ask(QUESTION)

    found = await measure(turn)
    for talk in talks:
        await talk.socket.close()
    return found


async def through_rasa(product: Product) -> dict[str, float]:
    """The same turn asked of our Rasa itself, as the stock project is asked; for the customers verified by `ours`."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{product.rasa_port}", timeout=60) as http:
        seqs = itertools.count(10_000)

        async def turn(index: int) -> None:
            body = {"sender": str(index + 1), "message": QUESTION, "metadata": {"seq": next(seqs)}}
            answer = (await http.post("/webhooks/rest/webhook", json=body)).json()
            assert any("千瓦时" in row.get("text", "") for row in answer), answer

        return await measure(turn)


def train_light(stock: Path, folder: Path) -> float:
    """Train our pipeline and policy on the stock project's data; returns seconds."""
    shutil.copytree(stock, folder, ignore=shutil.ignore_patterns("models", ".rasa"))
    config = yaml.safe_load((ROOT / "config.yml").read_text("utf-8"))
    config["policies"] = [{"name": "RulePolicy"}]  # our fallback action is none of theirs
    (folder / "config.yml").write_text(yaml.safe_dump(config), "utf-8")
    return _train(folder)


def train_stock(folder: Path) -> float:
    """Copy and train the stock project there; returns seconds."""
    shutil.copytree(HERE, folder, dirs_exist_ok=True)
    wanted = yaml.safe_load((HERE / "domain.yml").read_text())["intents"]
    rows: dict[str, list[str]] = {name: [] for name in wanted}
    for utterance in nlu_data.utterances():
        if utterance.intent in rows and len(rows[utterance.intent]) < EXAMPLES:
            rows[utterance.intent].append(utterance.plain)
    nlu = [{"intent": name, "examples": "".join(f"- {text}\n" for text in texts)} for name, texts in rows.items()]
    (folder / "data" / "nlu.yml").write_text(yaml.safe_dump({"version": "3.1", "nlu": nlu}, allow_unicode=True))
    return _train(folder)


def _train(folder: Path) -> float:
    begun = time.monotonic()
    with (folder / "train.log").open("wb") as log:
        subprocess.run(
            [str(environment.VENV / "bin" / "rasa"), "train"], cwd=folder, check=True, stdout=log, stderr=log,
            env={**os.environ, **environment.QUIET},
        )  # fmt: skip
    return time.monotonic() - begun


async def stock(folder: Path) -> dict[str, Any]:
    """The stock project: REST channel and its own action server."""
    port, actions = free_port(), free_port()
    settings = {**os.environ, **environment.QUIET, "STOCK_ACTIONS_PORT": str(actions)}
    bin = environment.VENV / "bin"
    begun = time.monotonic()
    with (folder / "run.log").open("wb") as log:
        server = subprocess.Popen(
            [str(bin / "rasa"), "run", "--enable-api", "-i", "127.0.0.1", "-p", str(port)],
            cwd=folder, env=settings, stdout=log, stderr=log, process_group=0,
        )  # fmt: skip
        actor = subprocess.Popen(
            [str(bin / "python"), "-m", "rasa_sdk", "--actions", "actions", "-p", str(actions)],
            cwd=folder, env={**settings, "PYTHONPATH": str(folder)}, stdout=log, stderr=log, process_group=server.pid,
        )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            while True:
                try:
                    if (await http.get("/status")).status_code == 200:
                        break
                except httpx.HTTPError:
                    await asyncio.sleep(0.5)
            ready = time.monotonic() - begun

            async def turn(index: int) -> None:
                body = {"sender": f"customer{index}", "message": QUESTION}
                answer = (await http.post("/webhooks/rest/webhook", json=body)).json()
                assert any("千瓦时" in row.get("text", "") for row in answer), answer

            for index in range(AT_ONCE):
                await turn(index)
            found = await measure(turn)
        return {**found, "start_seconds": round(ready, 1), "memory_mb": memory(server.pid)}
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        actor.wait()


def main() -> None:
    """Measure both and print one JSON object and the ratio."""
    dialogue_model.prepare()
    training.ensure()
    with tempfile.TemporaryDirectory(prefix="dianqiao-bench-") as name:
        folder = Path(name)
        print("Training the stock project ...", flush=True)
        trained = train_stock(folder / "stock")
        light = train_light(folder / "stock", folder / "light")
        theirs = {**asyncio.run(stock(folder / "stock")), "train_seconds": round(trained)}
        (folder / "var").mkdir()
        product = Product(folder / "var")
        begun = time.monotonic()
        product.start()
        ready = time.monotonic() - begun
        try:
            mine: dict[str, Any] = {**asyncio.run(ours(product)), "start_seconds": round(ready, 1)}
            mine["through_rasa"] = asyncio.run(through_rasa(product))
            mine["train_seconds_on_stock_data"] = round(light, 1)
            assert product._process is not None
            mine["memory_mb"] = memory(product._process.pid)
        finally:
            product.stop()
    figures = {
        "dianqiao": mine,
        "stock_rasa_3.6.21": theirs,
        "ratio_turns_per_second": round(mine["turns_per_second"] / theirs["turns_per_second"], 2),
        "ratio_turns_per_second_through_rasa": round(
            mine["through_rasa"]["turns_per_second"] / theirs["turns_per_second"], 2
        ),
        "ratio_p95_through_rasa": round(mine["through_rasa"]["p95_ms"] / theirs["p95_ms"], 2),
        "ratio_training": round(trained / light, 1),
    }
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    # `python -m tests.bench NAME …` runs tests/bench/NAME.py instead
    for name in sys.argv[1:]:
        importlib.import_module(f"tests.bench.{name}").main()
    if not sys.argv[1:]:
        main()
