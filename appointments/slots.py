"""From rules, exceptions and what is taken to free times. Pure: no database, no clock, all in UTC.

An instant is open if the clock on the doctor's wall then shows a time inside of that day's hours. So hours
that the clock jumps over do not exist, hours that it shows twice are open twice, and a day may have 23 or 25.

Visits begin at every step from the beginning of an interval on. A visit may last into the interval that
follows at once, over midnight too, if place and urgency are the same there.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
_SECOND, _DAY = timedelta(seconds=1), 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


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
            result.append(one if begins == one.begins else Hours(begins, one.ends, one.place, one.for_urgent))
    return result


def openings(terms: Terms, first: date, last: date) -> list[Opening]:
    """Stretches of open time on these days of the doctor's calendar, in order.

    What follows at once is joined; what lasts into the day after `last` is cut there.
    """
    return _joined(_pieces(terms, first, last))


def stretches(terms: Terms, since: datetime, until: datetime) -> list[Opening]:
    """Everything that is open in [since, until) and around it, joined by place: for `covers`."""
    margin = timedelta(days=2)
    first, last = ((instant.astimezone(terms.zone)).date() for instant in (since - margin, until + margin))
    return _joined(piece._replace(for_urgent=False) for piece in _pieces(terms, first, last))


def covers(open_time: Sequence[Opening], start: datetime, end: datetime, place: str) -> bool:
    """Whether a visit lies within one of these stretches, in order, that are for this place."""
    at = bisect_left(open_time, end, key=lambda one: one.start) - 1
    return (
        at >= 0 and end <= open_time[at].end and open_time[at].start <= start and open_time[at].place == place
    )


def blocked_range(terms: Terms, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """A visit with the doctor's buffers."""
    return start - terms.buffer_before * MINUTE, end + terms.buffer_after * MINUTE


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
    return list(each_free(terms, taken, length=length, now=now, since=since, until=until, urgent=urgent))


def each_free(
    terms: Terms,
    taken: Iterable[Taken],
    *,
    length: int,
    now: datetime,
    since: datetime,
    until: datetime,
    urgent: bool = False,
) -> Iterator[Slot]:
    """The same one after the other: who needs only the first does not pay for the others."""
    if length not in terms.lengths:
        return
    low = _seconds(max(since, now + timedelta(hours=terms.notice_hours)), up=True)
    high = _seconds(min(until, now + timedelta(days=terms.horizon_days)), up=True)
    released = _seconds(now + timedelta(hours=terms.release_hours))
    blocks, full = list(taken), set[int]()
    if terms.visits_a_day is not None:
        full = _full_days(terms.zone, blocks, terms.visits_a_day)
    search = _Search(terms, blocks, length)
    for piece, since_here, until_here in _in_parts(terms, low, high, length * 60):
        if piece.day in full:
            continue
        for start in search.starts(piece.start, since_here, until_here):
            kept = piece.for_urgent and start > released
            if urgent or not kept:
                yield Slot(_instant(start), _instant(start + length * 60), piece.place, kept)


# Parts. Instants are whole seconds since 1970 here, days are ordinals: this is what is quick.


class _Piece(NamedTuple):
    """A stretch of UTC in which the clock shows a time of one interval of one day."""

    start: int
    end: int
    day: int
    place: str
    for_urgent: bool


class _Search:
    """Beginnings on a grid that keep clear of what is taken."""

    def __init__(self, terms: Terms, taken: Sequence[Taken], length: int) -> None:
        self.step = terms.step * 60
        self.before = terms.buffer_before * 60
        self.lasts = length * 60 + terms.buffer_after * 60
        self.froms, self.untils = _merged(taken)

    def starts(self, origin: int, low: int, high: int) -> Iterator[int]:
        """From `origin` on, every step, those in [low, high)."""
        start = origin + -((origin - low) // self.step) * self.step
        # The last block that begins before visit and buffer end; those in front of it are over earlier.
        at = bisect_left(self.froms, start + self.lasts) - 1
        while start < high:
            while at + 1 < len(self.froms) and self.froms[at + 1] < start + self.lasts:
                at += 1
            if at >= 0 and self.untils[at] > start - self.before:
                behind = self.untils[at] + self.before
                start = origin + -((origin - behind) // self.step) * self.step
                continue
            yield start
            start += self.step


def _merged(taken: Iterable[Taken]) -> tuple[list[int], list[int]]:
    """Blocks in order, those that touch or overlap as one: beginnings and ends, both ascending."""
    froms: list[int] = []
    untils: list[int] = []
    for begins, ends in sorted(
        (_seconds(block.blocked_from), _seconds(block.blocked_until, up=True)) for block in taken
    ):
        if untils and begins <= untils[-1]:
            untils[-1] = max(untils[-1], ends)
        else:
            froms.append(begins)
            untils.append(ends)
    return froms, untils


def _full_days(zone: ZoneInfo, blocks: Iterable[Taken], limit: int) -> set[int]:
    counts: dict[int, int] = {}
    for block in blocks:
        day = block.start.astimezone(zone).toordinal()
        counts[day] = counts.get(day, 0) + 1
    return {day for day, count in counts.items() if count >= limit}


def _in_parts(terms: Terms, low: int, high: int, lasts: int) -> Iterator[tuple[_Piece, int, int]]:
    """Pieces in order, each with from when and until when visits can begin there that begin in [low, high).

    Looks some days at a time, more and more of them; a piece that lies in two of these parts comes twice.
    """
    days = 3
    while low < high:
        cut = min(low + days * _DAY, high)
        # A day of the calendar may come back after the next one has begun: one more on both sides.
        first = _local_day(low, terms.zone) - 1
        last = _local_day(cut + lasts, terms.zone) + 1
        pieces = _pieces(terms, date.fromordinal(first), date.fromordinal(last))
        for piece, reach in _with_reach(pieces):
            since, until = max(low, piece.start), min(cut, piece.end, reach - lasts + 1)
            if since < until:
                yield piece, since, until
        low, days = cut, days * 2


def _with_reach(pieces: Sequence[_Piece]) -> list[tuple[_Piece, int]]:
    """Each with the end of the last one that follows at once and is alike."""
    result: list[tuple[_Piece, int]] = []
    reach = 0
    for number in range(len(pieces) - 1, -1, -1):
        piece = pieces[number]
        if not result or not _continues(piece, pieces[number + 1]):
            reach = piece.end
        result.append((piece, reach))
    return result[::-1]


def _continues(piece: _Piece, following: _Piece) -> bool:
    return (
        piece.end == following.start
        and piece.place == following.place
        and piece.for_urgent == following.for_urgent
    )


def _joined(pieces: Iterable[_Piece]) -> list[Opening]:
    result: list[_Piece] = []
    for piece in pieces:
        if result and _continues(result[-1], piece):
            result[-1] = result[-1]._replace(end=piece.end)
        else:
            result.append(piece)
    return [Opening(_instant(one.start), _instant(one.end), one.place, one.for_urgent) for one in result]


def _pieces(terms: Terms, first: date, last: date) -> list[_Piece]:
    """What is open on these days of the doctor's calendar, in order, each interval by itself."""
    near = _near(terms, first, last)
    found: list[_Piece] = []
    for number in range(first.toordinal(), last.toordinal() + 1):
        hours = hours_of(near, date.fromordinal(number))
        if hours:
            offsets = _offsets(terms.zone, number)
            found += [piece for one in hours for piece in _pieces_of(one, number, offsets)]
    found.sort()
    return found


def _near(terms: Terms, first: date, last: date) -> Terms:
    """The same without what does not touch these days: old exceptions are many."""
    exceptions = tuple(one for one in terms.exceptions if one.first_day <= last and first <= one.last_day)
    return Terms(terms.zone, terms.lengths, rules=terms.rules, exceptions=exceptions)


def _pieces_of(hours: Hours, day: int, offsets: Sequence[tuple[int, int, int]]) -> Iterator[_Piece]:
    """The stretches of UTC in which the clock shows a time of that day in `hours`.

    One that the clock changes in is one stretch, so that a visit may lie across.
    """
    midnight = (day - _EPOCH_DAY) * _DAY
    begins, ends = midnight + hours.begins * 60, midnight + hours.ends * 60
    start = end = 0
    for since, until, offset in offsets:
        from_here, to_here = max(begins - offset, since), min(ends - offset, until)
        if from_here >= to_here:
            continue
        if start < end == from_here:
            end = to_here
            continue
        if start < end:
            yield _Piece(start, end, day, hours.place, hours.for_urgent)
        start, end = from_here, to_here
    if start < end:
        yield _Piece(start, end, day, hours.place, hours.for_urgent)


@lru_cache(maxsize=20_000)
def _offsets(zone: ZoneInfo, day: int) -> tuple[tuple[int, int, int], ...]:
    """The zone's offsets from UTC, with from and until when, around a day of its calendar.

    Clocks lie between UTC-16 and UTC+16.
    """
    midnight = (day - _EPOCH_DAY) * _DAY
    marks = [midnight + hours * 3600 for hours in range(-16, 48, 8)]
    changes = [
        _change(low, high, zone)
        for low, high in pairwise(marks)
        if _offset_at(low, zone) != _offset_at(high, zone)
    ]
    return tuple(
        (since, until, _offset_at(since, zone)) for since, until in pairwise([marks[0], *changes, marks[-1]])
    )


def _change(low: int, high: int, zone: ZoneInfo) -> int:
    """The first second of the offset that is in force at `high` and was not at `low`."""
    target = _offset_at(high, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_at(middle, zone) == target:
            high = middle
        else:
            low = middle
    return high


def _offset_at(instant: int, zone: ZoneInfo) -> int:
    return (_instant(instant).astimezone(zone).utcoffset() or timedelta(0)) // _SECOND


def _local_day(instant: int, zone: ZoneInfo) -> int:
    return _instant(instant).astimezone(zone).toordinal()


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(instant: datetime, *, up: bool = False) -> int:
    """Whole seconds, rounded down, or up."""
    return -((_EPOCH - instant) // _SECOND) if up else (instant - _EPOCH) // _SECOND
