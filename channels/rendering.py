"""How a message looks where a door has only text: buttons as a numbered list, pieces of the platform's size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.files import Files
from bot.message import Card, Outbound
from channels import chart as drawing

CHOOSE = "回复数字选择。"
NO_PICTURES = "（这里收不到图片，需要的话请告诉我们，我们用文字说明。）"
WECHAT_BYTES, TELEGRAM_UNITS = 2048, 4096
SENTENCE_ENDS = "\n。！？；!?;"
PAUSES = "，、, "


def as_text(message: Outbound) -> str:
    """The text with its buttons as a numbered list; a typed number answers it (see `bot.transcript`)."""
    if message.attachments:
        return message.text + NO_PICTURES
    if not message.buttons:
        return message.text
    lines = "\n".join(f"{number}. {button.title}" for number, button in enumerate(message.buttons, 1))
    return f"{message.text}\n{lines}\n{CHOOSE}"


def pictures(message: Outbound) -> list[Outbound]:
    """What of a message is shown as a picture, each a part of its own: attachments, a bill's chart."""
    shown = [Outbound("", attachments=(one,)) for one in message.attachments]
    return [*shown, Outbound("", card=message.card)] if chart(message.card) else shown


async def picture(part: Outbound, files: Files) -> tuple[bytes, str] | None:
    """Content and file name of a part that is a picture; None for text."""
    if part.attachments:
        return await files.content(part.attachments[0]), part.attachments[0].name
    return (drawing.png(chart(part.card)), "chart.png") if part.card is not None else None


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
