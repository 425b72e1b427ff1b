"""The dialogue environment: finds Python 3.10, installs Rasa from the lock file; what starts Rasa and trains it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bot.settings import ROOT, python310

HERE = Path(__file__).parent
VENV = ROOT / ".venv-dialogue"
LOCK = HERE / "requirements.lock"
KEPT_OPEN = 75
"""Seconds that the service and Rasa keep an idle connection: longer than who calls (15 and 5 seconds), for a call that
meets the closing of its connection is lost, and with it the answer."""
QUIET = {
    "RASA_TELEMETRY_ENABLED": "false",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
    "PYPINYIN_NO_PHRASES": "true",  # only single characters are asked for; saves 40 MB
    "SANIC_KEEP_ALIVE_TIMEOUT": str(KEPT_OPEN),
    "PYTHONPATH": str(ROOT),
}


class NoPython(RuntimeError):
    """No runnable Python 3.10; the message says what to do."""


def find_python() -> str:
    """A Python 3.10 that really runs: PYTHON310's, one on the PATH, of pyenv, or one that uv finds or fetches."""
    if (named := python310()) is not None:
        if _runs(named):
            return named
        raise NoPython(f"PYTHON310 is {named!r}, which is not a runnable Python 3.10")
    for candidate in _candidates():
        if _runs(candidate):
            return candidate
    uv = _uv()
    for verb in ("find", "install"):
        print(f"  no Python 3.10 found so far: uv python {verb} 3.10 ...", flush=True)
        subprocess.run([uv, "python", verb, "3.10"], capture_output=True)
        found = subprocess.run([uv, "python", "find", "3.10"], capture_output=True, text=True).stdout.strip()
        if found and _runs(found):
            return found
    raise NoPython(
        "Rasa needs Python 3.10 and none was found: install it (pyenv install 3.10, or your system's python3.10) "
        "or name it with PYTHON310=/path/to/python3.10"
    )


def install() -> None:
    """Make `.venv-dialogue` hold exactly the lock file; raises `NoPython` or `CalledProcessError`."""
    stamp, wanted = VENV / ".installed-from", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("[2/4] Installing the dialogue environment (Rasa on Python 3.10, 2 GB) ...", flush=True)
    uv, begun = _uv(), time.monotonic()
    if not _runs(str(VENV / "bin" / "python")):
        python = find_python()
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([uv, "venv", "--quiet", "--python", python, str(VENV)], check=True)
    # the lock was resolved with overrides that pip's resolver would refuse: install it as it stands
    subprocess.run(
        [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--python", str(VENV / "bin" / "python"), str(LOCK)],
        check=True,
    )
    stamp.write_text(wanted)
    print(f"      done in {time.monotonic() - begun:.0f} s", flush=True)


def serve_command(port: int, model: Path) -> list[str]:
    """What starts Rasa on loopback; `ACTIONS_URL` and `ACTIONS_TOKEN` must be in its environment."""
    return [
        *(str(VENV / "bin" / "python"), "-m", "bot.dialogue.serve", "run", "--enable-api"),
        *("-i", "127.0.0.1", "-p", str(port), "--model", str(model)),
        *("--credentials", str(HERE / "credentials.yml"), "--endpoints", str(HERE / "endpoints.yml")),
    ]


def train_command(folder: Path, name: str) -> list[str]:
    """What makes `folder`/`name`.tar.gz from the data as they are."""
    return [
        # forced, for Rasa's cache does not notice that a component's code has changed
        *(str(VENV / "bin" / "rasa"), "train", "--force", "--skip-validation", "--config", "config.yml"),
        *("--domain", "bot/dialogue/domain", "--data", "nlu_data/intents", "bot/dialogue/rules"),
        *("--out", str(folder), "--fixed-model-name", name),
    ]


def _candidates() -> Iterator[str]:
    if (on_path := shutil.which("python3.10")) is not None:
        yield on_path
    for root in (Path.home() / ".pyenv", Path("/opt/pyenv"), Path("/usr/local/pyenv")):
        for found in sorted(root.glob("versions/3.10*/bin/python3.10"), reverse=True):
            yield str(found)


def _runs(python: str) -> bool:
    try:
        done = subprocess.run(
            [python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == b"(3, 10)"


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else (shutil.which("uv") or "uv")
