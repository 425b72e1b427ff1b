import asyncio
import os
import signal
import sys
from pathlib import Path

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
        running = asyncio.create_task(RasaProcess([sys.executable, "-c", script], {}, output).run())
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
