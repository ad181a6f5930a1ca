"""Free times are true: against an oracle that goes from minute to minute and looks at the doctor's clock."""

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appointments.slots import (
    Exceptional,
    Hours,
    Opening,
    Rule,
    Slot,
    Taken,
    Terms,
    blocked_range,
    covers,
    each_free,
    free_slots,
    hours_of,
    openings,
    stretches,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# Each with the days around which the clock does something.
STRANGE_DAYS = {
    "Europe/Zurich": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # by half an hour
    "Pacific/Apia": (date(2011, 12, 30),),  # which did not exist there
    "America/Sao_Paulo": (date(2018, 2, 17), date(2018, 11, 4)),  # at midnight
    "America/St_Johns": (date(2010, 11, 6), date(2010, 3, 14)),  # a minute after it: yesterday comes back
    "Asia/Kathmandu": (date(2026, 6, 1),),
    "UTC": (date(2026, 6, 1),),
}


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def terms_in(zone: str, *rules: Rule, lengths: tuple[int, ...] = (30,), **others: object) -> Terms:
    return Terms(ZoneInfo(zone), lengths, rules=rules, **others)  # type: ignore[arg-type]


def every_day(begins: int, ends: int, place: str = "clinic", for_urgent: bool = False) -> tuple[Rule, ...]:
    return tuple(Rule(weekday, Hours(begins, ends, place, for_urgent)) for weekday in range(7))


def all_free(terms: Terms, since: datetime, until: datetime, **others: object) -> list[Slot]:
    """Asked long before, by somebody who may have everything."""
    options = {"taken": [], "length": terms.step, "now": since - DAY, "urgent": True, **others}
    return free_slots(terms, since=since, until=until, **options)  # type: ignore[arg-type]


# The oracle


def interval_at(terms: Terms, instant: datetime) -> Hours | None:
    """The interval of the day that the doctor's clock then shows a time of."""
    local = instant.astimezone(terms.zone)
    shown = local.hour * 60 + local.minute
    return next((one for one in hours_of(terms, local.date()) if one.begins <= shown < one.ends), None)


def day_of(terms: Terms, instant: datetime) -> date:
    return instant.astimezone(terms.zone).date()


def clear(terms: Terms, taken: list[Taken], start: datetime, end: datetime) -> bool:
    low, high = blocked_range(terms, start, end)
    return all(block.blocked_until <= low or high <= block.blocked_from for block in taken)


def oracle(
    terms: Terms,
    taken: list[Taken],
    *,
    length: int,
    now: datetime,
    since: datetime,
    until: datetime,
    urgent: bool,
) -> list[Slot]:
    """Minute by minute, as slowly as one would do it by hand."""
    first = since.replace(second=0, microsecond=0) - 2 * DAY
    minutes = [first + number * MINUTE for number in range((until + 2 * DAY - first) // MINUTE)]
    shown = {minute: interval_at(terms, minute) for minute in minutes}
    days = [day_of(terms, block.start) for block in taken]
    found, origin = [], first
    for minute, before in zip(minutes[1:], minutes[:-1], strict=True):
        here = shown[minute]
        same = here is not None and here == shown[before]
        if not (same and continues_day(terms, before, minute)):
            origin = minute  # an interval begins: so does its grid
        if here is None or (minute - origin) % (terms.step * MINUTE):
            continue
        if not (max(since, now + terms.notice_hours * HOUR) <= minute < until):
            continue
        if minute >= now + terms.horizon_days * DAY:
            continue
        inside = [shown.get(minute + number * MINUTE) for number in range(length)]
        alike = all(
            one is not None and (one.place, one.for_urgent) == (here.place, here.for_urgent) for one in inside
        )
        kept = here.for_urgent and minute > now + terms.release_hours * HOUR
        full = terms.visits_a_day is not None and days.count(day_of(terms, minute)) >= terms.visits_a_day
        end = minute + length * MINUTE
        if alike and not full and (urgent or not kept) and clear(terms, taken, minute, end):
            found.append(Slot(minute, end, here.place, kept))
    return found


def continues_day(terms: Terms, before: datetime, minute: datetime) -> bool:
    return day_of(terms, before) == day_of(terms, minute)


# What may be entered

zones = st.sampled_from(sorted(STRANGE_DAYS))
quarters = st.integers(0, 95).map(lambda number: number * 15)


@st.composite
def hours(draw: st.DrawFn) -> Hours:
    begins = draw(quarters | st.integers(0, 1439))
    ends = draw(st.integers(begins + 1, 1440) | st.just(1440))
    return Hours(begins, ends, draw(st.sampled_from(["clinic", "video"])), draw(st.booleans()))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Terms, list[Taken], dict[str, object]]:
    zone = draw(zones)
    strange = draw(st.sampled_from(STRANGE_DAYS[zone]))
    near = st.integers(-2, 2).map(lambda number: strange + timedelta(days=number))
    rules: list[Rule] = []
    for weekday in range(7):
        for one in draw(st.lists(hours(), max_size=3)):
            # As the services see to it, rules of a day do not lie over each other.
            if all(one.ends <= other.hours.begins or other.hours.ends <= one.begins
                   for other in rules if other.weekday == weekday):  # fmt: skip
                rules.append(Rule(weekday, one, draw(st.none() | near), draw(st.none() | near)))
    exceptions = []
    for kind in draw(st.lists(st.sampled_from(["off", "extra", "changed"]), max_size=3)):
        days = sorted((draw(near), draw(near)))
        exceptions.append(Exceptional(kind, days[0], days[1], draw(hours())))
    lengths = tuple(sorted(draw(st.sets(st.sampled_from([15, 30, 45, 60]), min_size=1))))
    terms = Terms(
        ZoneInfo(zone),
        lengths,
        buffer_before=draw(st.sampled_from([0, 0, 5, 20])),
        buffer_after=draw(st.sampled_from([0, 0, 5, 20])),
        notice_hours=draw(st.sampled_from([0, 0, 7])),
        horizon_days=draw(st.sampled_from([1, 3, 60])),
        visits_a_day=draw(st.sampled_from([None, None, 1, 2])),
        release_hours=draw(st.sampled_from([0, 10, 24])),
        rules=tuple(rules),
        exceptions=tuple(exceptions),
    )
    noon = datetime(strange.year, strange.month, strange.day, 12, tzinfo=UTC)
    since = noon + draw(st.integers(-40 * 60, 20 * 60)) * MINUTE
    taken = []
    for _ in range(draw(st.integers(0, 6))):
        start = noon + draw(st.integers(-4 * 96, 4 * 96)) * 15 * MINUTE
        low = start - draw(st.sampled_from([0, 5, 40])) * MINUTE
        high = start + draw(st.sampled_from([15, 30, 60, 75])) * MINUTE
        taken.append(Taken(low, high, start))
    asked = {
        "length": draw(st.sampled_from(lengths)),
        "now": since
        - draw(st.integers(-120, 30 * 60)) * MINUTE
        + timedelta(seconds=draw(st.integers(0, 59))),
        "since": since,
        "until": since + draw(st.integers(1, 36 * 60)) * MINUTE,
        "urgent": draw(st.booleans()),
    }
    return terms, taken, asked


@settings(max_examples=60, deadline=None)
@given(cases())
def test_free_times_are_exactly_what_the_clock_on_the_wall_says(
    case: tuple[Terms, list[Taken], dict[str, object]],
) -> None:
    terms, taken, asked = case
    assert free_slots(terms, taken, **asked) == oracle(terms, taken, **asked)  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(cases())
def test_free_times_keep_clear_of_visits_and_inside_of_the_rules(
    case: tuple[Terms, list[Taken], dict[str, object]],
) -> None:
    terms, taken, asked = case
    free = free_slots(terms, taken, **asked)  # type: ignore[arg-type]
    assert free == sorted(free)
    assert len({slot.start for slot in free}) == len(free)
    for slot in free:
        assert slot.end - slot.start == asked["length"] * MINUTE  # type: ignore[operator]
        assert clear(terms, taken, slot.start, slot.end)
        for minute in (slot.start, slot.end - MINUTE):
            interval = interval_at(terms, minute)
            assert interval is not None
            assert interval.place == slot.place


@settings(max_examples=100, deadline=None)
@given(cases(), st.integers(1, 35 * 60))
def test_it_does_not_matter_how_the_question_is_cut(
    case: tuple[Terms, list[Taken], dict[str, object]], minutes: int
) -> None:
    """The grid belongs to the hours, not to whoever asks from when to when."""
    terms, taken, asked = case
    whole = free_slots(terms, taken, **asked)  # type: ignore[arg-type]
    cut = min(asked["since"] + minutes * MINUTE, asked["until"])  # type: ignore[operator, call-overload]
    parts = free_slots(terms, taken, **asked | {"until": cut}) + free_slots(  # type: ignore[arg-type]
        terms,
        taken,
        **asked | {"since": cut},  # type: ignore[arg-type]
    )
    assert parts == whole
    assert next(each_free(terms, taken, **asked), None) == (whole[0] if whole else None)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(cases())
def test_openings_are_the_minutes_that_are_open(
    case: tuple[Terms, list[Taken], dict[str, object]],
) -> None:
    terms, _taken, asked = case
    first = day_of(terms, asked["since"])  # type: ignore[arg-type]
    found = openings(terms, first, first)
    assert found == sorted(found)
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    for number in range(-16 * 60, 40 * 60):
        minute = midnight + number * MINUTE
        interval = interval_at(terms, minute) if day_of(terms, minute) == first else None
        inside = [one for one in found if one.start <= minute < one.end]
        assert [(one.place, one.for_urgent) for one in inside] == (
            [(interval.place, interval.for_urgent)] if interval else []
        )


# Days that are not as long as others


@pytest.mark.parametrize(
    ("zone", "day", "long"),
    [
        ("Europe/Zurich", date(2026, 3, 29), 23),
        ("Europe/Zurich", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Pacific/Apia", date(2011, 12, 30), 0),
        ("Pacific/Apia", date(2011, 12, 29), 24),
        ("Pacific/Apia", date(2011, 12, 31), 24),
    ],
)
def test_a_day_is_as_long_as_it_is(zone: str, day: date, long: float) -> None:
    found = openings(terms_in(zone, *every_day(0, 1440)), day, day)
    assert sum(((one.end - one.start) / HOUR for one in found), start=0.0) == long
    assert len(found) <= 1  # a change of the clock cuts nothing


def test_a_time_that_the_clock_jumps_over_is_not_offered() -> None:
    terms = terms_in("Europe/Zurich", *every_day(120, 180))
    assert openings(terms, date(2026, 3, 29), date(2026, 3, 29)) == []
    across = terms_in("Europe/Zurich", *every_day(90, 210))
    free = all_free(across, utc(2026, 3, 28, 12), utc(2026, 3, 29, 12))
    assert [slot.start for slot in free] == [utc(2026, 3, 29, 0, 30), utc(2026, 3, 29, 1)]


def test_a_time_that_comes_twice_is_offered_twice() -> None:
    terms = terms_in("Europe/Zurich", *every_day(150, 180))
    free = all_free(terms, utc(2026, 10, 24, 12), utc(2026, 10, 25, 12))
    assert [slot.start for slot in free] == [utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30)]
    shown = [slot.start.astimezone(terms.zone).strftime("%H:%M") for slot in free]
    assert shown == ["02:30", "02:30"]


def test_a_visit_may_lie_across_a_change_of_the_clock() -> None:
    terms = terms_in("America/New_York", *every_day(90, 210), lengths=(60,))
    free = all_free(terms, utc(2026, 3, 8), utc(2026, 3, 9))
    assert [(slot.start, slot.end) for slot in free] == [(utc(2026, 3, 8, 6, 30), utc(2026, 3, 8, 7, 30))]


def test_a_year_far_ahead_has_its_changes_too() -> None:
    terms = terms_in("Europe/Zurich", *every_day(0, 1440))
    (found,) = openings(terms, date(2060, 3, 28), date(2060, 3, 28))
    assert found.end - found.start == 23 * HOUR


# What joins


@pytest.mark.parametrize("ahead", [0, 3, 10])
def test_a_visit_over_midnight_is_found_whenever_the_search_ends(ahead: int) -> None:
    """Its end lies on a day that nobody asked for."""
    terms = terms_in("Europe/Zurich", *every_day(0, 1440), lengths=(15, 60))
    since = utc(2026, 6, 1, 21, 30) - ahead * DAY
    free = all_free(terms, since, utc(2026, 6, 1, 21, 50), length=60)
    assert free[-1].start == utc(2026, 6, 1, 21, 45)


def test_a_day_that_comes_back_is_open_again() -> None:
    """At one minute past midnight the clock goes back to 23:01 of the day before."""
    terms = terms_in("America/St_Johns", *every_day(1410, 1440), lengths=(15,))
    midnight = utc(2010, 11, 7, 2, 30)
    free = all_free(terms, midnight, midnight + 3 * HOUR)
    assert [slot.start for slot in free] == [midnight + 30 * MINUTE, midnight + 45 * MINUTE]
    assert {str(day_of(terms, slot.start)) for slot in free} == {"2010-11-06"}


def test_hours_go_on_over_midnight_for_one_visit() -> None:
    monday, tuesday = Rule(0, Hours(1380, 1440, "video")), Rule(1, Hours(0, 60, "video"))
    terms = terms_in("Europe/Zurich", monday, tuesday, lengths=(30, 45))
    free = all_free(terms, utc(2026, 6, 1, 12), utc(2026, 6, 2, 12), length=45)
    local = [slot.start.astimezone(terms.zone).strftime("%a %H:%M") for slot in free]
    assert local == ["Mon 23:00", "Mon 23:30", "Tue 00:00"]


@pytest.mark.parametrize(
    ("second", "joins"),
    [
        (Hours(600, 660, "video"), True),
        (Hours(600, 660, "clinic"), False),
        (Hours(600, 660, "video", for_urgent=True), False),
        (Hours(601, 661, "video"), False),
    ],
)
def test_intervals_join_where_place_and_urgency_are_the_same(second: Hours, joins: bool) -> None:
    terms = terms_in("UTC", Rule(0, Hours(540, 600, "video")), Rule(0, second), lengths=(45, 60))
    free = all_free(terms, utc(2026, 6, 1), utc(2026, 6, 2), length=60)
    across = Slot(utc(2026, 6, 1, 9, 45), utc(2026, 6, 1, 10, 45), "video")
    assert (across in free) is joins
    assert len(openings(terms, date(2026, 6, 1), date(2026, 6, 1))) == (1 if joins else 2)


def test_each_interval_has_its_own_grid() -> None:
    rules = (Rule(0, Hours(540, 610, "video")), Rule(0, Hours(610, 670, "video")))
    free = all_free(terms_in("UTC", *rules), utc(2026, 6, 1), utc(2026, 6, 2))
    assert [slot.start.strftime("%H:%M") for slot in free] == ["09:00", "09:30", "10:00", "10:10", "10:40"]


# Exceptions


def hours_on(*exceptions: Exceptional) -> list[tuple[int, int]]:
    terms = terms_in("UTC", Rule(0, Hours(540, 720, "clinic")), exceptions=exceptions)
    return [(one.begins, one.ends) for one in hours_of(terms, date(2026, 6, 1))]


def on_monday(kind: str, begins: int, ends: int) -> Exceptional:
    return Exceptional(kind, date(2026, 6, 1), date(2026, 6, 1), Hours(begins, ends, "clinic"))


def test_exceptions_close_open_and_change() -> None:
    assert hours_on() == [(540, 720)]
    assert hours_on(on_monday("off", 0, 1440)) == []
    assert hours_on(on_monday("off", 600, 615)) == [(540, 600), (615, 720)]
    assert hours_on(on_monday("off", 720, 800)) == [(540, 720)]
    assert hours_on(on_monday("extra", 800, 860)) == [(540, 720), (800, 860)]
    assert hours_on(on_monday("extra", 500, 600)) == [(500, 600), (600, 720)]
    assert hours_on(on_monday("changed", 60, 90), on_monday("changed", 120, 180)) == [(60, 90), (120, 180)]
    assert hours_on(on_monday("changed", 60, 90), on_monday("off", 0, 1440)) == []


def test_rules_hold_from_and_until_their_days() -> None:
    rule = Rule(0, Hours(540, 600, "clinic"), date(2026, 6, 8), date(2026, 6, 15))
    days = [one.start.date() for one in openings(terms_in("UTC", rule), date(2026, 6, 1), date(2026, 6, 30))]
    assert days == [date(2026, 6, 8), date(2026, 6, 15)]


# Notice, horizon, limits, what is kept for urgent cases


def test_notice_and_horizon_are_kept_to_the_minute() -> None:
    terms = terms_in("UTC", *every_day(0, 1440), notice_hours=2, horizon_days=1)
    now = utc(2026, 6, 1, 8)
    free = all_free(terms, now, now + 5 * DAY, now=now)
    assert (free[0].start, free[-1].start) == (now + 2 * HOUR, now + DAY - 30 * MINUTE)
    later = all_free(terms, now, now + 5 * DAY, now=now + timedelta(microseconds=1))
    assert later[0].start == now + 2 * HOUR + 30 * MINUTE


def test_a_day_that_is_full_offers_nothing() -> None:
    terms = terms_in("America/New_York", *every_day(0, 1440), visits_a_day=1)
    late = utc(2026, 6, 2, 3, 30)  # the evening of the first there
    taken = [Taken(late, late + 30 * MINUTE, late)]
    days = {
        day_of(terms, slot.start)
        for slot in all_free(terms, utc(2026, 6, 1, 4), utc(2026, 6, 4, 4), taken=taken)
    }
    assert days == {date(2026, 6, 2), date(2026, 6, 3)}


def test_what_is_kept_for_urgent_cases_opens_by_itself() -> None:
    terms = terms_in("UTC", *every_day(0, 1440, for_urgent=True), release_hours=24)
    now = utc(2026, 6, 1, 8)
    anybody = all_free(terms, now, now + 3 * DAY, now=now, urgent=False)
    assert anybody[-1].start == now + DAY
    assert not any(slot.for_urgent for slot in anybody)
    urgent = all_free(terms, now, now + 3 * DAY, now=now)
    assert [slot.for_urgent for slot in urgent] == [slot.start > now + DAY for slot in urgent]


def test_a_length_that_the_doctor_does_not_have_is_never_free() -> None:
    terms = terms_in("UTC", *every_day(0, 1440))
    assert all_free(terms, utc(2026, 6, 1), utc(2026, 6, 2), length=45) == []


def test_buffers_lie_between_visits_and_may_leave_the_hours() -> None:
    terms = terms_in("UTC", Rule(0, Hours(540, 660, "clinic")), buffer_before=10, buffer_after=10)
    visit = utc(2026, 6, 1, 9, 30)
    low, high = blocked_range(terms, visit, visit + 30 * MINUTE)
    free = all_free(terms, utc(2026, 6, 1), utc(2026, 6, 2), taken=[Taken(low, high, visit)])
    assert [slot.start.strftime("%H:%M") for slot in free] == ["10:30"]


# What lies inside


@pytest.mark.parametrize(
    ("start", "minutes", "place", "inside"),
    [
        (utc(2026, 6, 1, 9), 60, "clinic", True),
        (utc(2026, 6, 1, 9, 30), 60, "clinic", True),  # kept for urgent cases or not: open
        (utc(2026, 6, 1, 8, 59), 30, "clinic", False),
        (utc(2026, 6, 1, 10, 45), 30, "clinic", False),
        (utc(2026, 6, 1, 9), 60, "video", False),
        (utc(2026, 6, 2, 9), 60, "clinic", False),
    ],
)
def test_what_lies_inside_of_the_hours(start: datetime, minutes: int, place: str, inside: bool) -> None:
    rules = (Rule(0, Hours(540, 600, "clinic")), Rule(0, Hours(600, 660, "clinic", for_urgent=True)))
    found = stretches(terms_in("UTC", *rules), start, start)
    assert found == [Opening(utc(2026, 6, 1, 9), utc(2026, 6, 1, 11), "clinic", False)]
    assert covers(found, start, start + minutes * MINUTE, place) is inside


# Quick


@pytest.mark.parametrize("zone", ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe"])
def test_a_month_of_one_doctor_takes_under_50_ms(zone: str) -> None:
    """Of the processor's time, the best of some: others may be at work on this machine."""
    now = utc(2026, 3, 10, 7, 3)
    terms = terms_in(
        zone,
        *every_day(0, 720),
        *every_day(720, 1440, "video"),
        lengths=(15, 30),
        buffer_after=5,
        exceptions=tuple(
            Exceptional("off", day, day, Hours(0, 1440, "clinic"))
            for day in (now.date() + timedelta(days=7 * week) for week in range(-50, 50))
        ),
    )
    taken = [
        Taken(start, start + 35 * MINUTE, start)
        for start in (now + number * 3 * HOUR for number in range(240))
    ]
    best = 1.0
    for _ in range(5):
        before = time.process_time()
        free = free_slots(terms, taken, length=15, now=now, since=now, until=now + 31 * DAY)
        best = min(best, time.process_time() - before)
        assert len(free) > 1000
    assert best < 0.05
