"""Databases for tests: copies of one that was migrated once, for migrating takes longer than most tests."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from bot.database import Database


def sqlite(folder: Path, name: str = "bridge") -> str:
    """The URL of a new SQLite database of the newest schema in `folder`."""
    file = folder / f"{name}.db"
    shutil.copyfile(_template(), file)
    return f"sqlite+aiosqlite:///{file}"


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dianqiao-sqlite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    migrate(f"sqlite+aiosqlite:///{folder / 'template.db'}")
    return folder / "template.db"


def migrate(url: str) -> None:
    """Bring an empty database to the newest schema; may be called beside a running loop."""

    async def work() -> None:
        database = Database(url)
        await database.migrate()
        await database.close()

    with ThreadPoolExecutor(1) as beside:
        beside.submit(asyncio.run, work()).result()
