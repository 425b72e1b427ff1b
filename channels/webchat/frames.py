"""What travels between the page and the service, as JSON; see contracts: Web chat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bot.files import Files
from bot.message import Message

LONGEST_TEXT = 10_000
LONGEST_ID = 64
ERRORS = {
    "bad_json": "消息格式不对，请刷新页面再试。",
    "bad_type": "不支持这种消息。",
    "bad_id": "消息编号不对，请刷新页面再试。",
    "bad_number": "参数不对。",
    "empty": "请输入内容。",
    "too_long": f"消息太长了，请控制在{LONGEST_TEXT}字以内。",
    "too_fast": "您发得太快了，请稍等一会儿再发。",
    "no_identity": "登录已过期，请刷新页面。",
}
STATUS = {"no_identity": 401, "too_fast": 429, "too_large": 413}


class Refused(Exception):
    """A frame that cannot be accepted; `id` is that of the refused frame."""

    def __init__(self, code: str, id: object = None, text: str = "") -> None:
        """Remember what to answer; without `text` the code is a key of `ERRORS`."""
        super().__init__(code)
        self.frame: dict[str, Any] = {"type": "error", "code": code, "text": text or ERRORS[code]}
        if isinstance(id, str) and len(id) <= LONGEST_ID:
            self.frame["id"] = id

    @property
    def status(self) -> int:
        """The HTTP status that says the same."""
        return STATUS.get(self.frame["code"], 422)


def parse(text: str) -> Mapping[str, Any]:
    """The object in a text; raises `Refused`."""
    try:
        frame = json.loads(text)
    except ValueError as error:
        raise Refused("bad_json") from error
    if not isinstance(frame, dict):
        raise Refused("bad_json")
    return frame


def said(frame: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Id, text and payload of a `message` or `button` frame; raises `Refused`."""
    match frame.get("type"):
        case "message":
            text, payload = frame.get("text"), None
        case "button":
            text = payload = frame.get("payload")
        case _:
            raise Refused("bad_type", frame.get("id"))
    id = checked_id(frame.get("id"))
    if not isinstance(text, str) or not text.strip():
        raise Refused("empty", id)
    if len(text) > LONGEST_TEXT:
        raise Refused("too_long", id)
    return id, text, payload


def checked_id(id: object) -> str:
    """A client's own id of a message; raises `Refused`."""
    if not isinstance(id, str) or not 0 < len(id) <= LONGEST_ID:
        raise Refused("bad_id", id)
    return id


def of(message: Message, files: Files) -> dict[str, Any]:
    """The frame of a stored message.

    `attachments` only where there are some, `id` only where the customer's page gave one: a page that came back
    knows by it which of its unsent messages arrived.
    """
    frame = {
        "type": "message",
        "seq": message.seq,
        "from": str(message.speaker),
        "text": message.text,
        "buttons": [{"title": b.title, "payload": b.payload} for b in message.buttons],
        "card": dict(message.card) if message.card is not None else None,
        "at": message.at.isoformat(),
    }
    if message.inbound_id is not None:
        frame["id"] = message.inbound_id
    if message.attachments:
        frame["attachments"] = [files.shown(attachment) for attachment in message.attachments]
    return frame
