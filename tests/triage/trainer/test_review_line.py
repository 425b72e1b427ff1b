"""The review list and its labels on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import databases
from tests.triage.stage import Stage, run
from tests.triage.trainer.items import add, text_for


def line(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "triage.trainer", "--author", "ann", *arguments],
        env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.slow
def test_an_item_is_listed_labelled_and_refused(tmp_path: Path) -> None:
    url, text = databases.sqlite(tmp_path), text_for(False)

    async def scene(stage: Stage) -> None:
        await add(stage, text)

    run(url, scene)
    assert text in line(url, "review").stdout
    refused = line(url, "label", "1", "--intent", "nonsense")
    assert refused.returncode == 2 and "请选一个意图" in refused.stderr
    assert line(url, "label", "1", "--intent", "query_bill", "--entity", "x").returncode == 2
    assert line(url, "label", "9", "--intent", "query_bill").returncode == 2
    done = line(url, "label", "1", "--intent", "query_bill", "--entity", "date:0-1")
    assert done.returncode == 0, done.stderr
    assert text not in line(url, "review").stdout
