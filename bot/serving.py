"""A running product: the service on its port and Rasa beside it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager

import uvicorn

from bot import dialogue_model
from bot.app import Bridge, actions_token, build
from bot.dialogue import environment
from bot.rasa_process import RasaProcess
from bot.settings import child_environment

STOP_WITHIN = 3
MOST_BYTES = 128 * 1024


class _Server(uvicorn.Server):
    """Ends on Ctrl-C or SIGTERM without raising the signal again, so that Rasa is stopped in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """While the block runs, either signal asks the server to end; a second one ends it at once."""
        loop, ending = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
        for one in ending:
            loop.add_signal_handler(one, self.handle_exit, one, None)
        try:
            yield
        finally:
            for one in ending:
                loop.remove_signal_handler(one)


async def serve(bridge: Bridge, *beside: Coroutine[None, None, None]) -> None:
    """The service, `beside` it what else is to run and, unless RASA_URL names another, Rasa; until Ctrl-C."""
    settings = bridge.settings
    server = _Server(
        uvicorn.Config(
            build(bridge),
            host=settings.host,
            port=settings.port,
            log_level="warning",
            access_log=False,
            ws="websockets-sansio",
            # compression would cost each socket more memory than all else together
            ws_per_message_deflate=False,
            ws_max_size=MOST_BYTES,
            timeout_keep_alive=environment.KEPT_OPEN,
            timeout_graceful_shutdown=STOP_WITHIN,
        )
    )
    tasks = [asyncio.create_task(one) for one in beside]
    if settings.rasa_url is None:
        child = child_environment(
            {
                **environment.QUIET,
                "ACTIONS_URL": f"http://127.0.0.1:{settings.port}/actions",
                "ACTIONS_TOKEN": actions_token(settings.secret_key),
            }
        )

        def command() -> list[str]:
            return environment.serve_command(settings.rasa_port, dialogue_model.current(settings.models))

        tasks.append(asyncio.create_task(RasaProcess(command, child, settings.var / "rasa.log").run()))
    try:
        await server.serve()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
