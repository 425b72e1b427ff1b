"""Delivery states, attachments, edits, and messages of several parts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; what was pending is queued."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("message", "delivery", type_=sa.String(12))
    op.add_column("message", sa.Column("attachments", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("message", sa.Column("platform_id", sa.String(64)))
    op.add_column("message", sa.Column("original", sa.Text))
    op.add_column("message", sa.Column("edited_at", sa.DateTime(timezone=True)))
    op.add_column("message", sa.Column("carried_by", sa.Integer))
    op.add_column("message", sa.Column("delivery_parts", sa.Integer, nullable=False, server_default="0"))
    op.execute("UPDATE message SET delivery = 'queued' WHERE delivery = 'pending'")


def downgrade() -> None:
    """Drop them again."""
    op.execute("UPDATE message SET delivery = 'pending' WHERE delivery = 'queued'")
    op.execute("UPDATE message SET delivery = 'sent' WHERE delivery IN ('delivered', 'expired')")
    for name in ("delivery_parts", "carried_by", "edited_at", "original", "platform_id", "attachments"):
        op.drop_column("message", name)
