"""Passive replies as a well-known bot does them: a cache in memory by message and by customer, three tries.

Re-implemented from its described behaviour (chatgpt-on-wechat, passive mode): the first request of a message starts the
answer; each try waits for it; the third asks the customer to write again; whatever comes next is answered with what is
in that customer's cache, without being read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.wechat import protocol

LATER = "正在思考中，回复任意文字尝试获取回复"


class PassivePeer:
    """One account; everything is forgotten at a restart."""

    def __init__(self, ask: Callable[[str], Awaitable[str]], interval: float) -> None:
        self._ask = ask
        self._interval = interval
        self._tries: dict[str, int] = {}
        self._running: set[str] = set()
        self._cache: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/wechat", self._message, methods=["POST"])])

    async def _think(self, sender: str, text: str) -> None:
        self._running.add(sender)
        self._cache[sender] = await self._ask(text)
        self._running.discard(sender)

    async def _message(self, request: Request) -> Response:
        found = protocol.fields(await request.body())
        sender, id = found["FromUserName"], found["MsgId"]
        if sender not in self._cache and sender not in self._running:
            task = asyncio.create_task(self._think(sender, found["Content"]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self._running.add(sender)
        tries = self._tries[id] = self._tries.get(id, 0) + 1
        until = time.monotonic() + self._interval * 0.9
        while sender in self._running and time.monotonic() < until:
            await asyncio.sleep(self._interval / 50)
        if sender in self._cache:
            return Response(protocol.text_reply(found, self._cache.pop(sender), time.time()))
        if tries >= 3:
            return Response(protocol.text_reply(found, LATER, time.time()))
        await asyncio.sleep(self._interval * 0.3)
        return PlainTextResponse("not yet", status_code=504)
