"""From rules, exceptions and what is taken to free times. Pure: no database, no clock, all in UTC.

An instant is open if the clock on the doctor's wall then shows a time inside of that day's hours. So hours
that the clock jumps over do not exist, hours that it shows twice are open twice, and a day may have 23 or 25.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Hours:
    """An interval of a day, in minutes since midnight on the clock; `ends` may be 1440."""

    begins: int
    ends: int
    place: str
    for_urgent: bool = False


@dataclass(frozen=True)
class Rule:
    """`hours` on every `weekday` (0 is Monday) from and until these days, both included."""

    weekday: int
    hours: Hours
    valid_from: date | None = None
    valid_until: date | None = None

    def holds_on(self, day: date) -> bool:
        return (
            day.weekday() == self.weekday
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_until is None or day <= self.valid_until)
        )


@dataclass(frozen=True)
class Exceptional:
    """`kind` is "off", "extra" or "changed"; see models.ScheduleException."""

    kind: str
    first_day: date
    last_day: date
    hours: Hours

    def holds_on(self, day: date) -> bool:
        return self.first_day <= day <= self.last_day


@dataclass(frozen=True)
class Terms:
    """What a doctor's schedule asks of every visit; minutes, hours and days as their names say."""

    zone: ZoneInfo
    lengths: tuple[int, ...]
    buffer_before: int = 0
    buffer_after: int = 0
    notice_hours: int = 0
    horizon_days: int = 60
    visits_a_day: int | None = None
    release_hours: int = 24
    rules: tuple[Rule, ...] = ()
    exceptions: tuple[Exceptional, ...] = ()

    @property
    def step(self) -> int:
        """Minutes between two beginnings that are offered: the shortest visit."""
        return min(self.lengths)


@dataclass(frozen=True, order=True)
class Opening:
    """A stretch of time in which visits may lie, UTC."""

    start: datetime
    end: datetime
    place: str
    for_urgent: bool


@dataclass(frozen=True, order=True)
class Slot:
    """A time that can be booked, UTC."""

    start: datetime
    end: datetime
    place: str
    for_urgent: bool = False  # still kept for urgent cases


@dataclass(frozen=True)
class Taken:
    """Time that a visit blocks, its buffers included, and the visit's own beginning, UTC."""

    blocked_from: datetime
    blocked_until: datetime
    start: datetime


def hours_of(terms: Terms, day: date) -> list[Hours]:
    """What the clock must show on that day for the doctor to be open, what is closed taken out."""
    exceptions = [exception for exception in terms.exceptions if exception.holds_on(day)]
    changed = [exception.hours for exception in exceptions if exception.kind == "changed"]
    usual = changed or [rule.hours for rule in terms.rules if rule.holds_on(day)]
    open_hours = usual + [exception.hours for exception in exceptions if exception.kind == "extra"]
    for closed in (exception.hours for exception in exceptions if exception.kind == "off"):
        open_hours = [left for hours in open_hours for left in _without(hours, closed)]
    return _apart(open_hours)


def _without(hours: Hours, closed: Hours) -> Iterator[Hours]:
    if closed.ends <= hours.begins or hours.ends <= closed.begins:
        yield hours
        return
    if hours.begins < closed.begins:
        yield Hours(hours.begins, closed.begins, hours.place, hours.for_urgent)
    if closed.ends < hours.ends:
        yield Hours(closed.ends, hours.ends, hours.place, hours.for_urgent)


def _apart(hours: list[Hours]) -> list[Hours]:
    """Where two lie over each other (extra hours over a rule), the one that begins first keeps the time."""
    result: list[Hours] = []
    for one in sorted(hours, key=lambda one: (one.begins, -one.ends)):
        begins = max(one.begins, result[-1].ends if result else 0)
        if begins < one.ends:
            result.append(Hours(begins, one.ends, one.place, one.for_urgent))
    return result


def openings(terms: Terms, first: date, last: date) -> list[Opening]:
    """Stretches of open time that begin on these days of the doctor's calendar, in order."""
    found = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        for hours in hours_of(terms, day):
            found += [
                Opening(start, end, hours.place, hours.for_urgent)
                for start, end in _instants(day, hours.begins, hours.ends, terms.zone)
            ]
    return sorted(found)


def _instants(day: date, begins: int, ends: int, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """Stretches of UTC in which the clock shows a time of that day in [begins, ends)."""
    midnight = datetime.combine(day, datetime.min.time())
    wall = (midnight + begins * MINUTE, midnight + ends * MINUTE)
    first, second = ((wall[0] - offset, wall[1] - offset) for offset in _offsets(wall, zone))
    if first == second:
        return [_utc(first)]
    # The clock changes on this day: each offset counts only while it is in force.
    change = _change(min(first[0], second[0]), max(first[1], second[1]), zone)
    parts = ((first[0], min(first[1], change)), (max(second[0], change), second[1]))
    return _joined([_utc(part) for part in parts if part[0] < part[1]])


def _offsets(wall: tuple[datetime, datetime], zone: ZoneInfo) -> tuple[timedelta, timedelta]:
    """The zone's offsets from UTC before and after that stretch of the clock."""
    early, late = wall[0] - timedelta(hours=3), wall[1] + timedelta(hours=3)
    before, after = early.replace(tzinfo=zone, fold=0), late.replace(tzinfo=zone, fold=1)
    return before.utcoffset() or timedelta(0), after.utcoffset() or timedelta(0)


def _change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The instant (UTC, naive) at which the offset changes, somewhere in between; found to the second."""
    low, high = low - timedelta(hours=4), high + timedelta(hours=4)
    target = _offset_at(high, zone)
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if _offset_at(middle, zone) == target:
            high = middle
        else:
            low = middle
    return high


def _offset_at(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta(0)


def _utc(part: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    return part[0].replace(tzinfo=UTC), part[1].replace(tzinfo=UTC)


def _joined(parts: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Parts that touch become one, so that a visit may lie across a change of the clock."""
    result: list[tuple[datetime, datetime]] = []
    for part in parts:
        if result and result[-1][1] == part[0]:
            result[-1] = (result[-1][0], part[1])
        else:
            result.append(part)
    return result


def free_slots(
    terms: Terms,
    taken: Iterable[Taken],
    *,
    length: int,
    now: datetime,
    since: datetime,
    until: datetime,
    urgent: bool = False,
) -> list[Slot]:
    """Every time in [since, until) at which a visit of `length` minutes can begin, in order.

    Notice and horizon count from `now`; `urgent` opens what is kept for urgent cases. `taken` holds all that
    blocks time from a day before `since` to a day after `until` on the doctor's calendar: the limit of visits
    a day counts there.
    """
    if length not in terms.lengths:
        return []
    since = max(since, now + timedelta(hours=terms.notice_hours))
    until = min(until, now + timedelta(days=terms.horizon_days))
    if since >= until:
        return []
    blocks = sorted(taken, key=lambda one: one.blocked_from)
    full = _full_days(terms, blocks)
    first = (since - timedelta(days=1)).astimezone(terms.zone).date()
    last = (until + timedelta(days=1)).astimezone(terms.zone).date()
    free = []
    for opening in openings(terms, first, last):
        kept = opening.for_urgent and opening.start > now + timedelta(hours=terms.release_hours)
        if kept and not urgent:
            continue
        free += [
            Slot(start, end, opening.place, kept)
            for start, end in _starts(terms, opening, length)
            if since <= start < until
            and start.astimezone(terms.zone).date() not in full
            and not _blocked(terms, blocks, start, end)
        ]
    return free


def _starts(terms: Terms, opening: Opening, length: int) -> Iterator[tuple[datetime, datetime]]:
    start, step, lasts = opening.start, terms.step * MINUTE, length * MINUTE
    while start + lasts <= opening.end:
        yield start, start + lasts
        start += step


def _blocked(terms: Terms, blocks: Sequence[Taken], start: datetime, end: datetime) -> bool:
    low, high = blocked_range(terms, start, end)
    return any(block.blocked_from < high and block.blocked_until > low for block in blocks)


def blocked_range(terms: Terms, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """A visit with the doctor's buffers."""
    return start - terms.buffer_before * MINUTE, end + terms.buffer_after * MINUTE


def _full_days(terms: Terms, blocks: Sequence[Taken]) -> set[date]:
    if terms.visits_a_day is None:
        return set()
    counts: dict[date, int] = {}
    for block in blocks:
        day = block.start.astimezone(terms.zone).date()
        counts[day] = counts.get(day, 0) + 1
    return {day for day, count in counts.items() if count >= terms.visits_a_day}
