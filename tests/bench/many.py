"""Many tickets, made inside the database: a million in a minute."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Connection, Table, text

from bot.database import Database
from triage.ticket import TicketRow

TABLE = cast(Table, TicketRow.__table__)
CONVERSATIONS = 5000
TICKETS = """
INSERT INTO ticket (id, number, conversation_id, message_seq, channel, status, category, category_confidence, priority,
  priority_reasons, priority_locked, rank, aged, ages_at, text, team, due_at, first_response_due, resolve_due, urged,
  model, created_at, updated_at, version)
SELECT n, 'DQ' || n, 1 + n % {conversations}, n, 'web', 'new',
  CASE n % 6 WHEN 0 THEN 'outage' WHEN 1 THEN 'billing' WHEN 2 THEN 'metering' WHEN 3 THEN 'service_request'
    WHEN 4 THEN 'construction' ELSE 'service_conduct' END, 0.9,
  CASE (n * 7919) % 3 WHEN 0 THEN 'P2' WHEN 1 THEN 'P3' ELSE 'P4' END, '["分类"]', {false},
  CASE (n * 7919) % 3 WHEN 0 THEN -300 WHEN 1 THEN -200 ELSE -100 END, 0, {later},
  '第' || n || '号工单：电表走得太快，请核查',
  CASE n % 6 WHEN 0 THEN 'repair' WHEN 1 THEN 'billing' WHEN 2 THEN 'metering' WHEN 3 THEN 'service'
    WHEN 4 THEN 'construction' ELSE 'quality' END,
  {due}, {due}, {later}, 0, 'bench', {now}, {now}, 0
FROM {numbers}"""
DIALECTS = {
    "sqlite": {
        "false": "0",
        "now": "'2026-11-24 02:00:00.000000'",
        "later": "'2027-11-24 02:00:00.000000'",
        "due": "strftime('%Y-%m-%d %H:%M:%S.000000', '2026-11-24 02:00:00', ((n * 104729) % 1000003) || ' seconds')",
        "numbers": "(WITH RECURSIVE c(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM c WHERE n < {last})"
        " SELECT n FROM c)",
    },
    "postgresql": {
        "false": "false",
        "now": "timestamptz '2026-11-24 02:00:00Z'",
        "later": "timestamptz '2027-11-24 02:00:00Z'",
        "due": "timestamptz '2026-11-24 02:00:00Z' + ((n::bigint * 104729) % 1000003) * interval '1 second'",
        "numbers": "generate_series({first}::bigint, {last}::bigint) AS n",
    },
}


async def conversations(database: Database) -> None:
    """The conversations the tickets are spread over."""
    async with database.write() as session:
        for id in range(1, CONVERSATIONS + 1):
            values = {"id": id, "sender": f"s{id}"}
            await session.execute(
                text("INSERT INTO contact (id, channel, sender) VALUES (:id, 'web', :sender)"), values
            )
            await session.execute(
                text(
                    "INSERT INTO conversation (id, contact_id, owner, owner_token, last_seq)"
                    " VALUES (:id, :id, 'queue', 0, 0)"
                ),
                values,
            )


async def tickets(database: Database, first: int, last: int) -> None:
    """Waiting tickets with ids `first` to `last`, spread over priorities, teams and due times; then ANALYZE."""
    async with database.write() as session:
        dialect = session.get_bind().dialect.name
        words = {key: value.format(first=first, last=last) if key == "numbers" else value
                 for key, value in DIALECTS[dialect].items()}  # fmt: skip
        statement = TICKETS.format(conversations=CONVERSATIONS, **words)
        connection = await session.connection()
        # a million rows are sorted into an index faster than one by one
        await connection.run_sync(_drop_indexes)
        raw = statement.replace("%", "%%") if dialect == "postgresql" else statement
        await connection.run_sync(lambda ours: ours.exec_driver_sql(raw))
        await connection.run_sync(_create_indexes)
    async with database.write() as session:
        await session.execute(text("ANALYZE"))


def _drop_indexes(connection: Connection) -> None:
    for index in TABLE.indexes:
        index.drop(connection)


def _create_indexes(connection: Connection) -> None:
    for index in TABLE.indexes:
        index.create(connection)
