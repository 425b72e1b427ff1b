"""Personal data in lists and logs: masked."""

from __future__ import annotations

import re

_ID_CARD = re.compile(r"(?<!\d)\d{6}(\d{8})\d{3}[\dXx](?![\dXx])")
_PHONE = re.compile(r"(?<!\d)(1[3-9]\d)\d{4}(\d{4})(?!\d)")
_LONG = re.compile(r"(?<!\d)(\d{2})\d{4,12}(\d{4})(?!\d)")
_DOOR = re.compile(r"\d+(?=(号楼|栋|幢|单元|室|号(?!线|杆|台|公变)))")


def mask(text: str) -> str:
    """Phones, ID cards, account numbers and door numbers with their middle hidden."""
    text = _ID_CARD.sub("******************", text)
    text = _PHONE.sub(r"\1****\2", text)
    text = _LONG.sub(r"\1****\2", text)
    return _DOOR.sub("*", text)
