"""The order of the queue, clocks, incidents, and the indexes every list and claim reads."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

WAITING = "status IN ('new', 'reopened')"
OPEN = "status IN ('new', 'reopened', 'assigned', 'waiting_customer', 'waiting_field')"
ORDER = ["rank", "due_at", "id"]
INDEXES = {
    "waiting": (WAITING, ORDER),
    "waiting_team": (WAITING, ["team", *ORDER]),
    "ages": (WAITING, ["ages_at"]),
    "escalate": (WAITING, ["escalate_at"]),
    "open": (OPEN, ORDER),
    "open_team": (OPEN, ["team", *ORDER]),
    "open_due": (OPEN, ["due_at", "id"]),
    "mine": (OPEN, ["assignee", *ORDER]),
    "transformer": (OPEN, ["transformer", "created_at"]),
    "feeder": (OPEN, ["feeder", "created_at"]),
    "all": (None, ORDER),
    "status": (None, ["status", *ORDER]),
    "category": (None, ["category", *ORDER]),
    "account": (None, ["account_no", "id"]),
    "incident": (None, ["incident_id", "id"]),
}


def upgrade() -> None:
    """Add what is new; tickets of before keep their order."""
    op.create_table(
        "incident",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.String(24), unique=True),
        sa.Column("key", sa.String(96), unique=True),
        sa.Column("category", sa.String(32), nullable=False),
        sa.Column("feeder", sa.String(64), nullable=False),
        sa.Column("transformer", sa.String(64)),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("merged_into", sa.Integer, sa.ForeignKey("incident.id")),
        sa.Column("reports", sa.Integer, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_report_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expected_at", sa.DateTime(timezone=True)),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_incident_status", "incident", ["status", "id"])
    op.drop_index("ix_ticket_order", "ticket")
    with op.batch_alter_table("ticket") as ticket:
        ticket.add_column(sa.Column("priority_locked", sa.Boolean, nullable=False, server_default=sa.false()))
        ticket.add_column(sa.Column("rank", sa.Integer, nullable=False, server_default="0"))
        ticket.add_column(sa.Column("aged", sa.Integer, nullable=False, server_default="0"))
        ticket.add_column(sa.Column("ages_at", sa.DateTime(timezone=True)))
        ticket.add_column(sa.Column("handoff", sa.String(64)))
        ticket.add_column(sa.Column("escalate_at", sa.DateTime(timezone=True)))
        ticket.add_column(sa.Column("due_at", sa.DateTime(timezone=True)))
        ticket.add_column(sa.Column("resolved_at", sa.DateTime(timezone=True)))
        ticket.add_column(sa.Column("resolution", sa.Text))
        ticket.add_column(sa.Column("area", sa.String(64)))
        ticket.add_column(sa.Column("transformer", sa.String(64)))
        ticket.add_column(sa.Column("feeder", sa.String(64)))
        ticket.add_column(sa.Column("incident_id", sa.Integer))
        ticket.create_foreign_key("fk_ticket_incident", "incident", ["incident_id"], ["id"])
    op.execute("UPDATE ticket SET due_at = first_response_due, ages_at = first_response_due")
    op.execute("UPDATE ticket SET rank = CASE priority WHEN 'P1' THEN -400 WHEN 'P2' THEN -300 "
               "WHEN 'P3' THEN -200 ELSE -100 END")  # fmt: skip
    with op.batch_alter_table("ticket") as ticket:
        ticket.alter_column("due_at", nullable=False)
    for name, (condition, columns) in INDEXES.items():
        where = sa.text(condition) if condition else None
        op.create_index(f"ix_ticket_{name}", "ticket", columns, sqlite_where=where, postgresql_where=where)
    op.create_index("ix_event_kind_at", "ticket_event", ["kind", "at"])
    op.create_table(
        "ticket_clock",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("ticket_id", sa.Integer, sa.ForeignKey("ticket.id"), nullable=False, index=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("calendar", sa.String(32), nullable=False),
        sa.Column("target", sa.Float, nullable=False),
        sa.Column("elapsed", sa.Float, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("running_since", sa.DateTime(timezone=True)),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("met_at", sa.DateTime(timezone=True)),
        sa.Column("warned", sa.Integer, nullable=False),
        sa.Column("warn_at", sa.DateTime(timezone=True)),
        sa.Column("told_due", sa.DateTime(timezone=True)),
        sa.Column("apologise_at", sa.DateTime(timezone=True)),
        sa.Column("apologies", sa.Integer, nullable=False),
        sa.Column("source", sa.String(128), nullable=False),
    )
    op.create_index("ix_clock_warn", "ticket_clock", ["warn_at"])
    op.create_index("ix_clock_apologise", "ticket_clock", ["apologise_at"])


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("ticket_clock")
    op.drop_index("ix_event_kind_at", "ticket_event")
    for name in INDEXES:
        op.drop_index(f"ix_ticket_{name}", "ticket")
    added = (
        "priority_locked rank aged ages_at handoff escalate_at due_at resolved_at resolution area transformer feeder "
        "incident_id"
    )
    with op.batch_alter_table("ticket") as ticket:
        ticket.drop_constraint("fk_ticket_incident", type_="foreignkey")
        for column in added.split():
            ticket.drop_column(column)
    op.create_index("ix_ticket_order", "ticket", ["status", "priority", "first_response_due"])
    op.drop_table("incident")
