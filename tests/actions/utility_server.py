"""A utility's systems on a real socket, speaking the contract from a sample city; it can also fail."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from actions.systems_sample import SampleSystems
from bot.settings import free_port

TOKEN = "token-of-the-tests"


def plain(value: Any) -> Any:
    """As contracts.md writes it: exact numbers and times as strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return value


def _query(request: Request, name: str) -> str:
    return request.query_params.get(name, "")


class UtilityServer:
    """Runs in a thread; `fault` is None, "500", "garbage", "wrong" or "hang"."""

    def __init__(self, systems: SampleSystems) -> None:
        self.fault: str | None = None
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"

        def route(path: str, answer: Callable[[Request], Awaitable[Any]], method: str = "GET") -> Route:
            async def respond(request: Request) -> Response:
                if request.headers.get("authorization") != f"Bearer {TOKEN}":
                    return JSONResponse({"error": "token"}, status_code=401)
                match self.fault:
                    case "500":
                        return JSONResponse({}, status_code=500)
                    case "garbage":
                        return Response("<html>", media_type="text/html")
                    case "wrong":
                        return JSONResponse([{"month": "2026-10", "amount": 12.5}])
                    case "hang":
                        await asyncio.sleep(3)
                found = await answer(request)
                return JSONResponse({}, status_code=404) if found is None else JSONResponse(plain(found))

            return Route(path, respond, methods=[method])

        async def bills(request: Request) -> Any:
            months = int(request.query_params["months"])
            return await systems.bills(request.path_params["no"], months) or None

        async def usage(request: Request) -> Any:
            days = [date.fromisoformat(request.query_params[name]) for name in ("from", "to")]
            return await systems.usage(request.path_params["no"], *days)

        async def report(request: Request) -> Any:
            body = await request.json()
            return {"report_no": await systems.report_fault(**{"account_no": None, "area_id": None, **body})}

        routes = [
            route("/accounts/{no}", lambda r: systems.account(r.path_params["no"])),
            route("/accounts/{no}/bills", bills),
            route("/accounts/{no}/usage", usage),
            route("/accounts/{no}/payments", lambda r: systems.payments(r.path_params["no"])),
            route("/areas", lambda r: systems.areas(_query(r, "query"))),
            route("/outages", lambda r: systems.outages(_query(r, "area_id"))),
            route("/halls", lambda r: systems.halls(_query(r, "city"), _query(r, "near"))),
            route("/charging-stations", lambda r: systems.charging_stations(_query(r, "near"))),
            route("/fault-reports", report, "POST"),
        ]
        config = uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="error")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            threading.Event().wait(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(5)
