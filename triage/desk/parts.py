"""What the desk is made of, in one place, for the routers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute

from bot.bell import Bell
from bot.conversation import Conversations
from bot.database import Database
from bot.dialogue import responses
from bot.files import Files
from bot.reply_limits import ReplyLimits
from models import ROOT
from nlu_data import HERE
from triage.assignment import Assignment
from triage.audit import Audit
from triage.board import Board
from triage.bulk import Bulk
from triage.desk.access import Access, audited
from triage.desk.auth import Users
from triage.desk.writing import Writing
from triage.mass import Mass
from triage.queue import TicketQueue
from triage.search import Search
from triage.taxonomy import Taxonomy
from triage.trainer.answer_source import sources
from triage.trainer.answers import Answers, Preview
from triage.trainer.collecting import Collecting

Records = Callable[[str], Awaitable[Mapping[str, Any]]]
"""From an account number to what the utility's systems know: balance, bills, outages. Raises for none of it: a system
that does not answer is named under "unchecked"."""
Brief = Callable[[int], Awaitable[Mapping[str, Any]]]
"""From a conversation to what the bot learnt in it: slots, tries."""


@dataclass(frozen=True)
class Parts:
    """Wired once; routers only read it."""

    database: Database
    bell: Bell
    users: Users
    access: Access
    audit: Audit
    route: type[APIRoute]
    taxonomy: Taxonomy
    queue: TicketQueue
    conversations: Conversations
    limits: ReplyLimits
    board: Board
    search: Search
    assignment: Assignment
    mass: Mass
    bulk: Bulk
    writing: Writing
    collecting: Collecting
    records: Records
    brief: Brief
    files: Files
    now: Callable[[], datetime]
    models: Path
    nlu: Path
    dialogue: Path
    answers: Answers


def parts(
    database: Database, bell: Bell, users: Users, taxonomy: Taxonomy, queue: TicketQueue, conversations: Conversations,
    assignment: Assignment, search: Search, records: Records, brief: Brief, files: Files,
    now: Callable[[], datetime], models: Path = ROOT, nlu: Path = HERE, dialogue: Path = responses.HERE,
    previews: Mapping[str, Preview] | None = None,
) -> Parts:  # fmt: skip
    """The rest follows from these; `models` holds the registries, `nlu` and `dialogue` the files that trainers change.

    `previews` show a message as each channel would.
    """
    audit = Audit(database)
    return Parts(
        database, bell, users, Access(users), audit, audited(audit), taxonomy, queue, conversations,
        ReplyLimits(database), Board(database, now, search), search, assignment, Mass(database, queue, bell, now),
        Bulk(database, queue, bell, now), Writing(database, bell, now),
        Collecting(database, queue.classifier, taxonomy, now, models=models), records, brief, files, now, models,
        nlu, dialogue, Answers(database, sources(dialogue, nlu), previews or {}, now),
    )  # fmt: skip
