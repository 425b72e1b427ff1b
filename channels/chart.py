"""A bill chart as a picture, for doors that take one: bars of months, the newest in the accent colour."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, EDGE = 720, 400, 48
# 元, drawn: the font that comes with Pillow has no Chinese
YUAN = (((4, 2), (16, 2)), ((0, 8), (20, 8)), ((7, 8), (6, 14), (1, 19)), ((13, 8), (13, 18), (20, 18), (20, 14)))
INK, SOFT, BAR, NEWEST, PAPER = "#16201e", "#5a6663", "#9fcfc6", "#0b6b5c", "#ffffff"


def png(rows: Sequence[tuple[str, float]]) -> bytes:
    """Draw [(month "2026-10", yuan), …], oldest first. Raises `ValueError` for no rows."""
    if not rows:
        raise ValueError("a chart needs at least one month")
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(20)
    floor, top = HEIGHT - EDGE, EDGE
    step = (WIDTH - 2 * EDGE) / len(rows)
    most = max(max(yuan for _, yuan in rows), 0.01)
    for place, (month, yuan) in enumerate(rows):
        left = EDGE + place * step + step * 0.15
        height = (floor - top) * max(yuan, 0) / most
        colour = NEWEST if place == len(rows) - 1 else BAR
        draw.rectangle([left, floor - height, left + step * 0.7, floor], fill=colour)
        centre = left + step * 0.35
        draw.text((centre, floor - height - 4), f"{yuan:.0f}", INK, font, anchor="mb")
        draw.text((centre, floor + 8), month[-5:], SOFT, font, anchor="mt")
    draw.line([EDGE, floor, WIDTH - EDGE, floor], fill=SOFT, width=2)
    for stroke in YUAN:
        draw.line([(EDGE + x, 8 + y) for x, y in stroke], fill=SOFT, width=2)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
