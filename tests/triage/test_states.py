"""A random walk over everything agents and customers can do: only legal moves happen, and each leaves its event."""

import asyncio
import itertools
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests import databases
from tests.triage.stage import Stage
from triage.clock import ClockRow
from triage.order import total
from triage.ticket import MOVES, OPEN, UNCLAIMED, IllegalMove, Status, TicketRow

AGENTS = ("li", "wang")
agents = st.sampled_from(AGENTS)


class TicketLife(RuleBasedStateMachine):
    """One ticket; the model is what the last event said."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.stage = Stage(databases.sqlite(Path(self.folder.name)))
        self.numbers = itertools.count()
        self.do(self.stage.database.migrate())
        self.do(self.stage.hand_off("a", "P3 电费不对"))
        self.before = self.row()

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def row(self) -> TicketRow:
        row, _ = self.do(self.stage.board.ticket(1))
        return row  # type: ignore[no-any-return]

    def attempt(self, work: Any) -> None:
        """Whatever is refused changes nothing; whatever is done is in the guard table."""
        before = self.row()
        _, events = self.do(self.stage.board.ticket(1))
        try:
            self.do(work)
        except IllegalMove:
            after = self.row()
            assert (after.status, after.version, after.assignee) == (before.status, before.version, before.assignee)
            return
        after = self.row()
        _, now = self.do(self.stage.board.ticket(1))
        assert len(now) > len(events) and after.version > before.version
        if after.status != before.status:
            assert Status(after.status) in MOVES[Status(before.status)], (before.status, after.status)

    @rule(agent=agents)
    def claim(self, agent: str) -> None:
        self.attempt(self.stage.queue.claim(1, agent))

    @rule(agent=agents)
    def reply(self, agent: str) -> None:
        self.attempt(self.stage.queue.reply(1, agent, "您好"))

    @rule(agent=agents)
    def wait_for_field(self, agent: str) -> None:
        self.attempt(self.stage.queue.wait_for_field(1, agent, "派人"))

    @rule(agent=agents)
    def resolve(self, agent: str) -> None:
        self.attempt(self.stage.queue.resolve(1, agent, "好了"))

    @rule(agent=agents)
    def reopen(self, agent: str) -> None:
        self.attempt(self.stage.queue.reopen(1, agent, "又来了"))

    @rule(agent=agents)
    def close(self, agent: str) -> None:
        self.attempt(self.stage.queue.close(1, agent, "完"))

    @rule(agent=agents, team=st.sampled_from(["billing", "repair", "nobody"]))
    def to_team(self, agent: str, team: str) -> None:
        self.attempt(self.stage.queue.transfer(1, agent, "", team=team))

    @rule(agent=agents, other=agents)
    def to_colleague(self, agent: str, other: str) -> None:
        self.attempt(self.stage.queue.transfer(1, agent, "", assignee=other))

    @rule(priority=st.sampled_from(["P1", "P2", "P4", "P9"]), lock=st.booleans())
    def set_priority(self, priority: str, lock: bool) -> None:
        self.attempt(self.stage.queue.set_priority(1, "li", priority, "试", lock=lock))

    @rule(minutes=st.integers(1, 3000))
    def customer_writes(self, minutes: int) -> None:
        self.stage.now += timedelta(minutes=minutes)
        self.do(self.stage.say("a", f"在吗{next(self.numbers)}"))

    @rule(minutes=st.integers(1, 3000))
    def time_passes(self, minutes: int) -> None:
        self.stage.now += timedelta(minutes=minutes)
        self.do(self.stage.rounds.once())

    @invariant()
    def who_has_it_follows_the_state(self) -> None:
        row = self.row()
        assert (row.assignee is None) == (row.status in UNCLAIMED) or row.status in (Status.RESOLVED, Status.CLOSED)
        assert row.rank == -total(row)
        assert (row.ages_at is not None) == (row.status in UNCLAIMED)

    @invariant()
    def clocks_run_only_while_something_is_due(self) -> None:
        clocks = self.do(self._clocks())
        status = Status(self.row().status)
        if status not in OPEN:
            assert all(clock.running_since is None for clock in clocks)
        if status is Status.WAITING_CUSTOMER:
            assert all(clock.running_since is None for clock in clocks if clock.kind == "resolve")

    @invariant()
    def the_history_is_gapless(self) -> None:
        row, events = self.do(self.stage.board.ticket(1))
        assert sorted({event.version for event in events}) == list(range(1, row.version + 1))

    async def _clocks(self) -> list[ClockRow]:
        async with self.stage.database.read() as session:
            from triage.timing import Timing

            return list(await Timing.of(session, 1))

    def teardown(self) -> None:
        self.do(self.stage.conversations.settle())
        self.do(self.stage.database.close())
        self.loop.close()
        self.folder.cleanup()


TicketLife.TestCase.settings = settings(max_examples=6, stateful_step_count=20, deadline=None)
TestTicketLife = pytest.mark.slow(TicketLife.TestCase)
