"""A Telegram Bot API server: updates by long polling or webhook, messages and keyboards to a phone page."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from channels.simulator.phone import PLACE, Menu, Shown, given_file, phone_routes, shown_file

RETRY_EVERY = 0.2
RETRIES = 200


@dataclass
class TelegramFaults:
    """Switches: `copies` of every update; `reorder` gives two updates the wrong way round; `throttled` seconds are
    asked of each send (429); `blocked` refuses with 403; `failing` answers 500; `forget` accepts and never answers;
    `slow` seconds before each answer; `gone` no longer has the files that people sent.
    """

    copies: int = 1
    reorder: bool = False
    throttled: int = 0
    blocked: bool = False
    failing: bool = False
    forget: bool = False
    slow: float = 0.0
    gone: bool = False


class TelegramPlatform:
    """One bot and the people who write to it; a person's name is turned into the id of their private chat."""

    def __init__(self, token: str, webhook: str = "", webhook_secret: str = "", path: str = "/telegram") -> None:
        """Without `webhook` (the bridge's address) the bot must poll; `path` is where it takes updates."""
        self._path = path
        self.token = token
        self.faults = TelegramFaults()
        self.chats: defaultdict[str, list[Shown]] = defaultdict(list)
        self.answered_queries: list[str] = []
        self.ack_seconds: list[float] = []
        self._webhook = webhook
        self._secret = webhook_secret
        self._updates: list[dict[str, Any]] = []
        self._early: dict[str, Any] | None = None
        self._arrived = asyncio.Event()
        self._update_ids = itertools.count(1000)
        self._message_ids = itertools.count(1)
        self._people: dict[str, int] = {}
        self._held: dict[str, bytes] = {}
        self._commands: list[dict[str, str]] = []
        self._http = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=30)
        self._pushing: set[asyncio.Task[None]] = set()

    def app(self) -> Starlette:
        """The Bot API and the phone page."""
        routes = [
            Route(f"/bot{self.token}/{{method}}", self._method, methods=["GET", "POST"]),
            Route(f"/file/bot{self.token}/{{path}}", self._file),
            *phone_routes("Telegram（模拟）", self.chats, self.faults, self._phone, self._menu),
        ]
        return Starlette(routes=routes)

    def person(self, name: str) -> int:
        """The chat id of a person."""
        return self._people.setdefault(name, 7_000_000 + len(self._people))

    def heard(self, name: str) -> list[str]:
        """The texts a person received, in order."""
        return [shown.text or "[图片]" for shown in self.chats[name] if shown.who == "account"]

    @property
    def undelivered(self) -> int:
        """Updates that the bot has not confirmed yet."""
        return len(self._pushing) if self._webhook else len(self._updates)

    def say(self, name: str, text: str = "", **more: Any) -> int:
        """A person writes; returns the message id."""
        self.chats[name].append(Shown("me", text or "[附件]"))
        return self.update(name, "message", {**({"text": text} if text else {}), **more})

    def send(self, name: str, content: bytes, mime: str, file: str = "", caption: str = "") -> None:
        """A person sends a picture, a voice (Ogg) or another file."""
        id = f"file{next(self._message_ids)}"
        self._held[id] = content
        held = {"file_id": id, "file_unique_id": id, "file_size": len(content)}
        more: dict[str, Any] = {"caption": caption} if caption else {}
        if mime in ("image/jpeg", "image/png"):
            more["photo"] = [{**held, "width": 1, "height": 1}]
        elif mime == "audio/ogg":
            more["voice"] = {**held, "duration": 1, "mime_type": mime}
        else:
            more["document"] = {**held, "file_name": file, "mime_type": mime}
        self.chats[name].append(shown_file(content, mime, file, caption))
        self.update(name, "message", more)

    def edit(self, name: str, message_id: int, text: str) -> None:
        """A person changes a message."""
        self.update(name, "edited_message", {"message_id": message_id, "text": text, "edit_date": int(time.time()) + 1})

    def press(self, name: str, data: str) -> None:
        """A person presses a button."""
        self._give({"callback_query": self._query(name, data)})

    def update(self, name: str, kind: str, fields: Mapping[str, Any]) -> int:
        """One update about a message in the person's private chat."""
        id = int(fields.get("message_id") or next(self._message_ids))
        chat = {"id": self.person(name), "type": "private", "first_name": name}
        message = {"message_id": id, "date": int(time.time()), "chat": chat, "from": self._user(name), **fields}
        self._give({kind: message})
        return id

    async def close(self) -> None:
        """Stop pushing and give connections back."""
        for task in self._pushing:
            task.cancel()
        await asyncio.gather(*self._pushing, return_exceptions=True)
        await self._http.aclose()

    def _user(self, name: str) -> dict[str, Any]:
        return {"id": self.person(name), "is_bot": False, "first_name": name}

    def _query(self, name: str, data: str) -> dict[str, Any]:
        return {"id": str(next(self._message_ids)), "from": self._user(name), "chat_instance": "1", "data": data}

    def _give(self, update: dict[str, Any]) -> None:
        full = {"update_id": next(self._update_ids), **update}
        for _ in range(max(self.faults.copies, 1)):
            self._updates.append(full)
        if self._webhook:
            # reordered: each one waits for the next and comes after it
            early, self._early = self._early, full if self.faults.reorder and self._early is None else None
            if self._early is None:
                task = asyncio.create_task(self._push_all([full, *([early] if early else [])]))
                self._pushing.add(task)
                task.add_done_callback(self._pushing.discard)
        if self.faults.reorder and len(self._updates) > 1:
            self._updates[-1], self._updates[-2] = self._updates[-2], self._updates[-1]
        self._arrived.set()

    async def _push_all(self, updates: Sequence[dict[str, Any]]) -> None:
        for update in updates:
            await asyncio.gather(*(self._push(update) for _ in range(max(self.faults.copies, 1))))

    async def _push(self, update: Mapping[str, Any]) -> None:
        for _ in range(RETRIES):
            begun = time.perf_counter()
            try:
                headers = {"X-Telegram-Bot-Api-Secret-Token": self._secret}
                answer = await self._http.post(f"{self._webhook}{self._path}", json=update, headers=headers)
                if answer.status_code == 200:
                    self.ack_seconds.append(time.perf_counter() - begun)
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(RETRY_EVERY)

    async def _phone(self, name: str, body: dict[str, Any]) -> None:
        if "data" in body:
            self.chats[name].append(Shown("me", str(body.get("title", ""))))
            self.press(name, str(body["data"]))
        elif "file" in body:
            self.send(name, *given_file(body["file"]))
        elif "location" in body:
            place = body["location"]
            point = {"latitude": place["latitude"], "longitude": place["longitude"]}
            self.chats[name].append(Shown("me", f"[位置] {place['name']}"))
            self.update(name, "message", {
                "location": point, "venue": {"location": point, "title": place["name"], "address": ""},
            })  # fmt: skip
        else:
            self.say(name, str(body.get("text", "")))

    def _menu(self) -> Menu:
        commands = [(one["description"], {"text": f"/{one['command']}"}) for one in self._commands]
        return [("菜单", commands), ("更多", [("发送位置", {"location": PLACE})])]

    async def _method(self, request: Request) -> Response:
        found, files = await _fields(request)
        match request.path_params["method"]:
            case "getMe":
                result: Any = {"id": int(self.token.split(":")[0]), "is_bot": True, "first_name": "小桥"}
                result["username"] = "dianqiao_bot"
            case "getUpdates":
                result = await self._get_updates(int(found.get("offset", 0)), float(found.get("timeout", 0)))
            case "sendMessage" | "sendPhoto":
                return await self._send(found, files)
            case "answerCallbackQuery":
                self.answered_queries.append(found["callback_query_id"])
                result = True
            case "getFile":
                id = found["file_id"]
                if self.faults.failing:
                    return _error(500, "Internal Server Error")
                if id not in self._held or self.faults.gone:
                    return _error(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
                size = len(self._held[id])
                result = {"file_id": id, "file_unique_id": id, "file_size": size, "file_path": id}
            case "setMyCommands":
                self._commands, result = json.loads(found["commands"]), True
            case "deleteWebhook" | "setWebhook":
                result = True
            case other:
                return _error(404, f"Not Found: method {other}")
        return JSONResponse({"ok": True, "result": result})

    async def _file(self, request: Request) -> Response:
        await asyncio.sleep(self.faults.slow)
        return Response(self._held[request.path_params["path"]], media_type="application/octet-stream")

    async def _get_updates(self, offset: int, timeout: float) -> list[dict[str, Any]]:
        until = time.monotonic() + timeout
        while True:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
            left = until - time.monotonic()
            if self._updates or left <= 0:
                return self._updates[:100]
            self._arrived.clear()
            try:
                async with asyncio.timeout(left):
                    await self._arrived.wait()
            except TimeoutError:
                continue

    async def _send(self, found: Mapping[str, str], files: Mapping[str, bytes]) -> Response:
        await asyncio.sleep(self.faults.slow)
        if self.faults.failing:
            return _error(500, "Internal Server Error")
        if self.faults.throttled:
            return _error(429, "Too Many Requests", {"retry_after": self.faults.throttled})
        if self.faults.blocked:
            return _error(403, "Forbidden: bot was blocked by the user")
        chat, text = int(found["chat_id"]), found.get("text", "")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return _error(400, "Bad Request: message is too long")
        keyboard = json.loads(found.get("reply_markup") or "{}").get("inline_keyboard", [])
        if any(len(button.get("callback_data", "").encode()) > 64 for row in keyboard for button in row):
            return _error(400, "Bad Request: BUTTON_DATA_INVALID")
        buttons = [[b["text"], b.get("callback_data") or b.get("url", "")] for row in keyboard for b in row]
        picture = next((f"data:image/png;base64,{base64.b64encode(data).decode()}" for data in files.values()), "")
        name = next((name for name, id in self._people.items() if id == chat), str(chat))
        self.chats[name].append(Shown("account", text, buttons, picture))
        if self.faults.forget:
            await asyncio.sleep(120)
        message = {"message_id": next(self._message_ids), "date": int(time.time()), "text": text}
        return JSONResponse({"ok": True, "result": {**message, "chat": {"id": chat, "type": "private"}}})


async def _fields(request: Request) -> tuple[dict[str, str], dict[str, bytes]]:
    body, kind = await request.body(), request.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return dict(parse_qsl(body.decode(), keep_blank_values=True)), {}
    parts = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    found: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in parts.get_payload():
        name = str(part.get_param("name", header="content-disposition"))  # type: ignore[union-attr]
        data = part.get_payload(decode=True)  # type: ignore[union-attr]
        assert isinstance(data, bytes)
        if part.get_filename():  # type: ignore[union-attr]
            files[name] = data
        else:
            found[name] = data.decode()
    return found, files


def _error(code: int, description: str, parameters: Mapping[str, Any] | None = None) -> Response:
    body = {"ok": False, "error_code": code, "description": description, "parameters": parameters or {}}
    return JSONResponse(body, status_code=code)
