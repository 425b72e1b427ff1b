"""A WeChat platform: gives messages to the bridge as the real one does, and takes customer-service messages."""

from __future__ import annotations

import asyncio
import base64
import itertools
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import httpx
from defusedxml.ElementTree import fromstring
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.settings import WeChatSettings
from channels.simulator.phone import PLACE, Menu, Shown, given_file, phone_routes, shown_file
from channels.wechat.protocol import Crypt, signature

TRIES = 3
TOKEN_LASTS = 7200
UNAVAILABLE = "该公众号提供的服务出现故障，请稍后再试"


@dataclass
class WeChatFaults:
    """Switches: `copies` of every message at once; `busy`, `quota`, `closed` and `throttled` answer each send with that
    error; `forget` accepts a message and never answers; `slow` seconds before each answer; `gone` no longer has the
    followers' media; `mode` is plain, compatible or aes.
    """

    copies: int = 1
    busy: bool = False
    quota: bool = False
    closed: bool = False
    throttled: bool = False
    forget: bool = False
    slow: float = 0.0
    gone: bool = False
    mode: str = "plain"


class WeChatPlatform:
    """One official account and its followers.

    A `client_msg_id` that was seen before is not shown again, as WeChat documents it for template messages; for
    customer-service messages its documentation promises nothing.
    """

    def __init__(self, account: WeChatSettings, bridge: str, interval: float = 5.0) -> None:
        """Messages go to `bridge` + "/wechat"; each of the three tries waits `interval` seconds."""
        self.account = account
        self.faults = WeChatFaults()
        self.interval = interval
        self.chats: defaultdict[str, list[Shown]] = defaultdict(list)
        self.menu: dict[str, Any] = {}
        self.tokens_given = 0
        self._bridge = bridge
        self._crypt = Crypt(account.aes_key, account.app_id) if account.aes_key else None
        self._tokens: dict[str, float] = {}
        self._current = ""
        self._keys: dict[str, float] = {}
        self._media: dict[str, bytes] = {}
        self._ids = itertools.count(int(time.time()) * 1000)
        self._http = httpx.AsyncClient(limits=httpx.Limits(max_connections=None))
        self._saying: set[asyncio.Task[None]] = set()

    def app(self) -> Starlette:
        """The API and the phone page."""
        routes = [
            Route("/cgi-bin/stable_token", self._stable_token, methods=["POST"]),
            Route("/cgi-bin/message/custom/send", self._send, methods=["POST"]),
            Route("/cgi-bin/media/upload", self._upload, methods=["POST"]),
            Route("/cgi-bin/media/get", self._media_get),
            Route("/pictures/{media}", self._picture),
            Route("/cgi-bin/menu/create", self._create_menu, methods=["POST"]),
            *phone_routes("微信公众号（模拟）", self.chats, self.faults, self._phone, self._menu),
        ]
        return Starlette(routes=routes)

    def expire_tokens(self) -> None:
        """Every token given so far is refused from now on."""
        self._tokens.clear()
        self._current = ""

    def heard(self, openid: str) -> list[str]:
        """The texts a follower received, in order."""
        return [shown.text or "[图片]" for shown in self.chats[openid] if shown.who == "account"]

    async def say(self, openid: str, text: str, **fields: object) -> str | None:
        """A follower writes; returns the passive reply, "" for none, None when no try was answered."""
        self.chats[openid].append(Shown("me", text))
        return await self.push(openid, {"MsgType": "text", "Content": text, "MsgId": next(self._ids), **fields})

    async def send(self, openid: str, content: bytes, mime: str, file: str = "") -> str | None:
        """A follower sends a picture or a voice (AMR); returns as `say`. WeChat gives an account no other files."""
        media = secrets.token_hex(12)
        self._media[media] = content
        self.chats[openid].append(shown_file(content, mime, file))
        fields: dict[str, object] = {"MsgType": "voice", "Format": "amr"}
        if mime.startswith("image/"):
            fields = {"MsgType": "image", "PicUrl": f"{self.account.api_base}/pictures/{media}"}
        return await self.push(openid, {**fields, "MediaId": media, "MsgId": next(self._ids)})

    async def push(self, openid: str, fields: Mapping[str, object]) -> str | None:
        """Give one message or event to the bridge, three tries at most; every copy alike, the first one counts."""
        xml = self.xml(openid, fields)
        copies = [self._push(openid, xml) for _ in range(max(self.faults.copies, 1))]
        found = (await asyncio.gather(*copies))[0]
        if found:
            self.chats[openid].append(Shown("account", found))
        elif found is None:
            self.chats[openid].append(Shown("note", UNAVAILABLE))
        return found

    def xml(self, openid: str, fields: Mapping[str, object]) -> bytes:
        """A message as the platform writes it."""
        head = {"ToUserName": self.account.app_id, "FromUserName": openid, "CreateTime": int(time.time())}
        inner = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in {**head, **fields}.items())
        return f"<xml>{inner}</xml>".encode()

    def signed(self, xml: bytes) -> tuple[dict[str, str], bytes]:
        """The query and body of one request, in the mode that is switched on."""
        timestamp, nonce = str(int(time.time())), secrets.token_hex(5)
        query = {"timestamp": timestamp, "nonce": nonce, "signature": signature(self.account.token, timestamp, nonce)}
        if self.faults.mode == "plain" or self._crypt is None:
            return query, xml
        secret = self._crypt.encrypt(xml)
        query |= {
            "encrypt_type": "aes",
            "msg_signature": signature(self.account.token, timestamp, nonce, secret),
        }
        plain = xml.removeprefix(b"<xml>").removesuffix(b"</xml>") if self.faults.mode == "compatible" else b""
        return query, b"<xml>" + plain + b"<Encrypt>" + secret.encode() + b"</Encrypt></xml>"

    async def close(self) -> None:
        """Give connections back."""
        await self._http.aclose()

    async def _push(self, openid: str, xml: bytes) -> str | None:
        for _ in range(TRIES):
            query, body = self.signed(xml)
            begun = time.monotonic()
            try:
                async with asyncio.timeout(self.interval):
                    answer = await self._http.post(
                        f"{self._bridge}/wechat", params=query, content=body, timeout=self.interval
                    )
            except (TimeoutError, httpx.HTTPError):
                await asyncio.sleep(max(self.interval - (time.monotonic() - begun), 0))
                continue
            if answer.status_code != 200:
                await asyncio.sleep(max(self.interval - (time.monotonic() - begun), 0))
                continue
            if answer.content in (b"success", b""):
                return ""
            return self._read(answer.content)
        return None

    def _read(self, body: bytes) -> str:
        found = {element.tag: element.text or "" for element in fromstring(body)}
        if "Encrypt" in found:
            assert self._crypt is not None
            parts = (found["TimeStamp"], found["Nonce"], found["Encrypt"])
            assert found["MsgSignature"] == signature(self.account.token, *parts), "the reply is signed wrongly"
            found = {element.tag: element.text or "" for element in fromstring(self._crypt.decrypt(found["Encrypt"]))}
        assert len(found["Content"].encode()) <= 2048, "the reply is too long"
        return found["Content"]

    async def _phone(self, openid: str, body: dict[str, Any]) -> None:
        task = asyncio.create_task(self._said(openid, body))
        self._saying.add(task)
        task.add_done_callback(self._saying.discard)

    async def _said(self, openid: str, body: dict[str, Any]) -> None:
        if "file" in body:
            await self.send(openid, *given_file(body["file"]))
        elif "event" in body:
            event = {"Event": body["event"], "EventKey": body.get("key", "")}
            await self.push(openid, {"MsgType": "event", **event})
        elif "location" in body:
            place = body["location"]
            point = {"Location_X": place["latitude"], "Location_Y": place["longitude"], "Label": place["name"]}
            self.chats[openid].append(Shown("me", f"[位置] {place['name']}"))
            await self.push(openid, {"MsgType": "location", **point, "MsgId": next(self._ids)})
        else:
            await self.say(openid, str(body.get("text") or body.get("title") or ""))

    def _menu(self) -> Menu:
        groups: list[tuple[str, list[tuple[str, dict[str, Any]]]]] = [
            (group["name"], [(one["name"], {"event": "CLICK", "key": one["key"]}) for one in group["sub_button"]])
            for group in self.menu.get("button", ())
        ]
        return [*groups, ("更多", [("发送位置", {"location": PLACE}), ("重新关注", {"event": "subscribe"})])]

    async def _stable_token(self, request: Request) -> Response:
        body = await request.json()
        if (body.get("appid"), body.get("secret")) != (self.account.app_id, self.account.app_secret):
            return JSONResponse({"errcode": 40125, "errmsg": "invalid appsecret"})
        if body.get("force_refresh") or not self._current:
            self.tokens_given += 1
            self._current = f"token-{self.tokens_given}-{secrets.token_hex(8)}"
            self._tokens = {self._current: time.monotonic() + TOKEN_LASTS}
        return JSONResponse({"access_token": self._current, "expires_in": TOKEN_LASTS})

    def _refused(self, request: Request) -> Response | None:
        if self._tokens.get(request.query_params.get("access_token", ""), 0) < time.monotonic():
            return _error(42001, "access_token expired")
        return None

    async def _send(self, request: Request) -> Response:
        await asyncio.sleep(self.faults.slow)
        if refusal := self._refused(request):
            return refusal
        for on, code in (
            (self.faults.busy, -1),
            (self.faults.closed, 45015),
            (self.faults.quota, 45047),
            (self.faults.throttled, 45011),
        ):
            if on:
                return _error(code, "fault")
        body = await request.json()
        openid, key = str(body["touser"]), str(body.get("client_msg_id") or secrets.token_hex(8))
        if key not in self._keys:
            text = body["text"]["content"] if body["msgtype"] == "text" else ""
            if len(text.encode()) > 2048:
                return _error(45002, "content size out of limit")
            picture = ""
            if body["msgtype"] == "image":
                picture = "data:image/png;base64," + base64.b64encode(self._media[body["image"]["media_id"]]).decode()
            self._keys[key] = time.monotonic()
            self.chats[openid].append(Shown("account", text, picture=picture, key=key))
        if self.faults.forget:
            await asyncio.sleep(60)
        return JSONResponse({"errcode": 0, "errmsg": "ok"})

    async def _upload(self, request: Request) -> Response:
        if refusal := self._refused(request):
            return refusal
        body = await request.body()
        start = body.find(b"\r\n\r\n") + 4
        boundary = body[: body.find(b"\r\n")]
        media = secrets.token_hex(12)
        self._media[media] = body[start : body.rfind(b"\r\n" + boundary)]
        return JSONResponse({"type": "image", "media_id": media, "created_at": int(time.time())})

    async def _media_get(self, request: Request) -> Response:
        await asyncio.sleep(self.faults.slow)
        if refusal := self._refused(request):
            return refusal
        if self.faults.busy:
            return _error(-1, "system error")
        content = self._media.get(request.query_params.get("media_id", ""))
        if content is None or self.faults.gone:
            return _error(40007, "invalid media_id")
        return Response(content, media_type="application/octet-stream")

    async def _picture(self, request: Request) -> Response:
        content = self._media.get(request.path_params["media"])
        return Response(content) if content is not None and not self.faults.gone else Response(status_code=404)

    async def _create_menu(self, request: Request) -> Response:
        if refusal := self._refused(request):
            return refusal
        self.menu = await request.json()
        return JSONResponse({"errcode": 0, "errmsg": "ok"})


def _error(code: int, message: str) -> Response:
    return JSONResponse({"errcode": code, "errmsg": message})
