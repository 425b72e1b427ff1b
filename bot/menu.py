"""The service menu 服务菜单: a catalogue that every channel shows, every service within two taps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from bot.message import Button, Outbound, Turn

FILE = Path(__file__).with_name("menu.yml")
ASKED = frozenset(("菜单", "服务菜单", "/start", "/menu"))
WELCOME = "您好，我是小桥。请选一项，也可以直接打字告诉我您的问题。"
CHOOSE = "{title}：请选一项。"
MOST_GROUPS, MOST_SERVICES = 3, 5


@dataclass(frozen=True)
class Service:
    """`say` is what a tap says on the customer's behalf; `key` names it in a platform's own menu."""

    key: str
    title: str
    say: str


@dataclass(frozen=True)
class Group:
    """Services under one heading."""

    title: str
    services: tuple[Service, ...]


@cache
def groups(file: Path = FILE) -> Sequence[Group]:
    """The catalogue; raises `ValueError` when it would not fit WeChat's menu or a key comes twice."""
    found = tuple(
        Group(row["title"], tuple(Service(**service) for service in row["services"]))
        for row in yaml.safe_load(file.read_text(encoding="utf-8"))
    )
    if len(found) > MOST_GROUPS or any(len(group.services) > MOST_SERVICES for group in found):
        raise ValueError(f"{file.name}: at most {MOST_GROUPS} groups of {MOST_SERVICES}")
    keys = [service.key for group in found for service in group.services]
    if len(set(keys)) < len(keys):
        raise ValueError(f"{file.name}: a key comes twice")
    return found


def said(key: str) -> str | None:
    """What a tap on the service `key` says; None for an unknown one."""
    return next((service.say for group in groups() for service in group.services if service.key == key), None)


async def shortcut(conversation: int, text: str) -> Turn | None:
    """The menu, when asked for, and a group's services."""
    if text.strip() in ASKED:
        return Turn((Outbound(WELCOME, tuple(Button(g.title, f"菜单：{g.title}") for g in groups())),))
    for group in groups():
        if text == f"菜单：{group.title}":
            buttons = tuple(Button(service.title, service.say) for service in group.services)
            return Turn((Outbound(CHOOSE.format(title=group.title), buttons),))
    return None
