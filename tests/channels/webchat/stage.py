"""The web channel served over a network that can break, with a scripted dialogue in place of Rasa."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.bell import Bell
from bot.conversation import Conversations
from bot.database import Database
from bot.files import Files
from bot.message import Outbound, Turn
from bot.settings import free_port
from channels.webchat.channel import Webchat
from tests import databases
from tests.fakes import RememberingDesk, ScriptedDialogue

T = TypeVar("T")
SECRET = "a secret of the tests"


class Network:
    """Forwards TCP to the service; `cut` drops every connection in the middle of whatever it carries."""

    def __init__(self, to: int) -> None:
        self.port = free_port()
        self.cuts = 0
        self._to = to
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def cut(self) -> None:
        self.cuts += 1
        for writer in list(self._open):
            writer.transport.abort()

    async def stop(self) -> None:
        self._server.close()
        await self.cut()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        with suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._open -= ends
        for end in ends:
            end.transport.abort()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


class Doors:
    """The application, with a door that may be shut to WebSockets, as some offices' proxies do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.sockets = True
        self.opened = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if not self.sockets:
                await send({"type": "websocket.close", "code": 1000})
                return
            self.opened += 1
        await self._app(scope, receive, send)


class Stage:
    """Runs in a thread of its own; `do` runs something inside."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.port = free_port()
        self.dialogue, self.desk, self.bell = ScriptedDialogue(), RememberingDesk(), Bell()
        self.database = Database(databases.sqlite(folder))
        self.conversations = Conversations(self.database, self.dialogue, self.desk, self.bell, patience=5)
        self.positions: dict[int, int] = {}
        self.files = Files(folder / "files", SECRET)
        self.webchat = Webchat(
            self.conversations, self.bell, SECRET, self._position, self.files, "江临供电公司", **options
        )
        routes = [*self.webchat.routes(self.conversations.accept), *self.files.routes()]
        self.doors = Doors(Starlette(routes=routes))
        self.network = Network(self.port)
        self.url = f"http://127.0.0.1:{self.network.port}"
        self._server = uvicorn.Server(
            uvicorn.Config(self.doors, port=self.port, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    async def _position(self, conversation: int) -> int | None:
        return self.positions.get(conversation)

    def start(self) -> Stage:
        self._thread.start()
        self.do(self._ready())
        return self

    def stop(self) -> None:
        self.do(self.network.stop())
        self._server.should_exit = True
        self._thread.join(10)

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.begin(work).result(60)

    def take(self, conversation: int = 1) -> None:
        """An agent takes over."""

        async def take() -> None:
            async with self.database.write() as session:
                await self.conversations.take(session, conversation)

        self.do(take())

    async def agent_says(self, text: str, conversation: int = 1) -> None:
        async with self.database.write() as session:
            await self.conversations.reply(session, conversation, text)

    def close(self, conversation: int = 1, line: str = "工单已办结：已核对账单。") -> None:
        """The agent is done and gives the conversation back."""

        async def close() -> None:
            async with self.database.write() as session:
                await self.conversations.hand_back(session, conversation, line)

        self.do(close())

    def plan(self, text: str, *replies: Outbound) -> None:
        """What the dialogue answers to a text."""
        self.dialogue.planned[text] = Turn(replies)

    def transcript(self, conversation: int = 1) -> list[tuple[int, str, str]]:
        found = self.do(self.conversations.messages(conversation))
        return [(message.seq, str(message.speaker), message.text) for message in found]

    async def _ready(self) -> None:
        await self.database.migrate()
        await self.network.start()
        async with httpx.AsyncClient() as http:
            for _ in range(200):
                with suppress(httpx.HTTPError):
                    await http.get(f"{self.url}/widget.js")
                    return
                await asyncio.sleep(0.05)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        await self._server.serve()
        await self.conversations.settle()
        await self.database.close()
