"""What the demo shows of appointments: two doctors' hours in two time zones, visits past and coming."""

import datetime
from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from appointments import availability, booking, notes, ratings, slots
from appointments.models import (
    Actor,
    Appointment,
    AppointmentEvent,
    Place,
    Schedule,
    ScheduleException,
    Status,
    Weekday,
    WeeklyRule,
    schedule_of,
)
from appointments.notes import Words

HOURS = {
    "chen@example.org": {
        "time_zone": "Europe/Zurich",
        "lengths": [15, 30],
        "buffer_after": 5,
        "notice_hours": 2,
        "rules": (
            ((Weekday.MONDAY, Weekday.TUESDAY, Weekday.THURSDAY), 8 * 60, 12 * 60, Place.CLINIC, False),
            ((Weekday.MONDAY, Weekday.THURSDAY), 13 * 60 + 30, 17 * 60, Place.CLINIC, False),
            ((Weekday.WEDNESDAY,), 16 * 60, 20 * 60, Place.VIDEO, False),
            ((Weekday.FRIDAY,), 8 * 60, 11 * 60, Place.CLINIC, False),
            ((Weekday.FRIDAY,), 11 * 60, 12 * 60, Place.CLINIC, True),
        ),
    },
    "diaz@example.org": {
        "time_zone": "Atlantic/Canary",
        "lengths": [30, 60],
        "notice_hours": 24,
        "confirms_by_hand": True,
        "rules": (
            ((Weekday.MONDAY, Weekday.WEDNESDAY, Weekday.FRIDAY), 9 * 60, 13 * 60, Place.CLINIC, False),
            ((Weekday.TUESDAY, Weekday.THURSDAY), 15 * 60, 19 * 60, Place.CLINIC, False),
        ),
    },
}
CLOSED_IN = timedelta(days=17)  # one closed day, about that far ahead


@transaction.atomic
def load() -> None:
    """Tell all of it, once: what people have changed since in their demo stays."""
    doctors = [_open(User.objects.get(email=email)) for email in HOURS]
    if Appointment.objects.exists() or not all(doctors):
        return
    chen, diaz = (
        Schedule.objects.prefetch_related("rules", "exceptions").get(doctor=d) for d in doctors if d
    )
    alice, bob = (User.objects.get(email=f"{name}@example.org") for name in ("alice", "bob"))
    _past(alice, chen, weeks=3, words=_SIGNED, stars=5, comment="Took time for my questions.")
    _past(bob, chen, weeks=2)
    _past(bob, diaz, weeks=5, words=_SIGNED, stars=4)
    _book(alice, chen, after=timedelta(days=3), reason="The spot on my back: it has grown since summer.")
    _book(bob, chen, after=timedelta(days=3), reason="A second look at my shoulder.")
    _book(bob, diaz, after=timedelta(days=6), reason="A mole that gets caught in my collar.")


_SIGNED = Words(
    diagnosis="Atypical naevus of the lower back, seen through the dermatoscope; no sign of malignancy.",
    advice="A new picture in three months. Earlier if it bleeds, itches or changes.",
    prescription="Sun cream, factor 50, daily.",
)


def _open(doctor: User) -> User | None:
    """Give a doctor hours; None for one who cannot be booked."""
    plan = HOURS[doctor.email]
    if not Schedule.objects.filter(doctor=doctor).exists():
        if doctor.time_zone == "UTC":
            User.objects.filter(pk=doctor.pk).update(time_zone=plan["time_zone"])
        terms = {name: value for name, value in plan.items() if name != "rules"}
        schedule = schedule_of(doctor, **terms)
        _add_rules(schedule, plan["rules"])  # type: ignore[arg-type]  # a table of mixed values
        day = timezone.localdate() + CLOSED_IN
        ScheduleException.objects.create(
            schedule=schedule, kind="off", first_day=day, last_day=day, begins=0, ends=1440, note="Congress"
        )
    return doctor if availability.bookable(doctor) else None


def _add_rules(schedule: Schedule, rules: Sequence[tuple[Sequence[Weekday], int, int, Place, bool]]) -> None:
    for weekdays, begins, ends, place, for_urgent in rules:
        for weekday in weekdays:
            WeeklyRule.objects.create(
                schedule=schedule,
                weekday=weekday,
                begins=begins,
                ends=ends,
                place=place,
                for_urgent=for_urgent,
            )


def _book(patient: User, schedule: Schedule, *, after: timedelta, reason: str) -> None:
    """The first free time after that, by the services that everybody books with."""
    since = timezone.now() + after
    length = min(schedule.lengths)
    free = availability.free_times(schedule, length=length, since=since, until=since + timedelta(days=14))
    if not free:
        return
    held = booking.hold(patient=patient, doctor=schedule.doctor, start=free[0].start, length=length)
    booking.book(hold=held, reason=reason)


def _past(
    patient: User,
    schedule: Schedule,
    *,
    weeks: int,
    words: Words | None = None,
    stars: int = 0,
    comment: str = "",
) -> None:
    """A completed visit as rows: the services refuse the past."""
    zone = ZoneInfo(schedule.time_zone)
    day = timezone.localdate(timezone=zone) - timedelta(weeks=weeks)
    terms = availability.terms_of(schedule)
    while not slots.hours_of(terms, day):
        day -= timedelta(days=1)
    hours = slots.hours_of(terms, day)[0]
    start = datetime.datetime.combine(day, datetime.time(hours.begins // 60), zone).astimezone(datetime.UTC)
    end = start + timedelta(minutes=30)
    visit = Appointment.objects.create(
        patient=patient,
        doctor=schedule.doctor,
        start=start,
        end=end,
        blocked_from=start,
        blocked_until=end,
        place=hours.place,
        status=Status.CHECKED_IN,
        reason="A look at a spot that worries me.",
        created_at=start - timedelta(days=6),
        booked_at=start - timedelta(days=6),
    )
    steps = (
        ("", Status.HELD, Actor.PATIENT, patient, start - timedelta(days=6)),
        (Status.HELD, Status.CONFIRMED, Actor.PATIENT, patient, start - timedelta(days=6)),
        (Status.CONFIRMED, Status.CHECKED_IN, Actor.DOCTOR, schedule.doctor, start),
        (Status.CHECKED_IN, Status.COMPLETED, Actor.DOCTOR, schedule.doctor, end),
    )
    for source, to, actor, by, at in steps:
        AppointmentEvent.objects.create(
            appointment=visit, from_status=source, to_status=to, actor=actor, by=by, at=at
        )
    if words is not None:
        notes.sign(appointment=visit, by=schedule.doctor, words=words)
    Appointment.objects.filter(pk=visit.pk).update(status=Status.COMPLETED)
    visit.refresh_from_db()
    if stars:
        ratings.rate(appointment=visit, by=patient, stars=stars, comment=comment)
