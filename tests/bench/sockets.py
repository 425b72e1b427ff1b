"""`python -m tests.bench sockets`: how many web customers one service process holds, and in how much memory.

Idle customers have the page open; active ones each ask once a minute and wait for the bot's answer, with a real Rasa.
Figures are printed, never asserted.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bot import dialogue_model
from channels.webchat.identity import Identities
from tests.bench.__main__ import memory
from tests.product import Product
from triage import training

IDLE, ACTIVE = 10_000, 1_000
STEP, AT_ONCE = 1_000, 50
LASTS, EVERY = 120.0, 60.0
QUESTION = "怎么缴电费"


class Sockets:
    """Opens customers' sockets: the identities are signed here, for one address may only ask for so many a minute."""

    def __init__(self, product: Product, secret: str) -> None:
        self._url = product.url.replace("http", "ws")
        self._identities = Identities(secret)
        self.open: list[ClientConnection] = []

    async def grow(self, to: int) -> None:
        """Open until there are `to`, `AT_ONCE` at a time."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with gate:
                address = f"{self._url}/chat/ws?token={self._identities.new()}&after=0"
                self.open.append(await connect(address, compression=None, ping_interval=None, max_queue=1))

        await asyncio.gather(*(one() for _ in range(to - len(self.open))))

    async def alive(self) -> int:
        """How many still answer a ping."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(socket: ClientConnection) -> bool:
            async with gate:
                with suppress(WebSocketException, TimeoutError):
                    async with asyncio.timeout(30):
                        await (await socket.ping())
                        return True
                return False

        return sum(await asyncio.gather(*(one(socket) for socket in self.open)))

    async def close(self) -> None:
        """Close every socket."""
        await asyncio.gather(*(socket.close() for socket in self.open), return_exceptions=True)
        self.open = []


async def idle(product: Product, secret: str, group: int) -> dict[str, Any]:
    """Memory of the service as pages are opened."""
    sockets, megabytes = Sockets(product, secret), {0: memory(group)["service"]}
    begun = time.monotonic()
    try:
        for count in range(STEP, IDLE + 1, STEP):
            await sockets.grow(count)
            megabytes[count] = memory(group)["service"]
        took = time.monotonic() - begun
        alive = await sockets.alive()
    finally:
        await sockets.close()
    kilobytes = (megabytes[IDLE] - megabytes[0]) * 1000 / IDLE
    return {
        "sockets": IDLE, "alive": alive, "opened_per_second": round(IDLE / took), "service_mb": megabytes,
        "kb_per_socket": round(kilobytes, 1), "sockets_at_500_mb": round((500 - megabytes[0]) * 1000 / kilobytes),
    }  # fmt: skip


async def active(product: Product, secret: str, group: int) -> dict[str, Any]:
    """A thousand customers who each ask once a minute."""
    sockets = Sockets(product, secret)
    await sockets.grow(ACTIVE)
    before = await sockets.alive()
    seconds: list[float] = []
    unanswered = 0
    end = time.monotonic() + LASTS

    async def reader(socket: ClientConnection, heard: asyncio.Event) -> None:
        # a page always reads: one that did not would not answer the service's pings either
        with suppress(WebSocketException):
            async for frame in socket:
                found = json.loads(frame)
                if found["type"] == "message" and found["from"] == "bot":
                    heard.set()

    async def customer(number: int, socket: ClientConnection) -> None:
        nonlocal unanswered
        heard = asyncio.Event()
        reading = asyncio.create_task(reader(socket, heard))
        await asyncio.sleep(EVERY * number / ACTIVE)
        while time.monotonic() < end:
            begun = time.perf_counter()
            heard.clear()
            try:
                await socket.send(json.dumps({"type": "message", "id": uuid.uuid4().hex, "text": QUESTION}))
                async with asyncio.timeout(20):
                    await heard.wait()
                seconds.append(time.perf_counter() - begun)
            except (TimeoutError, WebSocketException):
                unanswered += 1
            await asyncio.sleep(max(0.0, EVERY - (time.perf_counter() - begun)))
        reading.cancel()

    try:
        await asyncio.gather(*(customer(number, socket) for number, socket in enumerate(sockets.open)))
        found = memory(group)
    finally:
        await sockets.close()
    return {
        "sockets": ACTIVE, "alive": before, "answers": len(seconds), "unanswered": unanswered,
        "answers_per_second": round(len(seconds) / LASTS, 1),
        "p50_ms": round(statistics.median(seconds) * 1000, 1),
        "p95_ms": round(statistics.quantiles(seconds, n=20)[-1] * 1000, 1), "memory_mb": found,
    }  # fmt: skip


def main() -> None:
    """Print a JSON object for each measure."""
    dialogue_model.prepare()
    training.ensure()
    secret = secrets.token_hex(24)
    with tempfile.TemporaryDirectory(prefix="dianqiao-bench-") as name:
        product = Product(Path(name), SECRET_KEY=secret)
        product.start()
        assert product._process is not None
        group = product._process.pid
        try:
            for measure in (idle, active):
                print(json.dumps({measure.__name__: asyncio.run(measure(product, secret, group))}), flush=True)
        finally:
            product.stop()
