"""Usage alerts, outages that are waited for, and subscriptions to an area's notices."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "usage_alert",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("conversation_id", sa.Integer, sa.ForeignKey("conversation.id"), nullable=False, index=True),
        sa.Column("account_no", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("threshold", sa.String(24), nullable=False),
        sa.Column("crossed", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("conversation_id", "account_no", "kind"),
    )
    op.create_table(
        "outage_watch",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("conversation_id", sa.Integer, sa.ForeignKey("conversation.id"), nullable=False, index=True),
        sa.Column("area_id", sa.String(64), nullable=False),
        sa.Column("area_name", sa.String(128), nullable=False),
        sa.Column("outage_id", sa.String(64)),
        sa.Column("report_no", sa.String(64)),
        sa.Column("told_end", sa.DateTime(timezone=True)),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True)),
        sa.Index("ix_outage_watch_open", "state", "area_id"),
    )
    op.create_table(
        "outage_subscription",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("conversation_id", sa.Integer, sa.ForeignKey("conversation.id"), nullable=False, index=True),
        sa.Column("area_id", sa.String(64), nullable=False),
        sa.Column("area_name", sa.String(128), nullable=False),
        sa.Column("told", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("conversation_id", "area_id"),
    )
