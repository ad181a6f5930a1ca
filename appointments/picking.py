"""A month of a doctor's free times, put in order for the person who chooses one."""

import calendar
import datetime
from dataclasses import dataclass, field
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import get_format

from accounts.models import User
from appointments.availability import busy_of, clear_of, free_times, next_free
from appointments.models import Appointment, Schedule, Status
from appointments.slots import Slot
from diagnosis.models import Analysis
from diagnosis.models import Status as AnalysisStatus
from ml_models.taxonomy import Urgency


@dataclass(frozen=True)
class Wanted:
    """What somebody looks at; what is not said is chosen for them."""

    length: int | None = None
    month: datetime.date | None = None
    day: datetime.date | None = None
    # What goes along in every link: `analysis`, `follows`.
    carried: dict[str, str] = field(default_factory=dict)

    def query(self, **changes: object) -> str:
        """The address of this page with other values; an empty one is left out."""
        values = {"length": self.length, **self.carried, **changes}
        return "?" + urlencode({name: value for name, value in values.items() if value})


@dataclass(frozen=True)
class Length:
    minutes: int
    is_chosen: bool
    query: str


@dataclass(frozen=True)
class Day:
    """A day of the month, with how many visits could begin on it."""

    date: datetime.date
    count: int
    is_chosen: bool
    query: str


@dataclass(frozen=True)
class Picking:
    """All that the page shows; times are UTC, days are those of the reader's zone."""

    length: int
    lengths: list[Length]
    month: datetime.date
    weekdays: list[datetime.date]
    weeks: list[list[Day | None]]
    previous: str
    following: str
    day: datetime.date | None
    slots: list[Slot]
    next: Slot | None  # where the month has nothing
    next_query: str
    zone: ZoneInfo
    doctors_zone: ZoneInfo

    @property
    def zones_differ(self) -> bool:
        """Whether the doctor's clock shows another time than the reader's on that day."""
        moments = [slot.start for slot in self.slots] or [timezone.now()]
        return any(
            moment.astimezone(self.zone).utcoffset() != moment.astimezone(self.doctors_zone).utcoffset()
            for moment in moments
        )


def urgent_result(user: object, analyses: list[str]) -> Analysis | None:
    """The result of this patient's own, among these, that opens times kept for urgent cases."""
    if not isinstance(user, User) or not user.is_patient:
        return None
    done = Analysis.objects.visible_to(user).filter(status=AnalysisStatus.DONE, urgency=Urgency.URGENT)
    return done.filter(public_id__in=analyses).first()


def own_hold(user: object) -> Appointment | None:
    """The time that this person holds at the moment."""
    if not isinstance(user, User):
        return None
    held = Appointment.objects.visible_to(user).filter(status=Status.HELD, offered=False)
    return held.filter(expires_at__gt=timezone.now()).select_related("doctor__doctor_profile").first()


def free_for(
    patient: User | None,
    schedule: Schedule,
    *,
    length: int,
    since: datetime.datetime,
    until: datetime.datetime,
    urgent: bool = False,
    except_for: Appointment | None = None,
) -> list[Slot]:
    """Free times of the doctor at which this patient has nothing else."""
    free = free_times(schedule, length=length, since=since, until=until, urgent=urgent, except_for=except_for)
    if not free:
        return free
    return list(clear_of(free, busy_of(patient, since, free[-1].end, except_for=except_for)))


def pick(
    schedule: Schedule,
    wanted: Wanted,
    *,
    patient: User | None,
    zone: ZoneInfo,
    urgent: bool = False,
    except_for: Appointment | None = None,
) -> Picking:
    """The month that is asked for, else the one of the next free time; the same for the day."""
    length: int = next((known for known in schedule.lengths if known == wanted.length), schedule.lengths[0])
    wanted = Wanted(length, wanted.month, wanted.day, wanted.carried)
    now = timezone.now()
    first = next_free(schedule, length=length, count=1, urgent=urgent, patient=patient, except_for=except_for)
    earliest = first[0] if first else None
    today = now.astimezone(zone).date()
    last = (now + datetime.timedelta(days=schedule.horizon_days)).astimezone(zone).date()
    asked = wanted.day or wanted.month or (earliest.start.astimezone(zone).date() if earliest else today)
    month = min(max(asked, today), last).replace(day=1)
    slots = free_for(
        patient,
        schedule,
        length=length,
        since=_midnight(month, zone),
        until=_midnight(_after(month), zone),
        urgent=urgent,
        except_for=except_for,
    )
    by_day: dict[datetime.date, list[Slot]] = {}
    for slot in slots:
        by_day.setdefault(slot.start.astimezone(zone).date(), []).append(slot)
    # A day without times is shown where another day can be chosen beside it.
    day = (
        wanted.day
        if wanted.day and wanted.day.replace(day=1) == month and by_day
        else next(iter(by_day), None)
    )
    weeks = _weeks(month)
    before = month - datetime.timedelta(days=1)
    return Picking(
        length=length,
        lengths=[
            Length(minutes, minutes == length, wanted.query(length=minutes, month=f"{month:%Y-%m}"))
            for minutes in schedule.lengths
        ],
        month=month,
        weekdays=[date for date in weeks[0] if date],
        weeks=[
            [
                Day(date, len(by_day.get(date, [])), date == day, wanted.query(day=date.isoformat()))
                if date.month == month.month
                else None
                for date in week
            ]
            for week in weeks
        ],
        previous=wanted.query(month=f"{before:%Y-%m}") if month > today else "",
        following=wanted.query(month=f"{_after(month):%Y-%m}") if _after(month) <= last else "",
        day=day,
        slots=by_day.get(day, []) if day else [],
        next=earliest if not by_day else None,
        next_query=wanted.query(day=earliest.start.astimezone(zone).date().isoformat()) if earliest else "",
        zone=zone,
        doctors_zone=ZoneInfo(schedule.time_zone),
    )


def _weeks(month: datetime.date) -> list[list[datetime.date]]:
    """Whole weeks, from the day on which the reader's language begins one."""
    begins = (int(get_format("FIRST_DAY_OF_WEEK")) - 1) % 7  # Django counts from Sunday, calendar from Monday
    return calendar.Calendar(begins).monthdatescalendar(month.year, month.month)


def _after(month: datetime.date) -> datetime.date:
    return (month + datetime.timedelta(days=32)).replace(day=1)


def _midnight(day: datetime.date, zone: ZoneInfo) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time.min, zone)
