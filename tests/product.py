"""The whole product as its users start it: `python -m bot` with a real Rasa, on ports and a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from bot.settings import free_port

ROOT = Path(__file__).parents[1]
PASSWORD = "desk-of-the-tests"
READY_WITHIN = 300


def own_tree(to: Path) -> Path:
    """A copy of the project with its models, to be changed by whoever runs the product from there."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout
    for name in names.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)
    (to / ".venv-dialogue").symlink_to(ROOT / ".venv-dialogue")
    for kind in ("dialogue", "triage"):
        current = (ROOT / "models" / kind / "current").read_text().strip()
        shutil.copytree(ROOT / "models" / kind / current, to / "models" / kind / current)
        for file in (ROOT / "models" / kind / name for name in ("current", "history.jsonl")):
            if file.exists():
                shutil.copyfile(file, to / "models" / kind / file.name)
    return to


class Product:
    """Started, killed and started again over the same database; from another `root` than the checkout, if given."""

    def __init__(self, folder: Path, root: Path = ROOT, /, **environment: str) -> None:
        self._root = root
        self.port, self.rasa_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self._environment = {
            **os.environ,
            "PORT": str(self.port),
            "RASA_PORT": str(self.rasa_port),
            "VAR_DIR": str(folder),
            "ADMIN_PASSWORD": PASSWORD,
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, wait_for: str = "/readyz") -> None:
        with (self.folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot"],
                cwd=self._root,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}{wait_for}", timeout=3).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if self._process.poll() is not None:
                break
            time.sleep(0.3)
        raise AssertionError(f"not ready:\n{(self.folder / 'service.log').read_text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL to the service alone; Rasa is left to the tidying."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        self.sweep()

    def sweep(self) -> None:
        """Nothing of ours outlives the test."""
        assert self._process is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


class Customer:
    """Talks over the long-poll door."""

    def __init__(self, product: Product) -> None:
        self._http = httpx.Client(base_url=product.url, timeout=30)
        self.token: str = self._enter()
        self.after = 0
        self.owner = "bot"
        self.seen: list[dict[str, Any]] = []

    def _enter(self) -> str:
        """A new identity; one address gets only so many a minute, and all the tests come from one."""
        while (answer := self._http.post("/chat/session")).status_code == 429:
            time.sleep(1)
        token: str = answer.json()["token"]
        return token

    def post(self, id: str, text: str, payload: str | None = None) -> dict[str, Any]:
        kind = {"type": "message", "text": text} if payload is None else {"type": "button", "payload": payload}
        answer = self._http.post(f"/chat/messages?token={self.token}", json={**kind, "id": id})
        found: dict[str, Any] = answer.json()
        return found

    def look(self, wait: float = 0) -> list[dict[str, Any]]:
        answer = self._http.get(f"/chat/messages?token={self.token}&after={self.after}&wait={wait}")
        fresh = [frame for frame in answer.json()["messages"] if frame["type"] == "message"]
        for frame in answer.json()["messages"]:
            if frame["type"] == "owner":
                self.owner = frame["owner"]
        if fresh:
            self.after = fresh[-1]["seq"]
            self.seen += fresh
        return fresh

    def ask(self, text: str, payload: str | None = None, within: float = 10) -> list[dict[str, Any]]:
        """Say it and return what was answered, in order."""
        assert self.post(uuid.uuid4().hex, text, payload)["type"] == "ack"
        until, answers = time.monotonic() + within, list[dict[str, Any]]()
        while time.monotonic() < until:
            answers += [frame for frame in self.look(0.3) if frame["from"] != "customer"]
            if answers:
                time.sleep(0.2)
                return answers + [frame for frame in self.look() if frame["from"] != "customer"]
        return answers

    def hear(self, text: str) -> str:
        """The answers to `text` as one text."""
        return "\n".join(frame["text"] for frame in self.ask(text))
