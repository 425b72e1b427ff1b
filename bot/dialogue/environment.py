"""The dialogue environment: finds Python 3.10, installs Rasa from the lock file, trains.

`python -m bot.dialogue.environment [--retrain]`; nothing is done twice.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import yaml

import models
from bot.rasa_process import end_with_parent
from bot.settings import ROOT, child_environment, models_folder, python310
from models import SETUP, Registry, setup

HERE = Path(__file__).parent
VENV = ROOT / ".venv-dialogue"
LOCK = HERE / "requirements.lock"
MODEL_FILE = "model.tar.gz"
TRAINERS = (ROOT / "nlu_data" / "intents", ROOT / "nlu_data" / "lookups")
OURS = (ROOT / "config.yml", HERE / "rules", HERE / "components")
DOMAIN = HERE / "domain"
QUIET = {
    "RASA_TELEMETRY_ENABLED": "false",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
    "PYPINYIN_NO_PHRASES": "true",  # only single characters are asked for; saves 40 MB
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
    stamp, wanted = VENV / ".installed-from", _digest([LOCK])
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


def model(root: Path = models.ROOT) -> Path:
    """The file of the model in use; raises `NoModel`."""
    return Registry("dialogue", root).current() / MODEL_FILE


def train(author: str, root: Path = models.ROOT, output: IO[Any] | None = None) -> str:
    """Make a version from the data as they are and return its name; it is not put in use.

    Rasa runs in the caller's process group, on one core and no higher priority than the caller's, and ends with it;
    what it tells goes to `output`, or to models/dialogue/training.log. Raises `CalledProcessError`.
    """
    registry = Registry("dialogue", root)
    begun, created = time.monotonic(), datetime.now(ZoneInfo("Asia/Shanghai"))
    card = {
        "version": f"{created:%Y%m%d-%H%M%S}",
        "created": created.isoformat(timespec="seconds"),
        "author": author,
        "source": source(),
        "code": code(),
        "data_sha256": _digest(_files(TRAINERS)),
        "config": yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8")),
        "metrics": {},
    }
    with registry.workplace() as place, (registry.folder / "training.log").open("w+b") as log:
        # forced, for Rasa's cache does not notice that a component's code has changed
        process = subprocess.run(
            [
                *(str(VENV / "bin" / "rasa"), "train", "--force", "--skip-validation", "--config", "config.yml"),
                *("--domain", "bot/dialogue/domain", "--data", "nlu_data/intents", "bot/dialogue/rules"),
                *("--out", str(place / "made"), "--fixed-model-name", MODEL_FILE.removesuffix(".tar.gz")),
            ],
            cwd=ROOT,
            env=child_environment({**QUIET, "OMP_NUM_THREADS": "1"}),
            stdout=output or log,
            stderr=output or log,
            preexec_fn=end_with_parent,
        )
        if process.returncode != 0 or not (place / "made" / MODEL_FILE).exists():
            log.seek(0)
            print(log.read().decode(errors="replace")[-3000:], file=sys.stderr)
            raise subprocess.CalledProcessError(process.returncode or 1, "rasa train")
        return registry.add(place / "made", {**card, "seconds": round(time.monotonic() - begun, 1)})


def source() -> str:
    """SHA-256 of all that a model is made from."""
    return hashlib.sha256(f"{_digest(_files(TRAINERS))} {code()}".encode()).hexdigest()


def code() -> str:
    """SHA-256 of what the service relies on in a model: rules, actions, slots and code, but no response's wording."""
    digest = hashlib.sha256(_digest(_files(OURS)).encode())
    for file in _files([DOMAIN]):
        domain = yaml.safe_load(file.read_text(encoding="utf-8"))
        digest.update(json.dumps({**domain, "responses": sorted(domain.get("responses") or ())}).encode())
    return digest.hexdigest()


def serve_command(port: int, model: Path) -> list[str]:
    """What starts Rasa on loopback; `ACTIONS_URL` and `ACTIONS_TOKEN` must be in its environment."""
    return [
        *(str(VENV / "bin" / "python"), "-m", "bot.dialogue.serve", "run", "--enable-api"),
        *("-i", "127.0.0.1", "-p", str(port), "--model", str(model)),
        *("--credentials", str(HERE / "credentials.yml"), "--endpoints", str(HERE / "endpoints.yml")),
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


def _files(sources: Iterable[Path]) -> Iterator[Path]:
    for source in sources:
        if source.is_file():
            yield source
        else:
            yield from sorted(p for p in source.rglob("*") if p.suffix in {".yml", ".txt", ".py"})


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def prepare(again: bool = False, root: Path = models.ROOT) -> Path:
    """Everything the dialogue process needs; returns the file of the model in use, trained anew if asked for."""
    install()
    registry = Registry("dialogue", root)
    for left in registry.folder.glob("*.tar.gz"):  # as models were kept before there were versions
        left.unlink()
    print("[3/4] The dialogue model; training one takes about a minute ...", flush=True)
    return setup.ensure(registry, source(), code(), lambda: train(SETUP, root), again) / MODEL_FILE


if __name__ == "__main__":
    try:
        prepare("--retrain" in sys.argv, models_folder())
    except (NoPython, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
