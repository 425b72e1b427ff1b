import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.rasa_process import RasaProcess


def test_a_process_that_dies_is_started_again_and_stopped_with_us(tmp_path: Path) -> None:
    starts, output = tmp_path / "starts", tmp_path / "output"
    script = (
        f"import os, time; open({str(starts)!r}, 'a').write(f'{{os.getpid()}}\\n');"
        "print('ready', flush=True); time.sleep(60)"
    )

    def pids() -> list[int]:
        return [int(line) for line in starts.read_text().split()] if starts.exists() else []

    async def scene() -> None:
        running = asyncio.create_task(RasaProcess(lambda: [sys.executable, "-c", script], {}, output).run())
        async with asyncio.timeout(20):
            while len(pids()) < 1:
                await asyncio.sleep(0.05)
            os.kill(pids()[0], signal.SIGKILL)
            while len(pids()) < 2:
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert not Path(f"/proc/{pids()[1]}").exists()

    asyncio.run(scene())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its killed parent")
def test_a_killed_service_takes_rasa_with_it(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys; from bot.rasa_process import RasaProcess;"
        "child = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)';"
        f"output = pathlib.Path({str(tmp_path / 'output')!r});"
        "asyncio.run(RasaProcess(lambda: [sys.executable, '-c', child], {}, output).run())"
    )
    service = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    until = time.monotonic() + 30
    while not (told := _read(tmp_path / "output")) and time.monotonic() < until:
        time.sleep(0.05)
    service.kill()
    service.wait()
    while Path(f"/proc/{int(told)}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{int(told)}").exists()


def _read(file: Path) -> str:
    return file.read_text() if file.exists() else ""
