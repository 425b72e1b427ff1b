"""Where trained models live: versions of a kind, which of them is in use, and who decided that.

    models/<kind>/<version>/card.json   beside the model's own files: see `Registry.card`
    models/<kind>/current               one line, the version in use
    models/<kind>/history.jsonl         one line for each change of it, only ever added to

A change is written to the history first and to `current` after it; whoever comes next completes what a crash left
between the two.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
KINDS = ("dialogue", "triage")
KEPT = 10
SETUP = "setup"


class NoModel(LookupError):
    """There is no such model; the message says how to make one."""


@dataclass(frozen=True)
class Change:
    """One line of the history: at the ISO time `at`, `author` made `version` the one in use.

    `kind` is promote or rollback; `why` is the author's reason, as when a worse model is wanted all the same.
    """

    at: str
    version: str
    author: str
    kind: str
    why: str = ""


class Registry:
    """The versions of one kind of model; any number of processes may use it at once."""

    def __init__(self, kind: str, root: Path = ROOT) -> None:
        """`kind` is triage or dialogue."""
        self.kind = kind
        self.folder = root / kind
        self._pointer = self.folder / "current"
        self._history = self.folder / "history.jsonl"

    def versions(self) -> list[str]:
        """Every version, oldest first."""
        made = []
        for file in self.folder.glob("[!.]*/card.json"):
            with suppress(OSError, ValueError):  # another process may let go of it meanwhile
                made.append((str(json.loads(file.read_text(encoding="utf-8"))["created"]), file.parent.name))
        return [version for _, version in sorted(made)]

    def card(self, version: str) -> dict[str, Any]:
        """What is known of a version; raises `NoModel`.

        `version`, `created` (ISO time), `author`, `data_sha256`, `config` and `metrics`, a free mapping; `source` and
        `code` are what `models.setup` goes by. A kind may add keys of its own.
        """
        try:
            found: dict[str, Any] = json.loads((self.path(version) / "card.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise NoModel(
                f"{self.path(version) / 'card.json'} cannot be read ({error}): train the model anew"
            ) from None
        return found

    def path(self, version: str) -> Path:
        """The folder of a version; raises `NoModel`."""
        folder = self.folder / version
        if folder.parent != self.folder or version.startswith(".") or not (folder / "card.json").is_file():
            raise NoModel(f"there is no {self.kind} model {version!r}; there are {self.versions()}")
        return folder

    def current(self) -> Path:
        """The folder of the version in use; raises `NoModel`."""
        last = self._last()
        if last is not None and last.version != self._pointed():
            with self._locked():
                pass
        version = self._pointed()
        if version is not None and (self.folder / version / "card.json").is_file():
            return self.folder / version
        raise NoModel(f"no current {self.kind} model: run `make train`")

    def add(self, folder: Path, card: Mapping[str, Any]) -> str:
        """Take a finished model's folder into the registry, with its card, and return its version.

        That is the card's `version`, or `version`-2, -3 … when the name is taken. `folder` is moved, so it must lie on
        the same disk, as a `workplace` does. All but the newest `KEPT` versions, the one in use and the one before it
        are let go.
        """
        with self._locked():
            version, number = str(card["version"]), 1
            while (self.folder / version).exists():
                number += 1
                version = f"{card['version']}-{number}"
            _write(folder / "card.json", json.dumps({**card, "version": version}, ensure_ascii=False, indent=1) + "\n")
            folder.rename(self.folder / version)
            self._prune()
        return version

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """An empty folder in which a model may be made; what is left of it, or of one a day old, is removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(".making-*"):
            if time.time() - left.stat().st_mtime > 86400:
                shutil.rmtree(left, ignore_errors=True)
        place = Path(tempfile.mkdtemp(prefix=".making-", dir=self.folder))
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def measured(self, version: str, metrics: Mapping[str, Any]) -> None:
        """Add to the metrics on a version's card; raises `NoModel`."""
        with self._locked():
            card = self.card(version)
            card["metrics"] = {**card.get("metrics", {}), **metrics}
            _write(self.path(version) / "card.json", json.dumps(card, ensure_ascii=False, indent=1) + "\n")

    def promote(self, version: str, author: str, why: str = "") -> Change:
        """Make a version the one in use; raises `NoModel` when it does not exist."""
        with self._locked():
            self.path(version)
            return self._change(version, author, "promote", why)

    def rollback(self, author: str, why: str = "") -> Change:
        """Undo the last promotion that was not undone yet; raises `NoModel` when nothing came before it."""
        with self._locked():
            before = self._before()
            if before is None:
                raise NoModel(f"no {self.kind} model was in use before {self._pointed()!r}")
            return self._change(before, author, "rollback", why)

    def before(self) -> str | None:
        """Where `rollback` would go."""
        with self._locked():
            return self._before()

    def history(self) -> list[Change]:
        """Every change, oldest first; a line that a crash cut off is no change."""
        found = []
        for line in self._history.read_bytes().split(b"\n") if self._history.exists() else ():
            with suppress(ValueError):
                found.append(Change(**json.loads(line)))
        return found

    def _last(self) -> Change | None:
        found = self.history()
        return found[-1] if found else None

    def _pointed(self) -> str | None:
        try:
            return self._pointer.read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def _stack(self) -> list[str]:
        """Versions in use, one upon the other: a promotion lays one on top, a rollback takes it off."""
        stack: list[str] = []
        for change in self.history():
            if change.kind == "rollback":
                while stack and stack[-1] != change.version:
                    stack.pop()
            if not stack or stack[-1] != change.version:
                stack.append(change.version)
        return stack

    def _before(self) -> str | None:
        stack, pointed = self._stack(), self._pointed()
        return next((v for v in reversed(stack[:-1]) if v != pointed and (self.folder / v).is_dir()), None)

    def _change(self, version: str, author: str, kind: str, why: str) -> Change:
        change = Change(datetime.now(UTC).isoformat(timespec="milliseconds"), version, author, kind, why)
        torn = self._history.exists() and not self._history.read_bytes().endswith(b"\n")
        with self._history.open("ab") as file:
            file.write(b"\n" * torn + json.dumps(asdict(change), ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _write(self._pointer, version + "\n")
        return change

    def _prune(self) -> None:
        for version in self.versions()[:-KEPT]:
            if version not in (self._pointed(), self._before()):
                gone = self.folder / ".gone"
                shutil.rmtree(gone, ignore_errors=True)
                (self.folder / version).rename(gone)
                shutil.rmtree(gone)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time, on this machine; what a crash interrupted is completed first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            last = self._last()
            if last is not None and last.version != self._pointed():
                _write(self._pointer, last.version + "\n")
            yield


def _write(file: Path, text: str) -> None:
    """All or nothing, and on the disk before it is seen."""
    part = file.with_name(file.name + ".part")
    with part.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(part, file)
