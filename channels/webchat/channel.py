"""Web chat: a WebSocket, a long-poll fallback, the page and the widget.

A connection pulls: it reads the messages after the last `seq` it sent, so a client has each once and in order after any
reconnect. The bell is only a hint to look.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.bell import Bell, conversation_topic
from bot.channel import Receive
from bot.conversation import Conversations
from bot.message import Delivery, Inbound, Message, Outbound
from channels.webchat.identity import Identities, NoIdentity

STATIC = Path(__file__).with_name("static")
LONGEST_TEXT = 10_000
LONGEST_ID = 64
LOOK_EVERY = 2.0
LONGEST_WAIT = 50.0
MESSAGES_A_MINUTE = 60
SESSIONS_A_MINUTE = 60
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; "
    "frame-ancestors *; base-uri 'none'; form-action 'none'"
)
ERRORS = {
    "bad_json": "消息格式不对，请刷新页面再试。",
    "bad_type": "不支持这种消息。",
    "bad_id": "消息编号不对，请刷新页面再试。",
    "empty": "请输入内容。",
    "too_long": f"消息太长了，请控制在{LONGEST_TEXT}字以内。",
    "too_fast": "您发得太快了，请稍等一会儿再发。",
    "no_identity": "登录已过期，请刷新页面。",
}

Position = Callable[[int], Awaitable[int | None]]


class Refused(Exception):
    """A frame that cannot be accepted; `code` is a key of `ERRORS`."""

    def __init__(self, code: str) -> None:
        """Remember the code."""
        super().__init__(code)
        self.frame = {"type": "error", "code": code, "text": ERRORS[code]}


class Allowance:
    """At most `most` events a minute for each key."""

    def __init__(self, most: int) -> None:
        """Nothing used yet."""
        self._most = most
        self._used: defaultdict[str, deque[float]] = defaultdict(deque)

    def take(self, key: str) -> bool:
        """Use one, if the last minute has room."""
        now, used = time.monotonic(), self._used[key]
        while used and used[0] < now - 60:
            used.popleft()
        if len(used) >= self._most:
            return False
        used.append(now)
        return True


class Webchat:
    """The web channel; see contracts: Web chat."""

    name = "web"
    pushes = False

    def __init__(self, conversations: Conversations, bell: Bell, secret_key: str, position: Position) -> None:
        """`position` says how many wait before a conversation, None when it does not wait."""
        self._conversations = conversations
        self._bell = bell
        self._identities = Identities(secret_key)
        self._position = position
        self._messages = Allowance(MESSAGES_A_MINUTE)
        self._sessions = Allowance(SESSIONS_A_MINUTE)

    async def run(self, receive: Receive) -> None:
        """Nothing besides the routes."""

    async def check(self) -> None:
        """Our own page needs no platform."""

    def parts(self, message: Outbound) -> Sequence[Outbound]:
        """A page shows a message of any length."""
        return [message]

    async def send(self, recipient: str, part: Outbound) -> None:
        """Nothing to push: the page pulls what is stored."""

    def routes(self, receive: Receive) -> Sequence[BaseRoute]:
        """The page, the widget and the protocol."""

        async def session(request: Request) -> Response:
            old = await _json(request)
            try:
                return JSONResponse({"token": self._identities.rotated(str(old["token"]))})
            except (KeyError, NoIdentity):
                pass
            if not self._sessions.take(request.client.host if request.client else ""):
                return JSONResponse(Refused("too_fast").frame, status_code=429)
            return JSONResponse({"token": self._identities.new()})

        async def post(request: Request) -> Response:
            try:
                sender = self._sender(request.query_params.get("token", ""))
                return JSONResponse(await self._frame(sender, await _json(request), receive))
            except Refused as refused:
                status = {"no_identity": 401, "too_fast": 429}.get(refused.frame["code"], 422)
                return JSONResponse(refused.frame, status_code=status)

        async def poll(request: Request) -> Response:
            try:
                sender = self._sender(request.query_params.get("token", ""))
                after = int(request.query_params.get("after", "0"))
                wait = min(float(request.query_params.get("wait", "0")), LONGEST_WAIT)
            except Refused as refused:
                return JSONResponse(refused.frame, status_code=401)
            except ValueError:
                return JSONResponse({"type": "error", "code": "bad_number", "text": "参数不对。"}, status_code=422)
            return JSONResponse({"messages": await self._poll(sender, after, wait)})

        async def socket(websocket: WebSocket) -> None:
            await self._socket(websocket, receive)

        async def page(request: Request) -> Response:
            return FileResponse(STATIC / "chat.html", headers={"Content-Security-Policy": POLICY})

        async def widget(request: Request) -> Response:
            return FileResponse(STATIC / "widget.js", media_type="text/javascript")

        return [
            Route("/", page),
            Route("/widget.js", widget),
            Route("/chat/session", session, methods=["POST"]),
            Route("/chat/messages", poll, methods=["GET"]),
            Route("/chat/messages", post, methods=["POST"]),
            WebSocketRoute("/chat/ws", socket),
            Mount("/chat/static", StaticFiles(directory=STATIC)),
        ]

    def _sender(self, token: str) -> str:
        try:
            return self._identities.sender(token)
        except NoIdentity as error:
            raise Refused("no_identity") from error

    async def _socket(self, websocket: WebSocket, receive: Receive) -> None:
        await websocket.accept()
        try:
            sender = self._sender(websocket.query_params.get("token", ""))
            after = int(websocket.query_params.get("after", "0"))
        except (Refused, ValueError):
            await websocket.send_json(Refused("no_identity").frame)
            await websocket.close(4401)
            return
        arrived = asyncio.Event()
        pushing = asyncio.create_task(self._push(websocket, sender, after, arrived))
        try:
            while True:
                text = await websocket.receive_text()
                try:
                    answer = await self._frame(sender, _parse(text), receive)
                except Refused as refused:
                    answer = refused.frame
                if answer:
                    await websocket.send_json(answer)
                    arrived.set()
        except (WebSocketDisconnect, RuntimeError, KeyError):
            pass
        finally:
            pushing.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await pushing

    async def _push(self, websocket: WebSocket, sender: str, after: int, arrived: asyncio.Event) -> None:
        while (conversation := await self._conversations.find(self.name, sender)) is None:
            await arrived.wait()
            arrived.clear()
        told: dict[str, Any] | None = None
        with self._bell.listen(conversation_topic(conversation)) as rings:
            while True:
                fresh = await self._conversations.messages(conversation, after)
                for message in fresh:
                    await websocket.send_json(_message(message))
                    after = message.seq
                if any(message.delivery is Delivery.QUEUED for message in fresh):
                    await self._conversations.delivered(conversation, after)
                owner = await self._owner(conversation)
                if owner != told:
                    await websocket.send_json(owner)
                    told = owner
                try:
                    async with asyncio.timeout(LOOK_EVERY):
                        event = await rings.get()
                except TimeoutError:
                    continue
                if event["type"] == "typing" and event["from"] != "customer":
                    await websocket.send_json(dict(event))

    async def _poll(self, sender: str, after: int, wait: float) -> list[dict[str, Any]]:
        until, confirmed = time.monotonic() + wait, False
        while True:
            conversation = await self._conversations.find(self.name, sender)
            if conversation is not None:
                if after and not confirmed:
                    await self._conversations.delivered(conversation, after)
                    confirmed = True
                found = await self._conversations.messages(conversation, after)
                if found:
                    return [*map(_message, found), await self._owner(conversation)]
            left = until - time.monotonic()
            if left <= 0:
                return []
            topic = conversation_topic(conversation) if conversation is not None else "none"
            with self._bell.listen(topic) as rings, suppress(TimeoutError):
                async with asyncio.timeout(min(left, 1.0)):
                    await rings.get()

    async def _owner(self, conversation: int) -> dict[str, Any]:
        owner = await self._conversations.owner(conversation)
        position = await self._position(conversation) if owner == "queue" else None
        return {"type": "owner", "owner": str(owner), "position": position}

    async def _frame(self, sender: str, frame: Mapping[str, Any], receive: Receive) -> dict[str, Any]:
        match frame.get("type"):
            case "typing":
                conversation = await self._conversations.find(self.name, sender)
                if conversation is not None:
                    event = {"type": "typing", "from": "customer", "ttl": 5}
                    self._bell.ring(conversation_topic(conversation), event)
                return {}
            case "message":
                text, payload = frame.get("text"), None
            case "button":
                text = payload = frame.get("payload")
            case _:
                raise Refused("bad_type")
        id = frame.get("id")
        if not isinstance(id, str) or not 0 < len(id) <= LONGEST_ID:
            raise Refused("bad_id")
        if not isinstance(text, str) or not text.strip():
            raise Refused("empty")
        if len(text) > LONGEST_TEXT:
            raise Refused("too_long")
        if not self._messages.take(sender):
            raise Refused("too_fast")
        receipt = await receive(Inbound(self.name, sender, id, text, datetime.now(UTC), payload))
        return {"type": "ack", "id": id, "seq": receipt.seq}


def _message(message: Message) -> dict[str, Any]:
    return {
        "type": "message",
        "seq": message.seq,
        "from": str(message.speaker),
        "text": message.text,
        "buttons": [{"title": b.title, "payload": b.payload} for b in message.buttons],
        "card": dict(message.card) if message.card is not None else None,
        "at": message.at.isoformat(),
    }


def _parse(text: str) -> Mapping[str, Any]:
    try:
        frame = json.loads(text)
    except ValueError as error:
        raise Refused("bad_json") from error
    if not isinstance(frame, dict):
        raise Refused("bad_json")
    return frame


async def _json(request: Request) -> Mapping[str, Any]:
    body = (await request.body()).decode(errors="replace")
    return _parse(body) if body else {}
