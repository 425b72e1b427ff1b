"""The Telegram door, with aiogram 3: long polling or a webhook; a message is stored before it is acknowledged."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
)
from aiogram.methods import TelegramMethod
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    CallbackQuery,
    Document,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    Update,
    Video,
    Voice,
)
from aiohttp import ConnectionTimeoutError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bot.channel import Gone, Receive, Throttled, Unconfirmed, Undeliverable
from bot.files import LARGEST, Files
from bot.message import Attachment, Inbound, Outbound
from bot.settings import TelegramSettings
from channels import rendering

NAME = "telegram"
POLL_SECONDS = 25
SEND_SECONDS = 15
POLLED = ["message", "edited_message", "callback_query"]
SIGNED_BYTES = 9
GROUP = "我可以回答停电、缴费、营业厅等公开问题。查询户号信息请私聊我，群里不查个人用电信息。"
PRIVATE = "私聊小桥"
BLOCKED = "客户停用了机器人"
NOT_THERE = "Telegram 上已经没有这个文件，请重新发一次。"
COMMANDS = {"menu": "服务菜单", "human": "转人工"}

Edit = Callable[[str, str, str, str, datetime], Awaitable[bool]]

log = logging.getLogger(__name__)


class _RawUpdates(TelegramMethod[list[dict[str, Any]]]):
    """getUpdates, each update left as it came."""

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"
    offset: int
    timeout: int
    allowed_updates: list[str]


class Telegram:
    """One bot; see contracts: Telegram."""

    name = NAME
    pushes = True

    def __init__(
        self, settings: TelegramSettings, secret_key: str, edit: Edit, files: Files, public_url: str = ""
    ) -> None:
        """`secret_key` signs the buttons; `edit` is `Conversations.edit`; the webhook is set to `public_url`.

        `files` holds the pictures that agents send.
        """
        self._files = files
        self._public_url = public_url
        server = TelegramAPIServer.from_base(settings.api_base) if settings.api_base else None
        self._bot = Bot(settings.token, AiohttpSession(api=server or PRODUCTION, timeout=SEND_SECONDS))
        self._webhook_secret = settings.webhook_secret
        self._key = hmac.new(secret_key.encode(), b"telegram buttons", hashlib.sha256).digest()
        self._edit = edit
        self._groups_answered: OrderedDict[int, None] = OrderedDict()
        self._later: set[asyncio.Task[None]] = set()

    def routes(self, receive: Receive) -> Sequence[BaseRoute]:
        """`POST /telegram` when a webhook secret is set."""
        if not self._webhook_secret:
            return []

        async def webhook(request: Request) -> Response:
            given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
            if not hmac.compare_digest(given.encode(), self._webhook_secret.encode()):
                log.warning("Telegram: refused a request without the secret token")
                return PlainTextResponse("rejected", status_code=403)
            try:
                found = await request.json()
                int(found["update_id"])
            except (ValueError, KeyError, TypeError):
                return PlainTextResponse("not an update", status_code=400)
            await self._take_raw(found, receive)
            return PlainTextResponse("ok")

        return [Route("/telegram", webhook, methods=["POST"])]

    async def run(self, receive: Receive) -> None:
        """Set the commands; without a webhook secret poll until cancelled. What was not stored is asked for again."""
        try:
            await self._patiently(self._set_commands)
            if self._webhook_secret:
                await self._patiently(self._set_webhook)
                await asyncio.Event().wait()
            await self._patiently(self._bot.delete_webhook)
            offset, wait = 0, 1.0
            while True:
                try:
                    poll = _RawUpdates(offset=offset, timeout=POLL_SECONDS, allowed_updates=POLLED)
                    for found in await self._bot(poll, request_timeout=POLL_SECONDS + 10):
                        await self._take_raw(found, receive)
                        offset = int(found["update_id"]) + 1
                    wait = 1.0
                except TelegramRetryAfter as failure:
                    await asyncio.sleep(failure.retry_after)
                except Exception as failure:
                    log.warning("Telegram: polling failed, trying again in %g s: %s", wait, failure)
                    await asyncio.sleep(wait)
                    wait = min(wait * 2, 30)
        finally:
            await self._bot.session.close()

    async def _take_raw(self, found: dict[str, Any], receive: Receive) -> None:
        """An update of a shape that is not known is dropped, so that it never stops the others."""
        try:
            update = Update.model_validate(found, context={"bot": self._bot})
        except ValidationError as error:
            log.warning("Telegram: update %s cannot be read: %s", found.get("update_id"), error.errors()[:1])
            return
        await self.take(update, receive)

    async def take(self, update: Update, receive: Receive) -> None:
        """Store what an update says; kinds we do not handle are dropped. Callback queries are answered first."""
        if update.callback_query is not None:
            self._soon(self._answer(update.callback_query.id))
            inbound = self._pressed(update.update_id, update.callback_query)
            if inbound is not None:
                await receive(inbound)
        elif update.edited_message is not None and _private(update.edited_message):
            edited = update.edited_message
            at = datetime.fromtimestamp(edited.edit_date or 0, UTC)
            text, _ = _content(edited)
            await self._edit(NAME, str(edited.chat.id), str(edited.message_id), text, at)
        elif update.message is not None:
            if not _private(update.message):
                self._group(update.update_id, update.message)
            elif (found := self._inbound(update.update_id, update.message)) is not None:
                await receive(found)

    async def check(self) -> None:
        """Ask the platform who we are."""
        try:
            await self._bot.get_me()
        finally:
            await self._bot.session.close()

    def parts(self, message: Outbound) -> Sequence[Outbound]:
        """Text of at most 4,096 UTF-16 units each, the last with the buttons, then the pictures."""
        if message.attachments:
            return rendering.pictures(message)
        texts = rendering.split(message.text, rendering.TELEGRAM_UNITS, rendering.utf16_size)
        found = [Outbound(text) for text in texts[:-1]]
        # a button says which message offered it by that message's key, also when it is the last of several parts
        found.append(Outbound(texts[-1], message.buttons, None, message.key))
        return [*found, *rendering.pictures(message)]

    async def send(self, recipient: str, part: Outbound) -> None:
        """One message; raises as `Channel.send` says."""
        try:
            if (picture := await rendering.picture(part, self._files)) is not None:
                await self._bot.send_photo(int(recipient), BufferedInputFile(*picture))
            else:
                await self._bot.send_message(int(recipient), part.text, reply_markup=self._keyboard(recipient, part))
        except TelegramRetryAfter as failure:
            raise Throttled(float(failure.retry_after)) from failure
        except TelegramForbiddenError as failure:
            raise Undeliverable(BLOCKED) from failure
        except TelegramBadRequest as failure:
            raise Undeliverable(f"Telegram 拒收：{failure.message}") from failure
        except TelegramNetworkError as failure:
            timed_out = isinstance(failure.__cause__, TimeoutError)
            if timed_out and not isinstance(failure.__cause__, ConnectionTimeoutError):
                raise Unconfirmed("Telegram 没有回应") from failure
            raise

    async def media(self, attachment: Attachment) -> bytes:
        """By getFile; a file larger than we take is not read to its end."""
        try:
            path = (await self._bot.get_file(attachment.source)).file_path or ""
        except TelegramBadRequest as failure:
            raise Gone(NOT_THERE) from failure
        content = bytearray()
        session = self._bot.session
        async for chunk in session.stream_content(
            session.api.file_url(self._bot.token, path), timeout=SEND_SECONDS, raise_for_status=True
        ):
            content += chunk
            if len(content) > LARGEST:
                break
        return bytes(content)

    def _keyboard(self, recipient: str, part: Outbound) -> InlineKeyboardMarkup | None:
        if not part.buttons:
            return None
        seq = part.key.split("-")[1]
        return InlineKeyboardMarkup(
            inline_keyboard=[
                [InlineKeyboardButton(text=button.title, callback_data=self._signed(recipient, f"{seq}:{place}"))]
                for place, button in enumerate(part.buttons)
            ]
        )

    def _signed(self, chat: str, choice: str) -> str:
        """At most 64 bytes, good in this chat only, also after a restart."""
        mac = hmac.new(self._key, f"{chat}:{choice}".encode(), hashlib.sha256).digest()[:SIGNED_BYTES]
        return f"{choice}:{base64.urlsafe_b64encode(mac).decode()}"

    def _pressed(self, update_id: int, query: CallbackQuery) -> Inbound | None:
        chat, data = str(query.from_user.id), query.data or ""
        choice = data.rpartition(":")[0]
        if not hmac.compare_digest(self._signed(chat, choice).encode(), data.encode()):
            log.warning("Telegram: refused a button that is not ours")
            return None
        seq, place = map(int, choice.split(":"))
        return Inbound(NAME, chat, f"{self._bot.id}:{update_id}", "（按钮）", datetime.now(UTC), choice=(seq, place))

    def _inbound(self, update_id: int, message: Message) -> Inbound | None:
        text, attachments = _content(message)
        if not text:
            return None
        return Inbound(
            NAME,
            str(message.chat.id),
            f"{self._bot.id}:{update_id}",
            text,
            message.date.astimezone(UTC),
            attachments=attachments,
            platform_id=str(message.message_id),
        )

    def _group(self, update_id: int, message: Message) -> None:
        """Public information and a link to the private chat, when spoken to; nothing is stored."""
        text = message.text or ""
        if not text.startswith("/") and "@" not in text or update_id in self._groups_answered:
            return
        self._groups_answered[update_id] = None
        while len(self._groups_answered) > 1000:
            self._groups_answered.popitem(last=False)
        self._soon(self._tell_group(message.chat.id))

    async def _tell_group(self, chat: int) -> None:
        me = await self._bot.me()
        link = InlineKeyboardButton(text=PRIVATE, url=f"https://t.me/{me.username}?start=menu")
        await self._bot.send_message(chat, GROUP, reply_markup=InlineKeyboardMarkup(inline_keyboard=[[link]]))

    async def _answer(self, query: str) -> None:
        await self._bot.answer_callback_query(query)

    async def _set_commands(self) -> None:
        await self._bot.set_my_commands([BotCommand(command=c, description=d) for c, d in COMMANDS.items()])

    async def _set_webhook(self) -> None:
        await self._bot.set_webhook(
            f"{self._public_url}/telegram", secret_token=self._webhook_secret, allowed_updates=POLLED
        )

    async def _patiently(self, call: Callable[[], Awaitable[object]]) -> None:
        try:
            await call()
        except Exception as failure:
            log.warning("Telegram: %s", failure)

    def _soon(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(self._patiently(lambda: work))
        self._later.add(task)
        task.add_done_callback(self._later.discard)


def _private(message: Message) -> bool:
    return message.chat.type == "private"


def _content(message: Message) -> tuple[str, tuple[Attachment, ...]]:
    """What was said, and what came with it; ("", ()) for a kind we do not handle."""
    words = message.text or message.caption or ""
    if message.text:
        command, _, rest = words.partition(" ")
        spoken = {"/start": "菜单", "/menu": "菜单", "/human": "转人工"}.get(command.split("@")[0])
        if spoken:
            return (f"绑定 {rest}" if rest.isdecimal() else spoken), ()
        return words, ()
    if message.photo:
        largest = message.photo[-1]
        return words or "[图片]", (Attachment("image", size=largest.file_size or 0, source=largest.file_id),)
    if message.voice:
        return words or "[语音]", (_held("voice", message.voice),)
    if message.video:
        return words or "[视频]", (_held("video", message.video),)
    if message.document:
        return words or "[文件]", (_held("file", message.document, message.document.file_name or ""),)
    if message.location:
        name = f"{message.venue.title} {message.venue.address}".strip() if message.venue else ""
        place = Attachment(
            "location", name=name, latitude=message.location.latitude, longitude=message.location.longitude
        )
        return f"我在{name}，这里停电了吗？" if name else "[位置]", (place,)
    return "", ()


def _held(kind: str, file: Voice | Video | Document, name: str = "") -> Attachment:
    return Attachment(kind, "", name, file.mime_type or "", file.file_size or 0, source=file.file_id)
