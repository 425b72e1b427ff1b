"""`python -m tests.bench export`: how much memory a download of a million tickets takes, and how long.

A process of its own with the desk's parts over SQLite: its greatest resident memory before the first row and after
each file. Figures are printed, never asserted.
"""

from __future__ import annotations

import asyncio
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.many import conversations, tickets
from tests.triage.stage import Stage
from triage.board import Filter
from triage.export import Export
from triage.taxonomy import Taxonomy

ROWS = 1_000_000


def peak() -> float:
    """The most memory this process was ever resident in, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def everything(rows: int) -> dict[str, Any]:
    """Both kinds of file of `rows` tickets: rows written, file size, seconds, memory."""
    with tempfile.TemporaryDirectory(prefix="dianqiao-bench-") as folder:
        stage = Stage(f"sqlite+aiosqlite:///{Path(folder) / 'export.db'}")
        await stage.database.migrate()
        await conversations(stage.database)
        await tickets(stage.database, 1, rows)
        export, wanted = Export(stage.board, Taxonomy.load()), Filter()
        found: dict[str, Any] = {"memory_before_mb": round(peak())}
        begun, size = time.perf_counter(), 0
        async for part in export.csv(wanted):
            size += len(part)
        took = time.perf_counter() - begun
        found["csv"] = {"mb": round(size / 1e6), "seconds": round(took), "peak_mb": round(peak())}
        begun, file = time.perf_counter(), Path(folder) / "tickets.xlsx"
        found["xlsx"] = {
            "rows": await export.xlsx(wanted, file), "mb": round(file.stat().st_size / 1e6),
            "seconds": round(time.perf_counter() - begun), "peak_mb": round(peak()),
        }  # fmt: skip
        await stage.database.close()
    return found


def main() -> None:
    """Print one JSON object."""
    print(json.dumps(asyncio.run(everything(ROWS))))
