"""How a message looks where a door has only text: buttons as a numbered list, pieces of the platform's size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.message import Card, Outbound

CHOOSE = "回复数字选择。"
WECHAT_BYTES, TELEGRAM_UNITS = 2048, 4096
SENTENCE_ENDS = "\n。！？；!?;"
PAUSES = "，、, "


def as_text(message: Outbound) -> str:
    """The text with its buttons as a numbered list; a typed number answers it (see `bot.transcript`)."""
    if not message.buttons:
        return message.text
    lines = "\n".join(f"{number}. {button.title}" for number, button in enumerate(message.buttons, 1))
    return f"{message.text}\n{lines}\n{CHOOSE}"


def utf8_size(text: str) -> int:
    """Bytes, as WeChat counts."""
    return len(text.encode())


def utf16_size(text: str) -> int:
    """UTF-16 units, as Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def split(text: str, limit: int, size: Callable[[str], int]) -> list[str]:
    """Pieces of at most `limit` by `size`, cut after a sentence, else after a pause, else anywhere; nothing is lost."""
    pieces: list[str] = []
    while size(text) > limit:
        most = _longest(text, limit, size)
        cut = max((text.rfind(mark, most // 2, most) for mark in SENTENCE_ENDS), default=-1) + 1
        cut = cut or max((text.rfind(mark, most // 2, most) for mark in PAUSES), default=-1) + 1
        cut = cut or most
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text] if text or not pieces else pieces


def chart(card: Card | None) -> Sequence[tuple[str, float]]:
    """The months and yuan of a bill's chart; empty when the card has none worth drawing."""
    rows = (card or {}).get("chart") or ()
    return [(str(month), float(yuan)) for month, yuan in rows] if len(rows) > 1 else []


def _longest(text: str, limit: int, size: Callable[[str], int]) -> int:
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= limit else (low, middle - 1)
    return low
