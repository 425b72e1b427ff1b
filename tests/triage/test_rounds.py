"""What the passing of time does: warnings, escalation, apologies before a told time breaks."""

from datetime import date, timedelta

from tests.triage.stage import Stage, Url, run
from triage.clock import ClockKind
from triage.promise import PromiseBook


def test_a_told_time_is_moved_with_an_apology_before_it_breaks(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        conversation = await stage.hand_off("a", "电表走得太快")
        before = len(await stage.texts(conversation))
        stage.now += timedelta(minutes=7)
        assert await stage.rounds.apologise() == 0
        stage.now += timedelta(minutes=1)  # 8 of the 10 minutes that were told
        assert await stage.rounds.apologise() == 1
        assert await stage.rounds.apologise() == 0
        (said,) = await stage.texts(conversation, before)
        assert said.startswith("抱歉让您久等了") and "10:20前" in said
        row, events = await stage.board.ticket(1)
        assert events[-1].kind == "new_time"
        assert row.first_response_due == row.created_at + timedelta(minutes=10)  # our own clock does not move

    run(database_url(), scene)


def test_no_apology_once_it_was_kept_or_while_the_customer_is_waited_for(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.hand_off("a", "电表走得太快")
        await stage.queue.claim(1, "li")
        await stage.queue.reply(1, "li", "您好")
        stage.now += timedelta(days=20)
        assert await stage.rounds.apologise() == 0

    run(database_url(), scene)


def test_a_pause_moves_the_told_time_without_an_apology(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        conversation = await stage.hand_off("a", "电表走得太快")
        await stage.queue.claim(1, "li")
        await stage.queue.reply(1, "li", "请提供户号")
        stage.now += timedelta(days=3)
        await stage.say("a", "3310000017")
        await stage.rounds.apologise()
        assert "顺延" in (await stage.texts(conversation))[-1]

    run(database_url(), scene)


def test_a_quick_answer_moves_nothing_and_apologises_for_nothing(database_url: Url) -> None:
    """Whoever answers within seconds, or outside working hours, is not told of another time."""

    async def scene(stage: Stage) -> None:
        conversation = await stage.hand_off("a", "电表走得太快")
        await stage.queue.claim(1, "li")
        for wait in (timedelta(seconds=5), timedelta(minutes=3)):
            await stage.queue.reply(1, "li", "请提供户号")
            stage.now += wait
            await stage.say("a", f"3310000017 {wait}")
            assert await stage.rounds.apologise() == 0
        assert not any("抱歉" in text or "顺延" in text for text in await stage.texts(conversation))

    run(database_url(), scene)


def test_warnings_come_at_half_four_fifths_and_the_end(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.hand_off("a", "电表走得太快")
        version = (await stage.board.ticket(1))[0].version
        for _ in range(12):
            stage.now += timedelta(minutes=1)
            await stage.rounds.warn()
        row, events = await stage.board.ticket(1)
        warned = [(e.detail["percent"], e.at - row.created_at) for e in events if e.kind == "warning"]
        assert warned == [(50, timedelta(minutes=5)), (80, timedelta(minutes=8)), (100, timedelta(minutes=10))]
        assert row.version == version  # nobody's work becomes stale by it

    run(database_url(), scene)


def test_a_handoff_nobody_claims_for_a_minute_is_escalated_once(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.hand_off("a", "电表走得太快")
        await stage.hand_off("b", "电表坏了")
        await stage.queue.claim(2, "li")
        with stage.bell.listen("desk") as rings:
            stage.now += timedelta(seconds=59)
            assert await stage.rounds.escalate() == 0
            stage.now += timedelta(seconds=1)
            assert await stage.rounds.escalate() == 1
            assert await stage.rounds.escalate() == 0
            assert (await rings.get())["type"] == "escalated"

    run(database_url(), scene)


def test_the_notice_of_a_handoff_tells_place_and_an_honest_wait(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        first = await stage.hand_off("a", "电表走得太快")
        notices = [text for text in await stage.texts(first) if "工单号" in text]
        assert len(notices) == 1 and "您排在最前面" in notices[0] and "预计等待" not in notices[0]
        for n in range(6):
            await stage.hand_off(f"x{n}", "电表坏了")
            await stage.queue.claim_next("li")
        later = await stage.hand_off("b", "电表停了")
        notice = next(text for text in await stage.texts(later) if "工单号" in text)
        assert "前面还有1位" in notice and "预计等待1到20分钟" in notice

    run(database_url(), scene)


def test_the_newest_most_specific_promise_in_force_counts() -> None:
    book = PromiseBook.load()
    town = book.find(ClockKind.FIELD_ARRIVAL, "outage", date(2026, 11, 24))
    country = book.find(ClockKind.FIELD_ARRIVAL, "outage", date(2026, 11, 24), "rural")
    assert town is not None and town.target == timedelta(minutes=45) and "一般" in town.told
    assert country is not None and country.target == timedelta(minutes=90)
    assert book.find(ClockKind.FIELD_ARRIVAL, "billing", date(2026, 11, 24)) is None
    assert book.find(ClockKind.FIELD_ARRIVAL, "outage", date(2019, 1, 1)) is None


def test_a_changed_policy_moves_due_times_and_keeps_what_has_elapsed(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.file("a", "P2 电表坏了")
        stage.now += timedelta(minutes=12)
        assert await stage.queue.apply_policy() == 0
        stage.strict(first_response=timedelta(minutes=20))
        assert await stage.queue.apply_policy() == 1
        row, _ = await stage.board.ticket(1)
        assert row.first_response_due == row.created_at + timedelta(minutes=20)
        assert await stage.queue.apply_policy() == 0

    run(database_url(), scene)


def test_a_customer_who_then_waits_in_the_chat_is_answered_that_soon(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.file("a", "P3 电表坏了")
        stage.now += timedelta(hours=20)
        await stage.hand_off("a")
        row, _ = await stage.board.ticket(1)
        assert row.first_response_due == stage.now + timedelta(minutes=10) and row.due_at == row.first_response_due

    run(database_url(), scene)
