"""What a customer sent is read in a process of its own with little time and memory, since a bad file may never end.

`program.py` runs without our packages; the other files each tell it how one kind is read: `kept(content)`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SECONDS = 30


def bare_pdf(content: bytes) -> bytes:
    """The pages alone; pictures within them stay as they are. Raises `ValueError` for what cannot be read."""
    return _read("pdf", content)


def playable_voice(content: bytes) -> bytes:
    """AMR, which no browser plays, as Opus in Ogg; raises `ValueError` for what cannot be read."""
    return _read("amr", content)


def _read(kind: str, content: bytes) -> bytes:
    command = [sys.executable, "-I", str(HERE / "program.py"), kind]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"the {kind} takes too long to read") from error
    if done.returncode or not done.stdout:
        raise ValueError(f"the {kind} cannot be read: {done.stderr[-200:].decode(errors='replace')}")
    return done.stdout
