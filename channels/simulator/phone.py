"""The phone page that both platforms show: what was said, what was answered, and the fault switches."""

from __future__ import annotations

import base64
import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

PAGE = Path(__file__).with_name("phone.html")


@dataclass
class Shown:
    """One bubble; `buttons` are [title, data] pairs, `picture` a data URL."""

    who: str
    text: str
    buttons: list[list[str]] = field(default_factory=list)
    picture: str = ""
    key: str = ""
    at: float = field(default_factory=time.time)


def shown_file(content: bytes, mime: str, name: str, caption: str = "") -> Shown:
    """The bubble of a file that a person sent."""
    if mime.startswith("image/"):
        return Shown("me", caption, picture=f"data:{mime};base64,{base64.b64encode(content).decode()}")
    return Shown("me", f"[{'语音' if mime.startswith('audio/') else '文件'}] {name} {caption}".strip())


def given_file(body: dict[str, str]) -> tuple[bytes, str, str]:
    """Content, type and name of a file as the page gives it."""
    return base64.b64decode(body["data"]), body["mime"], body["name"]


Say = Callable[[str, dict[str, Any]], Awaitable[None]]


PLACE = {"name": "云溪区锦绣江南", "latitude": 30.27, "longitude": 120.15}
Menu = Sequence[tuple[str, Sequence[tuple[str, dict[str, Any]]]]]


def phone_routes(
    title: str, chats: dict[str, list[Shown]], faults: Any, say: Say, menu: Callable[[], Menu]
) -> list[BaseRoute]:
    """`/phone` and what its page calls; `faults` is a dataclass whose fields are the switches.

    `menu` has groups of titles with what `say` is given for a tap on them.
    """

    async def page(request: Request) -> Response:
        return FileResponse(PAGE)

    async def state(request: Request) -> Response:
        user = request.query_params.get("user", "")
        return JSONResponse(
            {
                "title": title,
                "messages": [dataclasses.asdict(shown) for shown in chats.get(user, [])],
                "faults": dataclasses.asdict(faults),
                "menu": menu(),
            }
        )

    async def speak(request: Request) -> Response:
        body = await request.json()
        await say(str(body.pop("user")), body)
        return JSONResponse({})

    async def switch(request: Request) -> Response:
        known = {field.name: type(getattr(faults, field.name)) for field in dataclasses.fields(faults)}
        for name, value in (await request.json()).items():
            if name not in known:
                return JSONResponse({"error": f"no fault {name}"}, status_code=422)
            setattr(faults, name, known[name](value))
        return JSONResponse(dataclasses.asdict(faults))

    return [
        Route("/", page),
        Route("/phone/state", state),
        Route("/phone/say", speak, methods=["POST"]),
        Route("/phone/faults", switch, methods=["POST"]),
    ]
