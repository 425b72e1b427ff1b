"""Link codes, and what happened to links."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "link_code",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("code_hash", sa.String(64), nullable=False, index=True),
        sa.Column("account_no", sa.String(32), nullable=False),
        sa.Column("given_to", sa.Integer, sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_by", sa.Integer, sa.ForeignKey("conversation.id")),
    )
    op.create_table(
        "link_event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("conversation_id", sa.Integer, sa.ForeignKey("conversation.id"), nullable=False, index=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("account_no", sa.String(32)),
        sa.Column("before", sa.String(32)),
        sa.Column("other_conversation", sa.Integer),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop them again."""
    op.drop_table("link_event")
    op.drop_table("link_code")
