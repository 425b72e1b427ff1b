"""The trainers' verbs on the command line."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from bot.database import Database
from models import Registry
from tests.product import ROOT
from tests.triage.trainer.versions import furnished
from triage.audit import Audit
from triage.trainer.__main__ import main
from triage.trainer.promotion import Worse

pytestmark = pytest.mark.slow


def trainer(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "triage.trainer", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "dialogue", "nothing"),
        ("report", "dialogue", "nothing"),
        ("promote", "triage", "nothing"),
        ("cancel", "../nothing"),
        ("evaluate", "triage", "nothing"),
    ],
)
def test_what_is_not_there_is_told(arguments: tuple[str, ...]) -> None:
    found = trainer(*arguments)
    assert found.returncode == 2 and found.stderr.startswith("error: ") and "Traceback" not in found.stderr


def test_a_wrong_verb_is_refused() -> None:
    assert trainer("teach").returncode == 2
    assert trainer("train", "everything").returncode == 2


def test_versions_are_listed() -> None:
    found = trainer("models")
    assert found.returncode == 0 and "对话模型：" in found.stdout and "分类模型：" in found.stdout


def test_promotions_and_rollbacks_are_written_down_as_the_pages_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, wrong in (("v1", 0.1), ("v2", 0.05), ("v3", 0.6)):
        furnished(tmp_path, name, f"2026-11-0{name[1]}T10:00:00+08:00", wrong)
    registry = Registry("dialogue", tmp_path)
    registry.promote("v1", "zhou", "第一版")
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "var"))
    assert main(["--author", "li", "promote", "dialogue", "v2", "--why", "更准"]) == 0
    with pytest.raises(Worse):
        main(["--author", "li", "promote", "dialogue", "v3"])
    assert main(["--author", "li", "promote", "dialogue", "v3", "--override", "王主任", "演练一次退回"]) == 0
    assert main(["--author", "wang", "rollback", "dialogue", "--why", "演练完了"]) == 0
    assert registry.history()[-1].why == "演练完了" and registry.current().name == "v2"

    async def rows() -> list[tuple[str, str, str, str]]:
        database = Database(f"sqlite+aiosqlite:///{tmp_path / 'var' / 'dianqiao.db'}")
        found = await Audit(database).page(None, 10)
        assert await Audit(database).verify() is None
        await database.close()
        return [(row.actor, row.action, row.target, str(row.detail)) for row in reversed(found)]

    first, second, last = asyncio.run(rows())
    assert first[:3] == ("li", "promote", "/api/trainer/promote") and "'version': 'v2'" in first[3]
    assert second[1] == "promote" and "王主任" in second[3] and "演练一次退回" in second[3]
    assert last[:3] == ("wang", "rollback", "/api/trainer/rollback")
