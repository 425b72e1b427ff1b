"""How each channel would show a message, for those who write it: the same cutting and numbering as when it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.message import Outbound
from channels.rendering import TELEGRAM_UNITS, WECHAT_BYTES, as_text, split, utf8_size, utf16_size

Pieces = Sequence[Mapping[str, Any]]


def on_web(message: Outbound) -> Pieces:
    """One bubble with its buttons."""
    return [_piece(message.text, message)]


def on_wechat(message: Outbound) -> Pieces:
    """Plain texts; buttons are a numbered list."""
    return [_piece(text) for text in split(as_text(message), WECHAT_BYTES, utf8_size)]


def on_telegram(message: Outbound) -> Pieces:
    """Texts, the last with the buttons."""
    texts = split(message.text, TELEGRAM_UNITS, utf16_size)
    return [*(_piece(text) for text in texts[:-1]), _piece(texts[-1], message)]


def previews() -> dict[str, Callable[[Outbound], Pieces]]:
    """By channel."""
    return {"web": on_web, "wechat": on_wechat, "telegram": on_telegram}


def _piece(text: str, buttons: Outbound | None = None) -> dict[str, Any]:
    return {"text": text, "buttons": [button.title for button in buttons.buttons] if buttons else []}
