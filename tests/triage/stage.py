"""A queue over a real database with everyone around it, and the desk's API over it."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI

from bot.bell import Bell
from bot.conversation import Conversations
from bot.database import Database
from bot.files import Files
from bot.message import Inbound
from channels.preview import previews
from models import ROOT
from tests.fakes import ScriptedDialogue
from triage.assignment import Assignment
from triage.board import Board
from triage.classifier import Prediction
from triage.desk.auth import Role, Users
from triage.desk.parts import parts
from triage.desk.routes import desk_routes
from triage.incident import Place
from triage.mass import Mass
from triage.queue import TicketQueue
from triage.rounds import Rounds
from triage.search import Search
from triage.taxonomy import Taxonomy

Url = Callable[[], str]
T = TypeVar("T")
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
PASSWORD = "desk-of-the-tests"
WORDS = {"停": "outage", "费": "billing", "票": "payment"}


class WordClassifier:
    """Priority from the text's first word, category from a sign in it: a real class that needs no model."""

    version = "words-1"

    def classify(self, texts: Sequence[str]) -> list[Prediction]:
        found = []
        for text in texts:
            category = next((name for sign, name in WORDS.items() if sign in text), "metering")
            found.append(Prediction(category, 0.9, {category: 0.9}, text[:2] if text[:1] == "P" else "P3"))
        return found

    def explain(self, text: str, count: int = 3) -> list[tuple[str, float]]:
        return [(sign, 1.0) for sign in WORDS if sign in text][:count]


class Stage:
    def __init__(self, url: str, models: Path = ROOT, **folders: Path) -> None:
        """`folders`: `nlu` and `dialogue` of the trainers' pages, instead of the project's own."""
        self.now = NOW
        self.database, self.bell = Database(url), Bell()
        self.places: dict[str, Place] = {}
        taxonomy = Taxonomy.load()
        self.queue = TicketQueue(self.database, WordClassifier(), taxonomy, self.bell, lambda: self.now, self._locate)
        self.dialogue = ScriptedDialogue()
        self.conversations = Conversations(self.database, self.dialogue, self.queue, self.bell)
        self.queue.attach(self.conversations)
        self.assignment = Assignment(self.database, self.queue, lambda: self.now)
        self.rounds = Rounds(self.database, self.queue, self.assignment, self.bell, lambda: self.now)
        self.mass = Mass(self.database, self.queue, self.bell, lambda: self.now)
        self.search = Search(self.database, self.bell)
        self.board = Board(self.database, lambda: self.now, self.search)
        self.users = Users(self.database, "secret")
        self._kept = tempfile.TemporaryDirectory(prefix="dianqiao-files-")
        self.files = Files(Path(self._kept.name), "secret")
        self.desk = parts(
            self.database, self.bell, self.users, taxonomy, self.queue, self.conversations, self.assignment,
            self.search, self._records, self._brief,
            self.files, lambda: self.now, models, previews=previews(), **folders,
        )  # fmt: skip

    @cached_property
    def app(self) -> FastAPI:
        """The desk's routes; they take longer to make than most tests that need none."""
        made = FastAPI()
        desk_routes(made, self.desk)
        made.router.routes.extend(self.files.routes())
        return made

    def strict(self, first_response: timedelta) -> None:
        """The policy file was edited: P2 is answered sooner; the service starts anew over the same database."""
        taxonomy = Taxonomy.load()
        edited = replace(taxonomy.priorities["P2"], first_response=first_response)
        taxonomy = replace(taxonomy, priorities={**taxonomy.priorities, "P2": edited})
        self.queue = TicketQueue(self.database, WordClassifier(), taxonomy, self.bell, lambda: self.now, self._locate)
        self.queue.attach(self.conversations)

    async def _locate(self, account_no: str) -> Place | None:
        return self.places.get(account_no)

    async def _records(self, account_no: str) -> Mapping[str, Any]:
        return {"account": {"balance": "-20.00", "arrears": "20.00"}, "bills": [], "outages": [], "unchecked": []}

    async def _brief(self, conversation: int) -> Mapping[str, Any]:
        return {"slots": {"topic": "query_bill"}, "tries": 2}

    async def file(self, sender: str, text: str, account_no: str | None = None) -> str:
        """A complaint as the dialogue files it: during its turn."""
        receipt = await self.conversations.receive(Inbound("web", sender, f"{text}-{self.now}", text, self.now))
        opened = await self.queue.file(receipt.conversation, receipt.seq, text, account_no)
        await self.conversations.answer(receipt.conversation)
        return opened.number

    async def say(self, sender: str, text: str) -> int:
        """The customer writes; the answer is awaited. Returns the conversation."""
        receipt = await self.conversations.receive(Inbound("web", sender, f"{text}-{self.now}", text, self.now))
        await self.conversations.answer(receipt.conversation)
        return receipt.conversation

    async def hand_off(self, sender: str, *texts: str) -> int:
        for text in (*texts, "转人工"):
            conversation = await self.say(sender, text)
        return conversation

    async def texts(self, conversation: int, after: int = 0) -> list[str]:
        return [message.text for message in await self.conversations.messages(conversation, after)]

    async def login(self, username: str, role: Role, team: str | None = None) -> httpx.AsyncClient:
        """A client of the API with this user's token."""
        await self.users.add(username, PASSWORD, role, team)
        token = await self.users.login(username, PASSWORD, "test")
        return self.client(token)

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url="http://desk/api", headers=headers
        )


def run(url: str, scene: Callable[[Stage], Awaitable[T]]) -> T:
    async def play() -> T:
        stage = Stage(url)
        await stage.database.migrate()
        try:
            found = await scene(stage)
            await stage.conversations.settle()
            return found
        finally:
            await stage.database.close()

    return asyncio.run(play())
