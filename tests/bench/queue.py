"""`python -m tests.bench queue`: the queue as it grows, beside a bare UPDATE … RETURNING loop and procrastinate.

On SQLite and on PostgreSQL, with 10 k, 100 k and 1 M waiting tickets: claiming (our whole transaction: ticket, owner
of the conversation, event), the first and a deep page; then fifty claimers on 10,000 tickets, the search, and the
simulated day of 1,000 tickets and 20 agents beside first-in-first-out and round robin. Figures are printed, never
asserted; `cpu_ms` is our own process's share, which a busy machine does not change.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from procrastinate import sql as procrastinate_sql
from sqlalchemy import make_url

from tests import postgres
from tests.bench.many import conversations, tickets
from tests.triage.simulation import Outcome, baseline, simulate
from tests.triage.stage import Stage
from triage.board import Filter

SIZES = (10_000, 100_000, 1_000_000)
TRIES = 200
CLAIMERS = 50
SHARED = 10_000
BARE = """UPDATE ticket SET assignee = 'bare', status = 'assigned', ages_at = NULL WHERE id = (
  SELECT id FROM ticket WHERE status IN ('new', 'reopened') ORDER BY rank, due_at, id LIMIT 1 {lock}) RETURNING id"""


def spread(seconds: list[float], processor: float | None = None) -> dict[str, float]:
    """p50 and p95 in ms; and the mean processor time of each, from their sum."""
    own = {} if processor is None else {"cpu_ms": round(processor / len(seconds) * 1000, 2)}
    return {
        **own,
        "p50_ms": round(statistics.median(seconds) * 1000, 2),
        "p95_ms": round(statistics.quantiles(seconds, n=20)[-1] * 1000, 2),
    }


async def timed(work: Callable[[], Awaitable[Any]], tries: int = TRIES) -> dict[str, float]:
    """The latencies of one after the other, after five to warm up."""
    for _ in range(5):
        await work()
    found, processor = [], time.process_time()
    for _ in range(tries):
        begun = time.perf_counter()
        await work()
        found.append(time.perf_counter() - begun)
    return spread(found, time.process_time() - processor)


async def bare(url: str) -> dict[str, float]:
    """The same claim as one committed statement and nothing else, on the same table through the plain driver."""
    seconds = []
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite+aiosqlite:///"), isolation_level=None) as connection:
            connection.execute("PRAGMA synchronous=NORMAL")
            for _ in range(TRIES):
                begun = time.perf_counter()
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(BARE.format(lock="")).fetchall()
                connection.execute("COMMIT")
                seconds.append(time.perf_counter() - begun)
    else:
        async with await psycopg.AsyncConnection.connect(plain(url), autocommit=True) as connected:
            for _ in range(TRIES):
                begun = time.perf_counter()
                await (await connected.execute(BARE.format(lock="FOR UPDATE SKIP LOCKED"))).fetchall()
                seconds.append(time.perf_counter() - begun)
    return spread(seconds)


def plain(url: str) -> str:
    """The URL as psycopg reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def procrastinate(server: postgres.Server, sizes: tuple[int, ...]) -> dict[int, dict[str, float]]:
    """procrastinate's own fetch of the next job, on tables of the same sizes."""
    found = {}
    async with await psycopg.AsyncConnection.connect(plain(server.url("peer")), autocommit=True) as connection:
        schema = Path(procrastinate_sql.__file__).with_name("schema.sql").read_text()
        await connection.execute(schema.replace("%", "%%").replace("%%", "%").encode())
        worker = await (
            await connection.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        ).fetchone()
        assert worker is not None
        have = 0
        for size in sizes:
            await connection.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status)"
                f" SELECT 'q', 't', (n::bigint * 7919) % 3, '{{}}', 'todo' FROM generate_series({have + 1}, {size}) n"
            )
            await connection.execute("ANALYZE procrastinate_jobs")
            have = size

            async def fetch() -> None:
                fetched = await connection.execute(
                    "SELECT id FROM procrastinate_fetch_job_v2(NULL::varchar[], %s)", (worker[0],)
                )
                assert await fetched.fetchone() is not None

            found[size] = await timed(fetch)
    return found


async def growing(stage: Stage, url: str, sizes: tuple[int, ...]) -> dict[int, Any]:
    """Ours and the bare loop at each size of one table."""
    found: dict[int, Any] = {}
    have = 0
    await stage.database.migrate()
    await conversations(stage.database)
    for size in sizes:
        await tickets(stage.database, have + 1, size)
        have = size
        _, deep = await stage.board.rows(Filter(status="open"), None, 5000)

        async def claim() -> None:
            assert await stage.queue.claim_next("li") is not None

        async def claim_team() -> None:
            assert await stage.queue.claim_next("li", "billing") is not None

        found[size] = {
            "claim": await timed(claim),
            "claim_of_team": await timed(claim_team),
            "bare_update_returning": await bare(url),
            "first_page": await timed(lambda: stage.board.page(Filter(status="open"))),
            "first_page_unassigned": await timed(lambda: stage.board.page(Filter(view="unassigned"))),
            "first_page_of_team": await timed(lambda: stage.board.page(Filter(status="open", team="billing"))),
            "page_100_deep": await timed(partial(stage.board.page, Filter(status="open"), deep)),
        }
        print(json.dumps({str(size): found[size]}), file=sys.stderr, flush=True)
    return found


async def shared(stage: Stage) -> dict[str, Any]:
    """Fifty claimers on ten thousand tickets: who got what, and how fast."""
    await stage.database.migrate()
    await conversations(stage.database)
    await tickets(stage.database, 1, SHARED)
    claimed: list[int] = []

    async def claimer(name: str) -> None:
        while (row := await stage.queue.claim_next(name)) is not None:
            claimed.append(row.id)

    begun = time.perf_counter()
    await asyncio.gather(*(claimer(f"agent{n}") for n in range(CLAIMERS)))
    took = time.perf_counter() - begun
    return {
        "claimed": len(claimed), "claimed_twice": len(claimed) - len(set(claimed)), "lost": SHARED - len(set(claimed)),
        "claims_per_second": round(len(claimed) / took),
    }  # fmt: skip


async def search(stage: Stage, size: int) -> dict[str, float]:
    """A common and a rare word over `size` indexed tickets."""
    await stage.database.migrate()
    await conversations(stage.database)
    await tickets(stage.database, 1, size)
    done = 0
    while done < size and (step := await stage.search.index(size)):
        done += step
    return {
        "indexed": done,
        **{f"common_word_{k}": v for k, v in (await timed(lambda: stage.board.page(Filter(q="电表")), 50)).items()},
        **{f"rare_word_{k}": v for k, v in (await timed(lambda: stage.board.page(Filter(q="4711")), 50)).items()},
    }


def told(outcome: Outcome) -> dict[str, float]:
    """A simulated day in figures; seconds are virtual."""
    return {
        "jain_of_busy_time": round(outcome.fairness, 4),
        "longest_idle_beside_a_waiting_ticket_s": round(outcome.longest_idle_beside_waiting, 1),
        "mean_wait_s": round(outcome.mean_wait, 1),
        "longest_wait_s": round(outcome.longest_wait, 1),
    }


async def everything(sizes: tuple[int, ...]) -> dict[str, Any]:
    """All of it on both databases."""
    found: dict[str, Any] = {}
    bin = postgres.binaries()
    with tempfile.TemporaryDirectory(prefix="dianqiao-bench-") as folder:
        server = postgres.Server(bin) if bin is not None else None
        try:
            names = ("sqlite", "postgresql") if server is not None else ("sqlite",)
            for name in names:

                def url(purpose: str, name: str = name) -> str:
                    if name == "sqlite":
                        return f"sqlite+aiosqlite:///{Path(folder) / purpose}.db"
                    assert server is not None
                    return server.url(purpose)

                where = url("grow")
                stage = Stage(where)
                found[name] = {"sizes": await growing(stage, where, sizes)}
                await stage.database.close()
                for purpose, work in (("shared", shared), ("search", lambda s: search(s, min(sizes[-1], 20_000)))):
                    stage = Stage(url(purpose))
                    found[name][purpose] = await work(stage)
                    print(json.dumps({name: {purpose: found[name][purpose]}}), file=sys.stderr, flush=True)
                    await stage.database.close()
            if server is not None:
                found["procrastinate_fetch_postgresql"] = await procrastinate(server, sizes)
        finally:
            if server is not None:
                server.stop()
        stage = Stage(f"sqlite+aiosqlite:///{Path(folder) / 'day'}.db")
        await stage.database.migrate()
        found["day_of_1000_tickets_and_20_agents"] = {
            "ours": told(await simulate(stage, 1000, 20)),
            "fifo": told(baseline(1000, 20, "fifo")),
            "round_robin": told(baseline(1000, 20, "round_robin")),
        }
        await stage.conversations.settle()
        await stage.database.close()
    return found


def main() -> None:
    """Print one JSON object; QUEUE_BENCH_MOST limits the largest size, for a short look."""
    logging.disable(logging.WARNING)
    most = int(os.environ.get("QUEUE_BENCH_MOST", SIZES[-1]))
    figures = asyncio.run(everything(tuple(size for size in SIZES if size <= most)))
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
