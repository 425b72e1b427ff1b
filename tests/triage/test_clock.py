"""The calendars and clocks against a slow reference that walks minute by minute."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage import calendar
from triage.calendar import SHANGHAI, BusinessCalendar, CalendarError
from triage.clock import WARNINGS, ClockKind, Clocks

MINUTE = timedelta(minutes=1)
FIRST = date(2026, 1, 29)
HORIZON = 1440 + 720


def random_calendar(seed: int) -> BusinessCalendar:
    """Any week of up to three shifts a day, some across midnight or overlapping, with holidays and working days."""
    draw = random.Random(seed)

    def shift() -> tuple[int, int]:
        begins = draw.randrange(1440)
        return begins, min(begins + draw.randint(1, 1200), 2880)

    def days() -> frozenset[date]:
        return frozenset(FIRST + timedelta(days=draw.randrange(13)) for _ in range(draw.randrange(4)))

    week = {day: [shift() for _ in range(draw.randrange(4))] for day in draw.sample(range(7), draw.randint(3, 7))}
    return BusinessCalendar("random", week, days(), days(), draw.randrange(7))


# made from a seed: two thousand calendars drawn piece by piece would take a minute
calendars = st.integers(0, 2**32).map(random_calendar)
starts = st.integers(1440, 4 * 1440).map(lambda m: datetime(2026, 1, 29, tzinfo=SHANGHAI) + m * MINUTE)


def is_open(found: BusinessCalendar, minute: datetime) -> bool:
    """The reference: is this one minute inside any shift that began today or the day before?"""
    local = minute  # already Shanghai
    for back in (0, 1):
        day = local.date() - timedelta(days=back)
        if day in found.working:
            shifts = found.week.get(found.working_as, ())
        elif day in found.holidays:
            shifts = ()
        else:
            shifts = found.week.get(day.weekday(), ())
        of_day = local.hour * 60 + local.minute + back * 1440
        if any(first <= of_day < last for first, last in shifts):
            return True
    return False


def slow_add(found: BusinessCalendar, start: datetime, minutes: int) -> datetime | None:
    moment, left = start, minutes
    for _ in range(HORIZON):
        if left == 0:
            return moment
        left -= is_open(found, moment)
        moment += MINUTE
    return moment if left == 0 else None


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(found=calendars, start=starts, minutes=st.integers(0, 300))
def test_due_times_agree_with_the_minute_by_minute_reference(
    found: BusinessCalendar, start: datetime, minutes: int
) -> None:
    expected = slow_add(found, start, minutes)
    try:
        due = found.add(start, minutes * MINUTE)
    except CalendarError:
        assert expected is None
        return
    if expected is None:
        assert due > start + HORIZON * MINUTE
        return
    assert due == expected
    assert found.between(start, due) == minutes * MINUTE


@settings(max_examples=200, deadline=None)
@given(
    found=calendars,
    start=starts,
    target=st.integers(20, 600),
    changes=st.lists(st.tuples(st.sampled_from(["pause", "resume", "target"]), st.integers(1, 400)), max_size=6),
)
def test_pauses_and_policy_edits_keep_what_has_elapsed(
    found: BusinessCalendar, start: datetime, target: int, changes: list[tuple[str, int]]
) -> None:
    clocks = Clocks({"random": found})
    try:
        row = clocks.start(1, ClockKind.RESOLVE, target * MINUTE, "random", start)
        counted, running, now = 0, True, start
        for change, minutes in changes:
            for _ in range(minutes):
                counted += running and is_open(found, now)
                now += MINUTE
            assert clocks.elapsed(row, now) == counted * MINUTE
            match change:
                case "pause":
                    clocks.pause(row, now)
                    running = False
                case "resume":
                    clocks.resume(row, now)
                    running = True
                case "target":
                    target += 30
                    clocks.retarget(row, target * MINUTE, now)
            assert clocks.elapsed(row, now) == counted * MINUTE
            assert (row.due_at is None) == (not running)
        clocks.resume(row, now)
        expected = slow_add(found, now, max(0, target - counted))
        if expected is not None and target > counted:
            assert row.due_at == expected
    except CalendarError:
        assert slow_add(found, start, 600 + 30 * len(changes)) is None


@settings(max_examples=200, deadline=None)
@given(found=calendars, start=starts, target=st.integers(10, 300).map(lambda n: n * 2))
def test_each_warning_comes_once_and_when_its_part_has_elapsed(
    found: BusinessCalendar, start: datetime, target: int
) -> None:
    clocks = Clocks({"random": found})
    try:
        row = clocks.start(1, ClockKind.FIRST_RESPONSE, target * MINUTE, "random", start)
    except CalendarError:
        return
    seen = []
    while row.warn_at is not None:
        now = row.warn_at
        assert clocks.warn(row, now - MINUTE / 60) is None
        seen.append(clocks.warn(row, now))
        assert clocks.elapsed(row, now) >= target * MINUTE * (seen[-1] or 0) / 100
    assert tuple(seen) == WARNINGS


def test_a_late_look_gives_only_the_highest_warning() -> None:
    clocks = Clocks()
    start = datetime(2026, 11, 24, 2, tzinfo=UTC)
    row = clocks.start(1, ClockKind.FIRST_RESPONSE, timedelta(minutes=10), "always", start)
    assert clocks.warn(row, start + timedelta(minutes=9)) == 80
    assert clocks.warn(row, start + timedelta(minutes=11)) == 100
    assert clocks.warn(row, start + timedelta(minutes=99)) is None
    assert clocks.breached(row, start + timedelta(minutes=11))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-11-20T10:00", 5, "2026-11-27T10:00"),  # one weekend
        ("2026-09-30T17:00", 1, "2026-10-08T17:00"),  # the whole of National Day
        ("2026-10-09T14:00", 1, "2026-10-10T14:00"),  # 10 October is a working Saturday
        ("2026-02-13T18:00", 1, "2026-02-14T18:00"),  # so is 14 February, before the Spring Festival
        ("2026-02-14T18:00", 1, "2026-02-24T18:00"),
    ],
)
def test_the_working_days_of_2026(start: str, days: int, due: str) -> None:
    assert calendar.load()["office"].add(at(start), timedelta(hours=8 * days)) == at(due)


def test_a_night_shift_belongs_to_the_day_it_begins_on() -> None:
    night = BusinessCalendar("night", {4: [(22 * 60, 30 * 60)]})  # Friday 22:00 to Saturday 06:00
    assert night.between(at("2026-11-20T00:00"), at("2026-11-22T00:00")) == timedelta(hours=8)
    assert night.add(at("2026-11-20T12:00"), timedelta(hours=5)) == at("2026-11-21T03:00")


def test_a_wrong_calendar_file_is_refused_with_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "calendars.yml"
    for text in ("calendars: {always: {holidays: false}}", "calendars: {always: {mon-fri: ['9-25'], holidays: 1}}"):
        file.write_text(f"{text}\nholidays: []\nworking_weekends: []\n")
        with pytest.raises(CalendarError, match="calendars.yml"):
            calendar.load(file)
