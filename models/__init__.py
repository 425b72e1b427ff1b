"""Where trained models live: versions of a kind, and which of them is current.

`models/<kind>/<version>/` holds a model; `models/<kind>/current` is one line, the version in use, replaced atomically.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parent


class NoModel(LookupError):
    """There is no such model; the message says how to make one."""


class Registry:
    """The versions of one kind of model."""

    def __init__(self, kind: str, root: Path = ROOT) -> None:
        """`kind` is triage, dialogue or encoder."""
        self.folder = root / kind
        self._pointer = self.folder / "current"

    def versions(self) -> list[str]:
        """Every version, oldest name first."""
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir()) if self.folder.exists() else []

    def current(self) -> Path:
        """The folder of the version in use; raises `NoModel`."""
        if self._pointer.exists():
            folder = self.folder / self._pointer.read_text().strip()
            if folder.is_dir():
                return folder
        raise NoModel(f"no current {self.folder.name} model: run `make train`")

    def promote(self, version: str) -> None:
        """Make a version the current one; raises `NoModel` when it does not exist."""
        if not (self.folder / version).is_dir():
            raise NoModel(f"there is no {self.folder.name} model {version!r}; there are {self.versions()}")
        part = self._pointer.with_suffix(".part")
        part.write_text(version + "\n")
        os.replace(part, self._pointer)
