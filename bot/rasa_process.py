"""The Rasa process: started beside the service on loopback, watched, restarted when it ends, stopped with it."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
STOP_WITHIN = 10.0
PR_SET_PDEATHSIG = 1

log = logging.getLogger(__name__)


class RasaProcess:
    """Keeps one command running; its output goes to a file."""

    def __init__(self, command: Callable[[], Sequence[str]], environment: Mapping[str, str], output: Path) -> None:
        """`command` is asked for before each start, `output` overwritten at each."""
        self._command = command
        self._environment = environment
        self._output = output

    async def run(self) -> None:
        """Run until cancelled; a process that ends is started again after 1, 2, 4 … at most 30 seconds."""
        wait = FIRST_WAIT
        while True:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            with self._output.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *self._command(),
                    env=self._environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    preexec_fn=end_with_parent,
                )
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:
                    await _stop(process)
            if loop.time() - begun > LONGEST_WAIT:
                wait = FIRST_WAIT
            log.error("Rasa ended with %s (see %s); starting it again in %g s", code, self._output, wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)


def end_with_parent() -> None:
    """Called in a child: on Linux it gets SIGTERM when its parent is killed, so that a restart finds the port free."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
