"""What any version of the dialogue model reads in messages: for evaluation, replay and shadow runs."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot.dialogue import environment
from bot.settings import ROOT, child_environment


class ReaderFailed(RuntimeError):
    """The reader's process ended; the message is the end of what it wrote."""


class Reader:
    """A process of `bot.dialogue.reader` that holds one model, for a `with` block; calls take turns."""

    def __init__(self, model: Path) -> None:
        """`model` is a model.tar.gz. It takes 10 to 20 s until the first reading. The process ends with ours."""
        self._model = model
        self._turns = threading.Lock()

    def __enter__(self) -> Reader:
        """Start the process."""
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [str(environment.VENV / "bin" / "python"), "-m", "bot.dialogue.reader", str(self._model)],
            cwd=ROOT,
            env=child_environment({**environment.QUIET, "OMP_NUM_THREADS": "1"}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def read(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """One reading for each text, in order, as `bot.dialogue.door.read` makes it; raises `ReaderFailed`.

        A live message is read as `bot.rasa.escape` leaves it.
        """
        assert self._process.stdout is not None
        with self._turns:
            # written beside, for a pipe holds less than many texts, and the readings fill another
            writer = threading.Thread(target=self._write, args=(texts,))
            writer.start()
            found = [self._process.stdout.readline() for _ in texts]
            writer.join()
        if not all(found):
            self._process.wait()
            self._errors.seek(0)
            raise ReaderFailed(self._errors.read()[-2000:].decode(errors="replace"))
        return [json.loads(line) for line in found]

    async def read_async(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """`read`, while other work goes on."""
        return await asyncio.to_thread(self.read, texts)

    def _write(self, texts: Sequence[str]) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts))
            self._process.stdin.flush()
