"""What patients see of a doctor's hours, day by day."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from appointments.availability import free_times
from appointments.hours import today_of
from appointments.models import Schedule
from appointments.slots import Slot

WEEKS = 4


@dataclass
class DayOfPreview:
    day: date
    slots: list[Slot] = field(default_factory=list)


@dataclass(frozen=True)
class Preview:
    """Some weeks of free times on the doctor's calendar; without a day before or after, there is no more."""

    length: int
    weeks: list[list[DayOfPreview]]
    before: date | None
    after: date | None
    count: int


def preview_of(schedule: Schedule, *, length: int | None = None, since: date | None = None) -> Preview:
    """The weeks from the one of `since` on, of the shortest visit unless a length is said."""
    zone, today = ZoneInfo(schedule.time_zone), today_of(schedule)
    last = (timezone.now() + timedelta(days=schedule.horizon_days)).astimezone(zone).date()
    length = length or min(schedule.lengths)
    first = min(max(since or today, today), last)
    monday = first - timedelta(days=first.weekday())
    following = monday + timedelta(weeks=WEEKS)
    slots = free_times(
        schedule, length=length, since=_midnight(monday, zone), until=_midnight(following, zone)
    )
    by_day: dict[date, list[Slot]] = defaultdict(list)
    for slot in slots:
        by_day[slot.start.astimezone(zone).date()].append(slot)
    days = [monday + timedelta(days=number) for number in range(7 * WEEKS)]
    shown = [DayOfPreview(day, by_day[day]) for day in days]
    weeks = [
        [day for day in shown[start : start + 7] if today <= day.day <= last]
        for start in range(0, len(shown), 7)
    ]
    return Preview(
        length=length,
        weeks=[week for week in weeks if week],
        before=max(monday - timedelta(weeks=WEEKS), today) if monday > today else None,
        after=following if following <= last else None,
        count=len(slots),
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The beginning of a day. On UTC's clock: a time that is jumped over compares wrongly on its own."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
