"""Presence, logins, drafts, canned replies, saved views, leases, links, undo, audit, and the search index."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = "presence desk_login draft canned_reply saved_view lease ticket_link undo audit audit_head search_document"


def upgrade() -> None:
    """Create them; SQLite searches with FTS5, PostgreSQL with a tsvector."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "presence",
        sa.Column("username", sa.String(64), primary_key=True),
        sa.Column("team", sa.String(32)),
        sa.Column("skills", sa.JSON, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("push", sa.Boolean, nullable=False),
        sa.Column("seen_at", time, nullable=False),
        sa.Column("last_assigned_at", time),
    )
    op.create_index("ix_presence_free", "presence", ["state", "push", "last_assigned_at"])
    op.add_column("desk_user", sa.Column("skills", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("desk_user", sa.Column("capacity", sa.Integer, nullable=False, server_default="3"))
    op.create_table(
        "desk_login",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("desk_user.id"), nullable=False, index=True),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("revoked_at", time),
    )
    op.create_table(
        "draft",
        sa.Column("username", sa.String(64), primary_key=True),
        sa.Column("ticket_id", sa.Integer, sa.ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("updated_at", time, nullable=False),
    )
    op.create_table(
        "canned_reply",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(64), nullable=False, unique=True),
        sa.Column("initials", sa.String(64), nullable=False, index=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("team", sa.String(32)),
    )
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("username", sa.String(64), nullable=False, index=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("query", sa.JSON, nullable=False),
        sa.UniqueConstraint("username", "name"),
    )
    op.create_table(
        "lease",
        sa.Column("ticket_id", sa.Integer, sa.ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
        sa.Column("username", sa.String(64), primary_key=True),
        sa.Column("seen_at", time, nullable=False),
        sa.Column("typed_at", time),
        sa.Column("typing_since", time),
    )
    op.create_table(
        "ticket_link",
        sa.Column("ticket_id", sa.Integer, sa.ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
        sa.Column("other_id", sa.Integer, sa.ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
    )
    op.create_table(
        "undo",
        sa.Column("token", sa.String(32), primary_key=True),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("made_at", time, nullable=False),
        sa.Column("undone_at", time),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", time, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False, index=True),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(128), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "length": 0, "hash": ""}])
    op.create_table(
        "search_document",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("ticket_id", sa.Integer, sa.ForeignKey("ticket.id"), unique=True),
        sa.Column("ticket_version", sa.Integer),
        sa.Column("message_id", sa.Integer, sa.ForeignKey("message.id"), unique=True),
        sa.Column("conversation_id", sa.Integer, sa.ForeignKey("conversation.id")),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE search_words USING fts5(words)")
    else:
        op.execute("CREATE TABLE search_words (rowid INTEGER PRIMARY KEY, words TSVECTOR NOT NULL)")
        op.execute("CREATE INDEX ix_search_words ON search_words USING GIN (words)")
    # no rival of the partial indexes: SQLite's planner takes those for as large as one over all tickets
    op.drop_index("ix_ticket_all", "ticket")
    op.create_index("ix_ticket_all", "ticket", [sa.text("(rank + 0)"), "due_at", "id"])
    op.create_index("ix_message_conversation_at", "message", ["conversation_id", "at"])


def downgrade() -> None:
    """Drop them again."""
    op.drop_index("ix_message_conversation_at", "message")
    op.drop_index("ix_ticket_all", "ticket")
    op.create_index("ix_ticket_all", "ticket", ["rank", "due_at", "id"])
    op.drop_table("search_words")
    for table in reversed(TABLES.split()):
        op.drop_table(table)
    op.drop_column("desk_user", "skills")
    op.drop_column("desk_user", "capacity")
