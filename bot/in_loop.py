"""SQLite in the event loop's own thread: a statement takes microseconds, a thread's answer far more."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import URL, pool
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

DRIVER = "in_loop"


class InLoop(SQLiteDialect_pysqlite):
    """SQLAlchemy's own dialect of `sqlite3`, which its asyncio extension takes as one that never waits."""

    driver = DRIVER
    is_async = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """Connections are waited for in the loop; one connection holds a database in memory."""
        return pool.AsyncAdaptedQueuePool if cls._is_url_file_db(url) else pool.StaticPool

    def connect(self, *arguments: Any, **named: Any) -> Any:
        """A connection whose cursors can be closed as the asyncio extension closes them."""
        return super().connect(*arguments, factory=_Connection, **named)


class _Cursor(sqlite3.Cursor):
    async def _async_soft_close(self) -> None:
        pass


class _Connection(sqlite3.Connection):
    def cursor(self, *_: Any) -> sqlite3.Cursor:  # type: ignore[override]
        return super().cursor(_Cursor)


registry.register(f"sqlite.{DRIVER}", __name__, InLoop.__name__)
