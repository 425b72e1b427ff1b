"""Web sockets go straight to their door: the layers that serve requests would cost every open page 5 kB."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

Door = Callable[[WebSocket], Awaitable[None]]


class Straight:
    """Serves sockets by their path and passes everything else on."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        """Of `routes` the sockets' own with a path without parameters."""
        self._app = app
        self._doors: dict[str, Door] = {
            route.path: route.endpoint
            for route in routes
            if type(route) is WebSocketRoute and not route.param_convertors
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or socket, as ASGI has it."""
        door = self._doors.get(scope["path"]) if scope["type"] == "websocket" else None
        if door is None:
            await self._app(scope, receive, send)
        else:
            await door(WebSocket(scope, receive, send))
