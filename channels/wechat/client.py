"""WeChat's API: tokens and customer-service messages 客服消息."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from bot.channel import Gone, Throttled, Unconfirmed, Undeliverable
from bot.files import LARGEST

TOKEN_ERRORS = frozenset((40001, 40014, 42001))
UNDELIVERABLE = {
    40003: "微信不认识这个客户",
    43004: "客户没有关注公众号",
    45015: "客户超过48小时没有发消息，微信不再接收回复",
    45047: "微信限制条数已用完，客户发消息后才能再回复",
    48001: "公众号没有客服消息权限",
    50005: "客户已取消关注",
}
GONE = {40007: "微信上已经没有这个文件，请重新发一次。", 48001: "这个公众号不能从微信取回文件，请用文字说明。"}
THROTTLED = {45009: 600.0, 45011: 60.0}
EARLY = 300


class WeChatError(Exception):
    """The API answered with an error that may pass."""


class WeChatClient:
    """Sends as the official account; one token for all senders, renewed once however many find it expired."""

    def __init__(
        self, app_id: str, app_secret: str, api_base: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`api_base` is https://api.weixin.qq.com or another server of the same API; `clock` in seconds."""
        self._app_id = app_id
        self._app_secret = app_secret
        self._clock = clock
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=50)
        self._http = httpx.AsyncClient(base_url=api_base, timeout=httpx.Timeout(15, connect=5, pool=30), limits=limits)
        self._lock = asyncio.Lock()
        self._token = ""
        self._good_until = 0.0

    async def send_text(self, openid: str, text: str, key: str) -> None:
        """One text message; `key` is the same at every try. Raises as `Channel.send` says."""
        await self._send(openid, {"msgtype": "text", "text": {"content": text}}, key)

    async def send_image(self, openid: str, picture: bytes, name: str, key: str) -> None:
        """One picture (PNG or JPEG, as its name ends), uploaded as temporary media."""
        files = {"media": (name, picture)}
        answer = await self._call("/cgi-bin/media/upload", {"type": "image"}, files=files)
        await self._send(openid, {"msgtype": "image", "image": {"media_id": answer["media_id"]}}, key)

    async def media(self, id: str) -> bytes:
        """A follower's picture or voice, kept by WeChat for three days; raises `Gone`, `WeChatError` or `HTTPError`."""
        for _ in range(3):
            token = await self.access_token()
            query = {"access_token": token, "media_id": id}
            async with self._http.stream("GET", "/cgi-bin/media/get", params=query) as answer:
                content = await read(answer)
            if not any(kind in answer.headers.get("content-type", "") for kind in ("json", "text")):
                return content
            found = json.loads(content)
            code = int(found.get("errcode") or 0)
            if code in TOKEN_ERRORS:
                await self._renew(token)
            elif code in GONE:
                raise Gone(GONE[code])
            else:
                raise WeChatError(f"media/get: {code} {found.get('errmsg')}")
        raise WeChatError("media/get: three tokens in a row were refused")

    async def create_menu(self, menu: Mapping[str, Any]) -> None:
        """Replace the account's menu."""
        await self._call("/cgi-bin/menu/create", {}, menu)

    async def close(self) -> None:
        """Give connections back."""
        await self._http.aclose()

    async def _send(self, openid: str, message: Mapping[str, Any], key: str) -> None:
        body = {"touser": openid, **message, "client_msg_id": key}
        try:
            await self._call("/cgi-bin/message/custom/send", {}, body)
        except httpx.ReadTimeout as failure:
            raise Unconfirmed("微信没有回应") from failure

    async def _call(
        self, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None, files: Any = None
    ) -> dict[str, Any]:
        for _ in range(3):
            token = await self.access_token()
            # WeChat shows \uXXXX to the customer as it is, so the JSON must hold the characters themselves
            content = json.dumps(body, ensure_ascii=False).encode() if body is not None else None
            answer = await self._http.post(path, params={**query, "access_token": token}, content=content, files=files)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            code = int(found.get("errcode") or 0)
            if code in TOKEN_ERRORS:
                await self._renew(token)
                continue
            if code in UNDELIVERABLE:
                raise Undeliverable(f"{UNDELIVERABLE[code]}（{code}）")
            if code in THROTTLED:
                raise Throttled(THROTTLED[code])
            if code:
                raise WeChatError(f"{path}: {code} {found.get('errmsg')}")
            return found
        raise WeChatError(f"{path}: three tokens in a row were refused")

    async def access_token(self) -> str:
        """A token that should be good; raises `WeChatError` or `httpx.HTTPError`."""
        if not self._token or self._clock() >= self._good_until:
            await self._renew(self._token)
        return self._token

    async def _renew(self, bad: str) -> None:
        """Get another token than `bad`, unless someone else just did."""
        async with self._lock:
            if self._token != bad:
                return
            for force in (False, True):
                answer = await self._http.post(
                    "/cgi-bin/stable_token",
                    json={
                        "grant_type": "client_credential",
                        "appid": self._app_id,
                        "secret": self._app_secret,
                        "force_refresh": force,
                    },
                )
                answer.raise_for_status()
                found = answer.json()
                if "access_token" not in found:
                    raise WeChatError(f"no token: {found.get('errcode')} {found.get('errmsg')}")
                self._token = str(found["access_token"])
                lasts = float(found.get("expires_in") or 0)
                self._good_until = self._clock() + max(lasts - EARLY, lasts / 2)
                if self._token != bad:
                    return


async def read(answer: httpx.Response) -> bytes:
    """The body of a streamed answer; one larger than we take is not read to its end. Raises `httpx.HTTPError`."""
    answer.raise_for_status()
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > LARGEST:
            break
    return bytes(content)
