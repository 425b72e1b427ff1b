"""Web chat: a WebSocket, a long-poll fallback, the page and the widget."""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.bell import Bell
from bot.channel import Gone, Receive
from bot.conversation import Conversations
from bot.files import LARGEST, Files, Unfit
from bot.message import Attachment, Inbound, Outbound
from channels.webchat import frames
from channels.webchat.allowance import Allowance
from channels.webchat.frames import Refused
from channels.webchat.identity import Identities, NoIdentity
from channels.webchat.stream import Position, Stream

STATIC = Path(__file__).with_name("static")
LONGEST_WAIT = 50.0
MESSAGES_A_MINUTE = 60
SESSIONS_A_MINUTE = 60
UPLOADS_A_MINUTE = 20
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
)
HARDENED = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

log = logging.getLogger(__name__)


class Webchat:
    """The web channel; see contracts: Web chat."""

    name = "web"
    pushes = False

    def __init__(
        self,
        conversations: Conversations,
        bell: Bell,
        secret_key: str,
        position: Position,
        files: Files,
        operator: str = "",
        embed_origins: Sequence[str] = ("*",),
        messages_a_minute: int = MESSAGES_A_MINUTE,
    ) -> None:
        """`operator` is who the page says runs it; `embed_origins` may frame it: origins, "*" for all or "none"."""
        self._stream = Stream(self.name, conversations, bell, position, files)
        self._files = files
        self._identities = Identities(secret_key)
        self._messages = Allowance(messages_a_minute)
        self._sessions = Allowance(SESSIONS_A_MINUTE)
        self._uploads = Allowance(UPLOADS_A_MINUTE)
        self._page = (STATIC / "chat.html").read_text().replace("{operator}", html.escape(operator))
        ancestors = "'none'" if list(embed_origins) == ["none"] else " ".join(["'self'", *embed_origins])
        self._headers = {**HARDENED, "Content-Security-Policy": POLICY.format(ancestors=ancestors)}

    async def run(self, receive: Receive) -> None:
        """Nothing besides the routes."""

    async def check(self) -> None:
        """Our own page needs no platform."""

    def parts(self, message: Outbound) -> Sequence[Outbound]:
        """A page shows a message of any length."""
        return [message]

    async def send(self, recipient: str, part: Outbound) -> None:
        """Nothing to push: the page pulls what is stored."""

    async def media(self, attachment: Attachment) -> bytes:
        """What the page sends is ours from the beginning."""
        raise Gone("没有这个文件。")

    def routes(self, receive: Receive) -> Sequence[BaseRoute]:
        """The page, the widget and the protocol."""

        async def session(request: Request) -> Response:
            try:
                return JSONResponse({"token": self._identities.rotated(str((await _json(request))["token"]))})
            except (KeyError, NoIdentity):
                pass
            except Refused as refused:
                return JSONResponse(refused.frame, status_code=refused.status)
            if not self._sessions.take(request.client.host if request.client else ""):
                return JSONResponse(Refused("too_fast").frame, status_code=429)
            return JSONResponse({"token": self._identities.new(), "new": True})

        async def post(request: Request) -> Response:
            try:
                sender = self._sender(request.query_params.get("token", ""))
                return JSONResponse(await self._frame(sender, await _json(request), receive))
            except Refused as refused:
                return JSONResponse(refused.frame, status_code=refused.status)

        async def upload(request: Request) -> Response:
            try:
                sender = self._sender(request.query_params.get("token", ""))
                return JSONResponse(await self._upload(sender, request, receive))
            except Refused as refused:
                return JSONResponse(refused.frame, status_code=refused.status)

        async def poll(request: Request) -> Response:
            asked = request.query_params
            try:
                sender = self._sender(asked.get("token", ""))
                after, wait = _after(asked), min(max(float(asked.get("wait", "0")), 0), LONGEST_WAIT)
            except Refused as refused:
                return JSONResponse(refused.frame, status_code=refused.status)
            except ValueError:
                return JSONResponse(Refused("bad_number").frame, status_code=422)
            found = await self._stream.poll(sender, after, wait, asked.get("state"))
            return JSONResponse({"messages": found}, headers={"Cache-Control": "no-store"})

        async def socket(websocket: WebSocket) -> None:
            await self._socket(websocket, receive)

        async def page(request: Request) -> Response:
            return HTMLResponse(self._page, headers=self._headers)

        async def widget(request: Request) -> Response:
            return FileResponse(STATIC / "widget.js", media_type="text/javascript", headers=HARDENED)

        return [
            Route("/", page),
            Route("/widget.js", widget),
            Route("/chat/session", session, methods=["POST"]),
            Route("/chat/messages", poll, methods=["GET"]),
            Route("/chat/messages", post, methods=["POST"]),
            Route("/chat/files", upload, methods=["POST"]),
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
            after = _after(websocket.query_params)
        except (Refused, ValueError):
            await websocket.send_json(Refused("no_identity").frame)
            await websocket.close(4401)
            return
        pushing = asyncio.create_task(self._push(websocket, sender, after))
        try:
            while True:
                text = await websocket.receive_text()
                try:
                    answer = await self._frame(sender, frames.parse(text), receive)
                except Refused as refused:
                    answer = refused.frame
                if answer:
                    await websocket.send_json(answer)
        except (WebSocketDisconnect, RuntimeError, KeyError):
            pass
        finally:
            pushing.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await pushing

    async def _push(self, websocket: WebSocket, sender: str, after: int) -> None:
        try:
            async with aclosing(self._stream.follow(sender, after)) as following:
                async for frame in following:
                    await websocket.send_json(frame)
        except (WebSocketDisconnect, RuntimeError):
            pass
        except Exception:
            # a silent socket would look alive: the page comes back and asks again
            log.exception("a socket could not be fed, closing it")
            await websocket.close(1011)

    async def _frame(self, sender: str, frame: Mapping[str, Any], receive: Receive) -> dict[str, Any]:
        if frame.get("type") == "typing":
            conversation = await self._stream.find(sender)
            if conversation is not None:
                self._stream.typing(conversation)
            return {}
        id, text, payload = frames.said(frame)
        if not self._messages.take(sender):
            raise Refused("too_fast", id)
        return await self._store(Inbound(self.name, sender, id, text, datetime.now(UTC), payload), receive)

    async def _upload(self, sender: str, request: Request, receive: Receive) -> dict[str, Any]:
        id = frames.checked_id(request.query_params.get("id"))
        if not self._uploads.take(sender):
            raise Refused("too_fast", id)
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > LARGEST:
                break
        name = request.query_params.get("name", "")[:200]
        try:
            kept = await self._files.keep(bytes(content), name, f"{self.name}:{sender}:{id}")
        except Unfit as unfit:
            raise Refused(unfit.code, id, str(unfit)) from unfit
        text = "[图片]" if kept.kind == "image" else f"[文件] {kept.name}"
        return await self._store(Inbound(self.name, sender, id, text, datetime.now(UTC), attachments=(kept,)), receive)

    async def _store(self, inbound: Inbound, receive: Receive) -> dict[str, Any]:
        receipt = await receive(inbound)
        self._stream.stored(inbound.sender)
        return {"type": "ack", "id": inbound.id, "seq": receipt.seq}


def _after(asked: Mapping[str, str]) -> int:
    return min(max(int(asked.get("after", "0")), 0), 2**31 - 1)


async def _json(request: Request) -> Mapping[str, Any]:
    body = (await request.body()).decode(errors="replace")
    return frames.parse(body) if body else {}
