"""Contacts, conversations, messages."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "contact",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("sender", sa.String(128), nullable=False),
        sa.UniqueConstraint("channel", "sender"),
    )
    op.create_table(
        "conversation",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("contact_id", sa.Integer, sa.ForeignKey("contact.id"), nullable=False, unique=True),
        sa.Column("owner", sa.String(8), nullable=False),
        sa.Column("owner_token", sa.Integer, nullable=False),
        sa.Column("last_seq", sa.Integer, nullable=False),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("conversation_id", sa.Integer, sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("speaker", sa.String(8), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("buttons", sa.JSON, nullable=False),
        sa.Column("card", sa.JSON),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("inbound_id", sa.String(128)),
        sa.Column("payload", sa.String(512)),
        sa.Column("answered", sa.Boolean, nullable=False),
        sa.Column("delivery", sa.String(8), nullable=False),
        sa.Column("delivery_tries", sa.Integer, nullable=False),
        sa.Column("delivery_due", sa.DateTime(timezone=True)),
        sa.Column("delivery_error", sa.String(256)),
        sa.UniqueConstraint("conversation_id", "seq"),
        sa.UniqueConstraint("conversation_id", "inbound_id"),
    )
    op.create_index("ix_message_delivery", "message", ["delivery", "delivery_due"])
    op.create_index("ix_message_answered", "message", ["answered"])


def downgrade() -> None:
    """Drop them again."""
    for table in ("message", "conversation", "contact"):
        op.drop_table(table)
