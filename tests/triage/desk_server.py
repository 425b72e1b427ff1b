"""The desk's API and page over the stage's queue, served on a port: a real browser needs no Rasa for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from bot.settings import free_port
from models import ROOT
from tests.triage.stage import PASSWORD, Stage
from triage.desk.auth import Role

T = TypeVar("T")
BILLS = (("2026-10", "172.46"), ("2026-09", "203.10"), ("2026-08", "318.75"), ("2026-07", "296.02"))


class FurnishedStage(Stage):
    """A stage whose utility knows bills, arrears and a fault."""

    async def _records(self, account_no: str) -> Mapping[str, Any]:
        at = self.now.isoformat()
        return {
            "account": {
                "kind": "postpaid", "status": "normal", "balance": "-172.46", "arrears": "172.46", "as_of": at,
            },
            "bills": [{"month": m, "kwh": "293.3", "amount": a, "paid": m != "2026-10"} for m, a in BILLS],
            "outages": [
                {
                    "kind": "fault", "reason": "配变故障", "starts_at": at, "crew": "repairing", "restored_at": None,
                    "ends_at": (self.now + timedelta(hours=2)).isoformat(), "as_of": at,
                }
            ],
            "unchecked": [],
        }  # fmt: skip


class DeskServer:
    """Runs the stage on a thread of its own; `do` runs a scene there and returns what it returned."""

    def __init__(self, url: str, models: Path = ROOT, **folders: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.stage = self.do(self._set_up(url, models, **folders))
        self._server = uvicorn.Server(
            uvicorn.Config(self.stage.app, port=port, log_level="error", timeout_graceful_shutdown=1)
        )
        self._serving = asyncio.run_coroutine_threadsafe(self._server.serve(), self._loop)
        until = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < until and not self._serving.done(), "the desk did not start"
            time.sleep(0.02)

    async def _set_up(self, url: str, models: Path, **folders: Path) -> FurnishedStage:
        stage = FurnishedStage(url, models, **folders)
        await stage.database.migrate()
        await stage.desk.writing.ensure_canned()
        stage.now = datetime.now(UTC)
        for name, role in (("admin", Role.ADMIN), ("li", Role.AGENT), ("wang", Role.AGENT)):
            await stage.users.add(name, PASSWORD, role, None)
        return stage

    def do(self, scene: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(scene, self._loop).result(120)

    def stop(self) -> None:
        self._server.should_exit = True
        self._serving.result(20)
        self.do(self.stage.conversations.settle())
        self.do(self.stage.database.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
