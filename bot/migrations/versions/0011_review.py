"""The trainer's review list and the append-only labels."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the tables of the list, its reasons, its marks, and the label events."""
    op.create_table(
        "review_item",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("text_key", sa.String(500), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("conversation_id", sa.Integer, sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("ticket_id", sa.Integer, sa.ForeignKey("ticket.id")),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("suggestion", sa.JSON, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("first_reader", sa.String(64)),
        sa.Column("second_reader", sa.String(64)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("kind", "text_key"),
        sa.Index("ix_review_item_value", "status", "value", "id"),
    )
    op.create_table(
        "review_reason",
        sa.Column("item_id", sa.Integer, sa.ForeignKey("review_item.id"), primary_key=True),
        sa.Column("reason", sa.String(24), primary_key=True, index=True),
    )
    op.create_table(
        "review_mark",
        sa.Column("source", sa.String(24), primary_key=True),
        sa.Column("last", sa.Integer, nullable=False),
    )
    op.create_table(
        "review_word",
        sa.Column("word", sa.String(32), primary_key=True),
        sa.Column("text_key", sa.String(500), primary_key=True),
        sa.Column("conversation_id", sa.Integer, sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "label_event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item_id", sa.Integer, sa.ForeignKey("review_item.id"), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("label", sa.JSON),
        sa.Column("base", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("item_id", "base"),
        sa.Index("ix_label_event_actor", "actor", "id"),
    )
