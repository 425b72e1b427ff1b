"""The dialogue model: which version is in use, how one is made from the data, what it is made from.

`python -m bot.dialogue_model [--retrain]` installs the environment and trains what is missing; nothing is done twice.
"""

from __future__ import annotations

import hashlib
import json
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
from bot.dialogue import environment
from bot.rasa_process import end_with_parent
from bot.settings import ROOT, child_environment, models_folder
from models import SETUP, Registry, setup

MODEL_FILE = "model.tar.gz"
TRAINERS = (ROOT / "nlu_data" / "intents", ROOT / "nlu_data" / "lookups")
OURS = (ROOT / "config.yml", environment.HERE / "rules", environment.HERE / "components")
DOMAIN = environment.HERE / "domain"


def current(root: Path = models.ROOT) -> Path:
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
        process = subprocess.run(
            environment.train_command(place / "made", MODEL_FILE.removesuffix(".tar.gz")),
            cwd=ROOT,
            env=child_environment({**environment.QUIET, "OMP_NUM_THREADS": "1"}),
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


def prepare(again: bool = False, root: Path = models.ROOT) -> Path:
    """Everything the dialogue process needs; returns the file of the model in use, trained anew if asked for."""
    environment.install()
    registry = Registry("dialogue", root)
    for left in registry.folder.glob("*.tar.gz"):  # as models were kept before there were versions
        left.unlink()
    print("[3/4] The dialogue model; training one takes about a minute ...", flush=True)
    return setup.ensure(registry, source(), code(), lambda: train(SETUP, root), again) / MODEL_FILE


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


if __name__ == "__main__":
    try:
        prepare("--retrain" in sys.argv, models_folder())
    except (environment.NoPython, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
