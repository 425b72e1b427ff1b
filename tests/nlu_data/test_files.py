"""All of a change or none of it, whatever ends the process; one change at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nlu_data.files import JOURNAL, changing

ROOT = Path(__file__).parents[2]
KILLED_AT = """
import os, signal, sys
from pathlib import Path
from nlu_data import files
root, step, calls = Path(sys.argv[1]), int(sys.argv[2]), 0
def dying(call):
    def counted(*args):
        global calls
        calls += 1
        if calls == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args)
    return counted
files._put, files.os.replace = dying(files._put), dying(files.os.replace)
with files.changing(root) as change:
    change.write(root / "a.txt", "新a")
    change.write(root / "sub" / "b.txt", "新b")
"""
ADDER = """
import sys
from pathlib import Path
from nlu_data.files import changing
root, who = Path(sys.argv[1]), sys.argv[2]
for number in range(20):
    with changing(root) as change:
        change.write(root / "a.txt", change.read(root / "a.txt") + f"{who} {number}\\n")
"""


def _run(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


@pytest.mark.parametrize("step", range(1, 8))
def test_a_process_killed_at_any_step_leaves_all_or_nothing(tmp_path: Path, step: int) -> None:
    (tmp_path / "sub").mkdir()
    files = (tmp_path / "a.txt", tmp_path / "sub" / "b.txt")
    for file in files:
        file.write_text("旧")
    code = _run(KILLED_AT, tmp_path, step).wait(30)
    assert code in (-signal.SIGKILL, 0) and (code == 0) == (step == 7)
    with changing(tmp_path):
        pass
    assert [file.read_text() for file in files] in (["旧", "旧"], ["新a", "新b"])
    assert not (tmp_path / JOURNAL).exists() and not list(tmp_path.rglob(".*.new"))


def test_an_error_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), changing(tmp_path) as change:
        change.write(tmp_path / "a.txt", "新")
        raise RuntimeError
    assert not (tmp_path / "a.txt").exists()


def test_writers_of_several_processes_take_turns(tmp_path: Path) -> None:
    writers = [_run(ADDER, tmp_path, who) for who in "甲乙丙"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    lines = (tmp_path / "a.txt").read_text().splitlines()
    assert len(lines) == 60
    for who in "甲乙丙":
        assert [line for line in lines if line.startswith(who)] == [f"{who} {number}" for number in range(20)]
