"""The real doccano and the real label-studio-sdk read what we write, and what they write comes back unchanged.

Each lives in an environment of its own, which a first run makes; where it cannot be installed, the test is skipped.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import nlu_data
from bot.settings import ROOT
from nlu_data import Complaint, Utterance
from triage.trainer import exchange

pytestmark = pytest.mark.slow
PEERS = Path(__file__).with_name("peers")
# doccano 1.8.4 names no upper bounds, and does not start with the newest of these
DOCCANO = ("doccano==1.8.4", "marshmallow<4", "setuptools<81", "numpy<2", "scipy<1.13", "scikit-learn<1.5")
LABEL_STUDIO = ("label-studio-sdk==2.1.2",)
SPOKEN: list[exchange.Row] = [
    *list(nlu_data.utterances())[::9],
    Utterance("query_bill", "😭😭[上月](month)电费“=1+1”多少\\n"),
]
WRITTEN: list[exchange.Row] = [
    *list(nlu_data.complaints())[::9],
    Complaint("@电费😭,\"引号\"和\\反斜杠", "billing", "P3", "chat", "=x"),
]  # fmt: skip


def _python(name: str, requirements: tuple[str, ...]) -> str:
    """The Python of an environment that holds exactly these; skips where they cannot be had."""
    venv = ROOT / ".venv-peers" / name
    stamp, wanted = venv / "made-from", "\n".join(requirements)
    python, uv = str(venv / "bin" / "python"), str(Path(sys.executable).with_name("uv"))
    if not stamp.exists() or stamp.read_text() != wanted:
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)],
            [uv, "pip", "install", "--quiet", "--python", python, *requirements],
        ):
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
            if done.returncode != 0:
                pytest.skip(f"{name} cannot be installed here: {done.stderr.strip()[-300:]}")
        stamp.write_text(wanted)
    return python


def _run(*command: object) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


def test_doccano_gives_back_what_it_was_given(tmp_path: Path) -> None:
    python = _python("doccano", DOCCANO)
    arguments = []
    for kind, rows in (("SequenceLabeling", SPOKEN), ("DocumentClassification", WRITTEN)):
        file = tmp_path / f"{kind}.in.jsonl"
        file.write_bytes(exchange.dump("doccano", rows))
        arguments.append(f"{kind}={file}")
    _run(python, PEERS / "doccano_trip.py", tmp_path, *arguments)
    assert exchange.parse("doccano", (tmp_path / "SequenceLabeling.jsonl").read_bytes()) == SPOKEN
    assert exchange.parse("doccano", (tmp_path / "DocumentClassification.jsonl").read_bytes()) == WRITTEN


@pytest.mark.parametrize("rows", [SPOKEN, WRITTEN], ids=["utterances", "complaints"])
def test_label_studios_sdk_accepts_and_gives_back_every_task(tmp_path: Path, rows: list[exchange.Row]) -> None:
    python = _python("label-studio-sdk", LABEL_STUDIO)
    config, tasks, out = tmp_path / "config.xml", tmp_path / "tasks.json", tmp_path / "out.json"
    config.write_text(exchange.config(rows is SPOKEN), "utf-8")
    tasks.write_bytes(exchange.dump("label_studio", rows))
    _run(python, PEERS / "label_studio_trip.py", config, tasks, out)
    assert exchange.parse("label_studio", out.read_bytes()) == rows
