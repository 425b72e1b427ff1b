"""The WeChat door: checks, translates, stores, and answers at once or with the reply itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bot import menu
from bot.channel import Gone, Receive, Rejected
from bot.files import Files
from bot.message import Attachment, Outbound
from bot.settings import WeChatSettings
from channels import rendering
from channels.wechat import protocol
from channels.wechat.client import WeChatClient, read
from channels.wechat.passive import Passive

LARGEST_BODY = 64 * 1024
PICTURES = ".qpic.cn"
NO_MEDIA = "这个公众号不能从微信取回这类文件，请用文字说明。"

log = logging.getLogger(__name__)


class WeChat:
    """The official account; see contracts: WeChat official account. Replies are pushed unless `passive` is given."""

    name = "wechat"

    def __init__(
        self,
        settings: WeChatSettings,
        files: Files,
        passive: Passive | None = None,
        client: WeChatClient | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """One of `passive` and `client` carries the replies; `files` holds pictures; `clock` in Unix seconds."""
        self._settings = settings
        self._files = files
        self._passive = passive
        self._client = client
        self._clock = clock
        self._guard = protocol.Guard(settings.token, clock)
        self._crypt = protocol.Crypt(settings.aes_key, settings.app_id) if settings.aes_key else None
        self.pushes = passive is None

    def routes(self, receive: Receive) -> Sequence[BaseRoute]:
        """`GET|POST /wechat`."""

        async def endpoint(request: Request) -> Response:
            try:
                if request.method == "GET":
                    self._guard.check(request.query_params)
                    return PlainTextResponse(request.query_params.get("echostr", ""))
                return await self._message(request, receive)
            except Rejected as refusal:
                log.warning("WeChat: refused a request: %s", refusal)
                return PlainTextResponse("rejected", status_code=403)

        return [Route("/wechat", endpoint, methods=["GET", "POST"])]

    async def run(self, receive: Receive) -> None:
        """Put the service menu into the account once."""
        if self._client is None:
            return
        buttons = [
            {
                "name": group.title,
                "sub_button": [{"type": "click", "name": s.title, "key": s.key} for s in group.services],
            }
            for group in menu.groups()
        ]
        try:
            await self._client.create_menu({"button": buttons})
        except Exception as failure:
            log.warning("WeChat: the menu could not be set: %s", failure)

    async def check(self) -> None:
        """Ask for a token; a passive account needs none."""
        if self._client is not None:
            await self._client.access_token()

    def parts(self, message: Outbound) -> Sequence[Outbound]:
        """Text of at most 2,048 bytes each, then the pictures."""
        pictures = rendering.pictures(message)
        if message.attachments:
            return pictures
        texts = rendering.split(rendering.as_text(message), rendering.WECHAT_BYTES, rendering.utf8_size)
        return [*(Outbound(text) for text in texts), *pictures]

    async def send(self, recipient: str, part: Outbound) -> None:
        """One customer-service message."""
        assert self._client is not None, "passive replies are fetched, not sent"
        if (picture := await rendering.picture(part, self._files)) is not None:
            await self._client.send_image(recipient, *picture, part.key)
        else:
            await self._client.send_text(recipient, part.text, part.key)

    async def media(self, attachment: Attachment) -> bytes:
        """Temporary media, by their id; a picture also by its address, for accounts without the API."""
        media, _, address = attachment.source.partition(" ")
        if self._client is not None:
            return await self._client.media(media)
        if not address:
            raise Gone(NO_MEDIA)
        return await self._picture(address)

    async def _picture(self, address: str) -> bytes:
        host, ours = (urlsplit(one).hostname or "" for one in (address, self._settings.api_base))
        if not (host == ours or host.endswith(PICTURES)):
            raise Gone(NO_MEDIA)
        async with httpx.AsyncClient(timeout=15) as http, http.stream("GET", address) as answer:
            return await read(answer)

    async def _message(self, request: Request, receive: Receive) -> Response:
        query = request.query_params
        body = await request.body()
        if len(body) > LARGEST_BODY:
            raise Rejected("the body is too large")
        found, content, encrypted = self._opened(query, body)
        self._guard.first_or_same(query, content)
        inbound = protocol.inbound(self._settings.app_id, found, content, menu.said)
        if inbound is None:
            return PlainTextResponse("success")
        receipt = await receive(inbound)
        if self._passive is None:
            return PlainTextResponse("success")
        text = await self._passive.answer(receipt, inbound.sent_at.timestamp())
        if text is None:
            return PlainTextResponse("not yet", status_code=504)
        if not text:
            return PlainTextResponse("success")
        now = self._clock()
        reply = protocol.text_reply(found, text, now)
        if encrypted and self._crypt is not None:
            reply = protocol.sealed(self._crypt, self._settings.token, reply, now)
        return Response(reply, media_type="application/xml")

    def _opened(self, query: Mapping[str, str], body: bytes) -> tuple[dict[str, str], bytes, bool]:
        """The fields, the bytes they were read from, and whether they came encrypted; raises `Rejected`."""
        self._guard.check(query)
        if query.get("encrypt_type", "raw") != "aes":
            return protocol.fields(body), body, False
        outer = protocol.fields(body)
        secret = outer.get("Encrypt", "")
        self._guard.check(query, "msg_signature", secret)
        if self._crypt is None:
            raise Rejected("the message is encrypted, and WECHAT_AES_KEY is not set")
        content = self._crypt.decrypt(secret)
        return protocol.fields(content), content, True
