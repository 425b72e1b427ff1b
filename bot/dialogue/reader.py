"""Texts in, readings out, by any dialogue model and beside the live one: for evaluation, replay and shadow runs.

`Reader` belongs to the service; `python -m bot.dialogue.reader MODEL` (3.10) is its process: a JSON text a line in, and
for each a line as `door.read` gives it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.dialogue import environment
from bot.settings import ROOT, child_environment

AT_ONCE = 200


class ReaderFailed(RuntimeError):
    """The reader's process ended; the message holds the end of what it wrote."""


class Reader:
    """A process that holds one model; use it with `with`."""

    def __init__(self, model: Path) -> None:
        """`model` is a model.tar.gz."""
        self._model = model

    def __enter__(self) -> Reader:
        """Start; the first reading waits until the model is loaded (about 10 s)."""
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [str(environment.VENV / "bin" / "python"), "-m", "bot.dialogue.reader", str(self._model)],
            cwd=ROOT,
            env=child_environment(environment.QUIET),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def read(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """One reading for each text, in order: `door.read`'s dict. Raises `ReaderFailed`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        found: list[dict[str, Any]] = []
        for start in range(0, len(texts), AT_ONCE):  # no more than a pipe holds
            batch = texts[start : start + AT_ONCE]
            try:
                self._process.stdin.write("".join(json.dumps(text) + "\n" for text in batch))
                self._process.stdin.flush()
            except BrokenPipeError:
                pass
            for _ in batch:
                line = self._process.stdout.readline()
                if not line:
                    self._process.wait()
                    self._errors.seek(0)
                    raise ReaderFailed(self._errors.read()[-2000:].decode(errors="replace"))
                found.append(json.loads(line))
        return found


async def _read_all(model: str) -> None:
    from rasa.core.agent import Agent

    from bot.dialogue.door import read

    answers, sys.stdout = sys.stdout, sys.stderr  # Rasa prints too
    agent = Agent.load(model)
    for line in sys.stdin:
        parsed = await agent.processor.parse_message(_message(json.loads(line)))
        print(json.dumps(read(parsed)), file=answers, flush=True)


def _message(text: str) -> Any:
    from rasa.core.channels.channel import UserMessage

    return UserMessage(text)


if __name__ == "__main__":
    asyncio.run(_read_all(sys.argv[1]))
