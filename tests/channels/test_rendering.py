"""Golden files of what each door makes of each kind of message; set GOLDEN=write to renew them, then read the diff."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot import menu
from bot.files import Files
from bot.message import Button, Delivery, Message, Outbound, Speaker
from channels import chart
from channels.webchat import frames
from tests import databases
from tests.channels.stage import TelegramStage, WeChatStage, play

GOLDEN = Path(__file__).with_name("golden")
AS_OF = "11月24日 21:02"
MESSAGES = {
    "text": Outbound("您好，我是小桥。"),
    "buttons": Outbound("请选择。", (Button("查电费", "/query_bill"), Button("转人工", "转人工"))),
    "bill": Outbound(
        "2026年10月电费172.46元，已缴清。",
        card={
            "kind": "bill",
            "title": "2026年10月电费账单",
            "rows": [["用电量", "293.3 千瓦时"], ["电费合计", "172.46 元"]],
            "as_of": AS_OF,
            "chart": [["2026-08", "201.30"], ["2026-09", "188.02"], ["2026-10", "172.46"]],
        },
    ),
    "outage": Outbound(
        "锦绣江南一期故障停电，正在抢修。",
        card={"kind": "outage", "title": "故障停电", "rows": [["预计来电", "11月24日 23:00"]], "as_of": AS_OF},
    ),
    "ticket": Outbound(
        "工单DQ26112400001正在处理。",
        card={"kind": "ticket", "title": "工单 DQ26112400001", "rows": [["状态", "处理中"]], "as_of": None},
    ),
    "hall": Outbound(
        "人民路营业厅：人民路1号，9:00-17:00。",
        card={"kind": "hall", "title": "附近营业厅", "rows": [["人民路营业厅", "人民路1号"]], "as_of": None},
    ),
    "usage": Outbound(
        "最近7天用电70千瓦时。",
        card={"kind": "usage", "title": "近日用电", "rows": [["11月23日", "10 千瓦时"]], "as_of": None},
    ),
}


def _golden(name: str, found: Any) -> None:
    file = GOLDEN / f"{name}.json"
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def _picture(url: str) -> str:
    image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
    return f"PNG {image.width}x{image.height}"


@pytest.mark.parametrize("door", [WeChatStage, TelegramStage])
def test_what_a_phone_shows(tmp_path: Path, door: Callable[[str], WeChatStage | TelegramStage]) -> None:
    stage = door(databases.sqlite(tmp_path))

    async def scene() -> None:
        found: dict[str, list[dict[str, Any]]] = {}
        for number, (name, message) in enumerate(MESSAGES.items()):
            recipient = name if isinstance(stage, WeChatStage) else str(stage.platform.person(name))
            whole = Outbound(message.text, message.buttons, message.card, f"1-{number}")
            for part in stage.bridge.channel.parts(whole):
                key = f"{whole.key}-{'picture' if part.card else 'text'}"
                await stage.bridge.channel.send(recipient, replace(part, key=key))
            found[name] = [
                {
                    "text": shown.text,
                    **({"buttons": shown.buttons} if shown.buttons else {}),
                    **({"picture": _picture(shown.picture)} if shown.picture else {}),
                }
                for shown in stage.platform.chats[name]
            ]
        _golden(stage.bridge.channel.name, found)

    play(stage, scene)


def test_what_the_page_is_given(tmp_path: Path) -> None:
    files = Files(tmp_path, "secret")
    at = datetime(2026, 11, 24, 13, 2, tzinfo=UTC)
    _golden(
        "web",
        {
            name: frames.of(Message(2, Speaker.BOT, m.text, m.buttons, at, m.card, delivery=Delivery.QUEUED), files)
            for name, m in MESSAGES.items()
        },
    )


def test_the_newest_month_is_drawn_highest_when_it_is() -> None:
    image = Image.open(io.BytesIO(chart.png([("2026-09", 100.0), ("2026-10", 200.0)]))).convert("RGB")
    places = [(x, y) for x in range(0, 720, 4) for y in range(0, 400, 4)]
    accent = [place for place in places if image.getpixel(place) == (11, 107, 92)]
    soft = [place for place in places if image.getpixel(place) == (159, 207, 198)]
    assert min(y for _, y in accent) < min(y for _, y in soft)
    assert 1.8 < len(accent) / len(soft) < 2.2


def test_every_service_is_within_two_taps_and_fits_wechats_menu() -> None:
    assert len(menu.groups()) <= 3
    for group in menu.groups():
        assert len(group.title.encode()) <= 16 and 1 <= len(group.services) <= 5
        for service in group.services:
            assert len(service.title.encode()) <= 60 and menu.said(service.key) == service.say


async def _tap(text: str) -> list[str]:
    turn = await menu.shortcut(1, text)
    assert turn is not None
    return [button.payload for button in turn.replies[0].buttons]


def test_the_menu_leads_to_every_service_by_taps() -> None:
    async def taps() -> set[str]:
        return {say for group in await _tap("菜单") for say in await _tap(group)}

    assert asyncio.run(taps()) == {service.say for group in menu.groups() for service in group.services}
