"""What the bot says, read from the files and read again when they change: the domain's `utter_*` and `sentences/`."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
FOLDERS = (HERE / "domain", HERE / "sentences")
LOOK_EVERY = 1.0
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

log = logging.getLogger(__name__)

Variants = list[dict[str, Any]]


class Responses:
    """The responses by name, each with its variants as Rasa writes them."""

    def __init__(self, folders: tuple[Path, ...] = FOLDERS) -> None:
        """`folders` hold YAML files with a key `responses`."""
        self._folders = folders
        self._seen: object = None
        self._looked = 0.0
        self._responses: Mapping[str, Variants] = {}

    def now(self) -> Mapping[str, Variants]:
        """As the files say, at most `LOOK_EVERY` seconds old; files that cannot be read leave what was said before."""
        if self._seen is None or time.monotonic() - self._looked > LOOK_EVERY:
            self._look()
        return self._responses

    def _look(self) -> None:
        self._looked = time.monotonic()
        files = [file for folder in self._folders for file in sorted(folder.glob("*.yml"))]
        seen = [(file, (state := file.stat()).st_mtime_ns, state.st_size) for file in files]
        if seen == self._seen:
            return
        first, self._seen = self._seen is None, seen
        try:
            self._responses = read(files)
        except (OSError, ValueError, yaml.YAMLError):
            if first:
                raise
            log.exception("the responses' files cannot be read; what they said before is said on")


def read(files: list[Path]) -> Mapping[str, Variants]:
    """The responses of the files; raises `yaml.YAMLError` or `ValueError` naming a file that has no proper ones."""
    found: dict[str, Variants] = {}
    for file in files:
        responses = (yaml.load(file.read_text("utf-8"), FAST) or {}).get("responses") or {}
        for name, variants in responses.items():
            if not isinstance(variants, list) or not variants or not all(isinstance(v, dict) for v in variants):
                raise ValueError(f"{file.name}: {name} has no list of texts")
            found[name] = variants
    return found
