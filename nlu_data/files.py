"""Changes of files that people keep: one at a time, checked before, all of them or none.

A change holds the folder's lock. New contents are written beside the files; once a journal names them all, the change
is made, and whoever comes next completes it if its process ends there.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LOCK = ".lock"
JOURNAL = ".journal"
NEW = ".new"
WAIT = 30.0


class Busy(TimeoutError):
    """Somebody else has been changing the files for longer than `WAIT` seconds."""


class Change:
    """What one change reads, and what it wants written."""

    def __init__(self, root: Path) -> None:
        """`root`: the folder that holds every file of the change."""
        self.root = root
        self._wanted: dict[Path, str] = {}

    def read(self, file: Path) -> str:
        """A file's text with its own line ends, as this change left it; empty when there is no such file."""
        if file in self._wanted:
            return self._wanted[file]
        return file.read_bytes().decode("utf-8") if file.exists() else ""

    def write(self, file: Path, text: str) -> None:
        """What the file shall hold when the change is done."""
        self._wanted[file] = text

    def commit(self) -> None:
        """Replace every file whose text is another now."""
        different = {file: text for file, text in self._wanted.items() if text != _stored(file)}
        if not different:
            return
        for file, text in different.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            _put(_beside(file), text.encode("utf-8"))
        names = [file.relative_to(self.root).as_posix() for file in different]
        part = self.root / f"{JOURNAL}{NEW}"
        _put(part, json.dumps(names).encode())
        os.replace(part, self.root / JOURNAL)
        complete(self.root)


@contextmanager
def changing(root: Path) -> Iterator[Change]:
    """Make one change of files under `root`: written when the block ends, not at all when it raises.

    Blocks while another change is made; raises `Busy` after `WAIT` seconds.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / LOCK).open("a") as lock:
        _take(lock)
        complete(root)
        change = Change(root)
        yield change
        change.commit()


def complete(root: Path) -> None:
    """Finish a change whose journal was written; clear away one that was not. The lock must be held."""
    journal = root / JOURNAL
    if journal.exists():
        for name in json.loads(journal.read_bytes()):
            file = root / name
            if _beside(file).exists():
                os.replace(_beside(file), file)
        journal.unlink()
    else:
        for left in root.rglob(f".*{NEW}"):
            left.unlink()


def _take(lock: IO[str]) -> None:
    until = time.monotonic() + WAIT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise Busy(f"另有人正在修改，已等待{WAIT:.0f}秒，请稍后再试") from None
            time.sleep(0.02)


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name}{NEW}")


def _stored(file: Path) -> str | None:
    return file.read_bytes().decode("utf-8") if file.exists() else None


def _put(file: Path, content: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
