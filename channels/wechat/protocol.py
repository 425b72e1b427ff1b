"""The official-account server protocol: signatures, encryption, XML, and what each message means.

Rules: developers.weixin.qq.com, 公众号 · 消息管理 (接收普通消息, 接收事件推送, 被动回复, 消息加解密说明).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from bot.channel import Rejected
from bot.message import Attachment, Inbound

REPLAY_WINDOW = 300
REMEMBERED = 10_000
BLOCK = 32


def signature(token: str, *parts: str) -> str:
    """SHA-1 over the sorted strings."""
    return hashlib.sha1("".join(sorted((token, *parts))).encode()).hexdigest()


class Guard:
    """Refuses forged and replayed requests; the platform's own retries, with the same content, pass."""

    def __init__(self, token: str, clock: Callable[[], float] = time.time) -> None:
        """`clock` in Unix seconds."""
        self._token = token
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def check(self, query: Mapping[str, str], name: str = "signature", *more: str) -> None:
        """The signature `name` over timestamp, nonce and `more`, not older than the window; raises `Rejected`."""
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        expected = signature(self._token, timestamp, nonce, *more)
        if not hmac.compare_digest(expected.encode(), query.get(name, "").encode()):
            raise Rejected(f"{name} does not match")
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
            raise Rejected("timestamp is not a number")
        if abs(self._clock() - int(timestamp)) > REPLAY_WINDOW:
            raise Rejected("timestamp is outside the replay window")

    def first_or_same(self, query: Mapping[str, str], content: bytes) -> None:
        """One (timestamp, nonce) carries one content: another one is a replay; raises `Rejected`."""
        key = (query.get("timestamp", ""), query.get("nonce", ""))
        digest = hashlib.sha256(content).digest()
        if self._seen.setdefault(key, digest) != digest:
            raise Rejected("the nonce was used for another message")
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


class Crypt:
    """AES-256-CBC of the safe mode: 16 random bytes, length, message, app id; PKCS#7 to 32 bytes."""

    def __init__(self, aes_key: str, app_id: str) -> None:
        """`aes_key` is the EncodingAESKey of 43 characters; raises `ValueError` for another."""
        self._key = base64.b64decode(aes_key + "=", validate=True)
        if len(self._key) != 32:
            raise ValueError("an EncodingAESKey has 43 characters")
        self._app_id = app_id.encode()

    def decrypt(self, text: str) -> bytes:
        """The message inside; raises `Rejected` unless it was made with our key for our app."""
        try:
            data = base64.b64decode(text, validate=True)
            decryptor = self._cipher().decryptor()
            plain = decryptor.update(data) + decryptor.finalize()
        except (binascii.Error, ValueError) as error:
            raise Rejected("the encrypted message cannot be read") from error
        pad = plain[-1] if plain else 0
        if not 1 <= pad <= BLOCK or len(plain) < 20 + pad:
            raise Rejected("the encrypted message is damaged")
        length = int.from_bytes(plain[16:20], "big")
        message, app_id = plain[20 : 20 + length], plain[20 + length : len(plain) - pad]
        if not hmac.compare_digest(app_id, self._app_id):
            raise Rejected("the message is for another app")
        return message

    def encrypt(self, message: bytes) -> str:
        """Base64 of the encrypted message."""
        plain = secrets.token_bytes(16) + len(message).to_bytes(4, "big") + message + self._app_id
        pad = BLOCK - len(plain) % BLOCK
        encryptor = self._cipher().encryptor()
        return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))


def fields(body: bytes) -> dict[str, str]:
    """The elements of a message by name, nested ones by their own; raises `Rejected` for anything unsafe or broken."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise Rejected(f"the XML cannot be read: {type(error).__name__}") from error
    return {element.tag: (element.text or "").strip() for element in root.iter() if element is not root}


def inbound(app_id: str, found: Mapping[str, str], body: bytes, said: Callable[[str], str | None]) -> Inbound | None:
    """What the customer said, or None for an event we do not answer; `said` reads a menu key. Raises `Rejected`."""
    try:
        sender, at = found["FromUserName"], datetime.fromtimestamp(int(found["CreateTime"]), UTC)
        kind = found["MsgType"]
        if kind == "event":
            text = _event(found, said)
            parts = (sender, found["CreateTime"], found["Event"], found.get("EventKey", ""))
            content = hashlib.sha256(body).hexdigest()
            key = hashlib.sha256("\0".join((*parts, content)).encode()).hexdigest()[:40]
            return Inbound("wechat", sender, f"{app_id}:{key}", text, at) if text else None
        text, attachments = _content(kind, found)
        return Inbound("wechat", sender, f"{app_id}:{found['MsgId']}", text, at, attachments=attachments)
    except (KeyError, ValueError, OverflowError, OSError) as error:
        raise Rejected(f"the message lacks or spoils a field: {error}") from error


def _event(found: Mapping[str, str], said: Callable[[str], str | None]) -> str | None:
    key = found.get("EventKey", "")
    match found["Event"].upper():
        case "SUBSCRIBE" | "SCAN":
            scene = key.removeprefix("qrscene_")
            return said(scene) or "菜单"
        case "CLICK":
            return said(key) or key
        case _:
            return None


def _content(kind: str, found: Mapping[str, str]) -> tuple[str, tuple[Attachment, ...]]:
    media = found.get("MediaId", "")
    match kind:
        case "text":
            return found.get("Content", ""), ()
        case "voice":
            return found.get("Recognition") or "[语音]", (
                Attachment("voice", mime=found.get("Format", ""), source=media),
            )
        case "image":
            return "[图片]", (Attachment("image", source=f"{media} {found.get('PicUrl', '')}".strip()),)
        case "video" | "shortvideo":
            return "[视频]", (Attachment("video", source=media),)
        case "location":
            place = Attachment(
                "location",
                name=found.get("Label", ""),
                latitude=float(found["Location_X"]),
                longitude=float(found["Location_Y"]),
            )
            return f"我在{place.name}，这里停电了吗？" if place.name else "[位置]", (place,)
        case "link":
            return f"{found.get('Title', '')} {found.get('Url', '')}".strip(), ()
        case _:
            return "[文件]", (Attachment("file", name=found.get("Title", ""), source=media),)


def text_reply(found: Mapping[str, str], text: str, now: float) -> bytes:
    """The XML of a passive text reply to the message `found`."""
    return (
        f"<xml><ToUserName>{_cdata(found['FromUserName'])}</ToUserName>"
        f"<FromUserName>{_cdata(found.get('ToUserName', ''))}</FromUserName><CreateTime>{int(now)}</CreateTime>"
        f"<MsgType><![CDATA[text]]></MsgType><Content>{_cdata(text)}</Content></xml>"
    ).encode()


def sealed(crypt: Crypt, token: str, reply: bytes, now: float) -> bytes:
    """A reply of the safe mode."""
    encrypted, timestamp, nonce = crypt.encrypt(reply), str(int(now)), secrets.token_hex(8)
    return (
        f"<xml><Encrypt>{_cdata(encrypted)}</Encrypt>"
        f"<MsgSignature>{_cdata(signature(token, timestamp, nonce, encrypted))}</MsgSignature>"
        f"<TimeStamp>{timestamp}</TimeStamp><Nonce>{_cdata(nonce)}</Nonce></xml>"
    ).encode()


def _cdata(text: str) -> str:
    clean = "".join(c for c in text if c in "\t\n\r" or c >= " ")
    return f"<![CDATA[{clean}]]>" if "]]>" not in clean else escape(clean)
