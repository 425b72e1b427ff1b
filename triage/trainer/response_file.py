"""A file of responses, edited where it stands: one text or button title changes, every other byte stays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from nlu_data import DataError


def edited(name: str, source: str, response: str, text: str, titles: Sequence[str]) -> str:
    """`source` with the first variant of `response` saying `text`, its buttons saying `titles`, in their order.

    Texts keep the way they are written (block, quoted, plain) where that can hold them. Raises `DataError` when the
    response or a button is not there, or the result would read otherwise than meant.
    """
    before = yaml.safe_load(source)
    whole, variant = _variant(source, response)
    inline = bool(whole.flow_style)
    nodes = [(variant["text"], text, inline)]
    buttons = variant["buttons"].value if "buttons" in variant else []
    if len(buttons) != len(titles):
        raise DataError(f"{name}，{response}：按钮数目不对")
    for button, title in zip(buttons, titles, strict=True):
        flow = inline or bool(variant["buttons"].flow_style or button.flow_style)
        nodes.append((_children(button)["title"], title, flow))
    after = source
    for node, wanted, flow in sorted(nodes, key=lambda each: -int(each[0].start_mark.index)):
        if node.value.rstrip("\n") != wanted:
            after = _replaced(after, node, wanted, flow)
    expected = before["responses"][response][0]
    expected["text"] = text
    for button, title in zip(expected.get("buttons") or (), titles, strict=True):
        button["title"] = title
    found = yaml.safe_load(after)
    found["responses"][response][0]["text"] = found["responses"][response][0]["text"].rstrip("\n")
    if found != before:
        raise DataError(f"{name}，{response}：这样写存不进文件，请换个写法")
    return after


def _variant(source: str, response: str) -> tuple[Any, dict[str, Any]]:
    """The node of the first variant, and its parts."""
    root = yaml.compose(source, Loader=yaml.SafeLoader)
    try:
        node = _children(_children(root)["responses"])[response].value[0]
        return node, _children(node)
    except (KeyError, IndexError, AttributeError) as error:
        raise DataError(f"没有这句话：{response}") from error


def _children(node: Any) -> dict[str, Any]:
    return {key.value: value for key, value in node.value}


def _replaced(source: str, node: yaml.ScalarNode, text: str, flow: bool) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    raw = source[start:end]
    if node.style in ("|", ">"):
        head, _, body = raw.partition("\n")
        indent = body[: len(body) - len(body.lstrip(" "))]
        end -= len(raw) - len(raw.rstrip())
        head = head.replace(">", "|", 1)
        written = "\n".join([head, *(indent + line if line else "" for line in text.split("\n"))])
    else:
        written = _scalar(text, node.style, flow)
    return source[:start] + written + source[end:]


def _scalar(text: str, style: str | None, flow: bool) -> str:
    if style == "'" and "\n" not in text:
        return "'" + text.replace("'", "''") + "'"
    around, meant = ("[{{a: {}, b: 1}}]", [{"a": text, "b": 1}]) if flow else ("a: {}", {"a": text})
    if style is None and _reads(around.format(text), meant):
        return text
    return json.dumps(text, ensure_ascii=False)


def _reads(source: str, meant: Sequence[Any] | Mapping[str, Any]) -> bool:
    try:
        return bool(yaml.safe_load(source) == meant)
    except yaml.YAMLError:
        return False
