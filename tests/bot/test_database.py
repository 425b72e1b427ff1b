"""SQLite answers in the loop's thread, yet nobody in the loop waits for another process that writes."""

import asyncio
import sqlite3
import threading
from pathlib import Path

from sqlalchemy import select

from bot.database import ContactRow, Database

HELD = 0.5


def hold(file: Path, held: threading.Event) -> None:
    """As another process would: keep the write lock for `HELD` seconds."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    held.set()
    threading.Event().wait(HELD)
    connection.execute("COMMIT")
    connection.close()


def test_the_loop_goes_on_while_another_process_writes(tmp_path: Path) -> None:
    async def scene() -> tuple[float, int]:
        database = Database(f"sqlite:///{tmp_path / 'x.db'}")
        await database.migrate()
        await database.ping()
        held, turns = threading.Event(), 0
        other = threading.Thread(target=hold, args=(tmp_path / "x.db", held))
        other.start()
        held.wait()

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(others())
        begun = asyncio.get_running_loop().time()
        async with database.write() as session:
            session.add(ContactRow(channel="web", sender="a"))
        waited = asyncio.get_running_loop().time() - begun
        beside.cancel()
        other.join()
        async with database.survey() as session:
            assert (await session.scalars(select(ContactRow.sender))).all() == ["a"]
        await database.close()
        return waited, turns

    waited, turns = asyncio.run(scene())
    assert waited > HELD / 2
    assert turns > 3
