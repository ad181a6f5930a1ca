"""What the demo tells of visits: hours of both doctors in two time zones, visits past and coming."""

import datetime
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.relations import open_for_visit
from accounts.selectors import is_verified_doctor
from appointments import availability, booking
from appointments.booking.times import record_open_until
from appointments.models import (
    DAY,
    Actor,
    Appointment,
    AppointmentEvent,
    ExceptionKind,
    Place,
    Rating,
    Schedule,
    ScheduleException,
    Status,
    VisitNote,
    WeeklyRule,
)
from diagnosis.models import Analysis

CLINIC, VIDEO = Place.CLINIC, Place.VIDEO


@dataclass(frozen=True)
class Open:
    """Hours on these weekdays, written as on the doctor's clock."""

    weekdays: tuple[int, ...]
    begins: str
    ends: str
    place: Place = CLINIC
    for_urgent: bool = False


@dataclass(frozen=True)
class Hours:
    terms: dict[str, object]
    week: tuple[Open, ...]
    closed_in_days: int  # the first working day after so many days is closed
    closed_because: str


HOURS = {
    "chen@example.org": Hours(
        terms={
            "lengths": [15, 30, 60],
            "buffer_after": 5,
            "notice_hours": 4,
            "horizon_days": 60,
            "cancel_hours": 24,
        },
        week=(
            Open((0, 1, 2, 3), "08:00", "08:30", for_urgent=True),
            Open((0, 1, 2, 3), "08:30", "12:00"),
            Open((0, 2), "13:30", "17:30"),
            Open((1, 3), "14:00", "18:00", VIDEO),
            Open((4,), "08:30", "12:00", VIDEO),
        ),
        closed_in_days=10,
        closed_because="Training",
    ),
    "diaz@example.org": Hours(
        terms={
            "lengths": [30, 45],
            "buffer_before": 5,
            "buffer_after": 10,
            "notice_hours": 24,
            "horizon_days": 90,
            "visits_a_day": 8,
            "confirms_by_hand": True,
            "cancel_hours": 48,
        },
        week=(
            Open((0, 1, 3, 4), "09:30", "14:00"),
            Open((0, 3), "16:30", "19:30"),
            Open((2,), "09:30", "12:00"),
        ),
        closed_in_days=6,
        closed_because="Fiesta local",
    ),
}


@transaction.atomic
def load() -> None:
    """Tell all of it, once: what people have changed since in their demo stays."""
    alice, bob, chen, diaz = (
        User.objects.get(email=f"{name}@example.org") for name in ("alice", "bob", "chen", "diaz")
    )
    doctors = [doctor for doctor in (chen, diaz) if is_verified_doctor(doctor)]
    if len(doctors) < 2 or Schedule.objects.filter(doctor__in=doctors).exists():
        return
    for doctor in doctors:
        _open(doctor)
    _past(
        patient=alice,
        doctor=chen,
        weeks_ago=3,
        at="14:30",
        reason="A dark spot on my back that my partner noticed.",
        note={
            "diagnosis": "A mole with an even network. Nothing that has to be taken out.",
            "advice": "Take a picture every three months. Come back if it grows, bleeds or changes colour.",
        },
        stars=5,
        comment="Took time to explain what she saw.",
    )
    _past(
        patient=bob,
        doctor=diaz,
        weeks_ago=5,
        at="10:00",
        reason="A rough patch on the forehead.",
        note={
            "diagnosis": "Actinic keratosis on the forehead, treated with cold.",
            "advice": "The place may be red for some days. Wear a hat and use sun cream, factor 50.",
            "prescription": "Sun cream SPF 50, every morning.",
        },
        stars=4,
        comment="On time, and it hardly hurt.",
    )
    _coming(alice, chen, days=2, reason="I would like to have the second spot looked at.", attach=1)
    _coming(bob, chen, days=7, reason="A check before the summer.")
    _coming(bob, diaz, days=4, reason="The patch has come back.")


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)


def _open(doctor: User) -> None:
    hours = HOURS[doctor.email]
    schedule = Schedule(doctor=doctor, time_zone=doctor.time_zone, **hours.terms)
    schedule.full_clean()
    schedule.save()
    WeeklyRule.objects.bulk_create(
        WeeklyRule(
            schedule=schedule,
            weekday=weekday,
            begins=_minutes(one.begins),
            ends=_minutes(one.ends),
            place=one.place,
            for_urgent=one.for_urgent,
        )
        for one in hours.week
        for weekday in one.weekdays
    )
    working = {weekday for one in hours.week for weekday in one.weekdays}
    day = timezone.localdate(timezone=doctor.zone) + timedelta(days=hours.closed_in_days)
    while day.weekday() not in working:
        day += timedelta(days=1)
    ScheduleException.objects.create(
        schedule=schedule,
        kind=ExceptionKind.OFF,
        first_day=day,
        last_day=day,
        begins=0,
        ends=DAY,
        note=hours.closed_because,
    )


def _past(
    *,
    patient: User,
    doctor: User,
    weeks_ago: int,
    at: str,
    reason: str,
    note: dict[str, str],
    stars: int,
    comment: str,
) -> None:
    """A visit that took place on a Thursday. Rows, because the services refuse what is over."""
    today = timezone.localdate(timezone=doctor.zone)
    day = today - timedelta(days=(today.weekday() - 3) % 7, weeks=weeks_ago)
    start = datetime.datetime.combine(day, datetime.time.fromisoformat(at), doctor.zone)
    end = start + timedelta(minutes=30)
    booked = start - timedelta(days=6)
    visit = Appointment.objects.create(
        patient=patient,
        doctor=doctor,
        start=start,
        end=end,
        blocked_from=start,
        blocked_until=end,
        place=VIDEO if doctor.email == "chen@example.org" else CLINIC,
        status=Status.COMPLETED,
        reason=reason,
        relation=open_for_visit(patient=patient, doctor=doctor, until=record_open_until(end), by=patient),
        created_at=booked,
        booked_at=booked,
    )
    steps = (
        ("", Status.HELD, patient, Actor.PATIENT, booked),
        (Status.HELD, Status.CONFIRMED, patient, Actor.PATIENT, booked),
        (Status.CONFIRMED, Status.CHECKED_IN, doctor, Actor.DOCTOR, start),
        (Status.CHECKED_IN, Status.COMPLETED, doctor, Actor.DOCTOR, end),
    )
    AppointmentEvent.objects.bulk_create(
        AppointmentEvent(appointment=visit, from_status=source, to_status=to, by=by, actor=actor, at=moment)
        for source, to, by, actor, moment in steps
    )
    signed = end + timedelta(minutes=20)
    VisitNote.objects.create(appointment=visit, author=doctor, updated_at=signed, signed_at=signed, **note)
    Rating.objects.create(
        appointment=visit, stars=stars, comment=comment, created_at=signed + timedelta(hours=3)
    )


def _coming(patient: User, doctor: User, *, days: int, reason: str, attach: int = 0) -> None:
    """A visit at the first time that is free after so many days."""
    schedule = Schedule.objects.prefetch_related("rules", "exceptions").get(doctor=doctor)
    since = timezone.now() + timedelta(days=days)
    length = 30
    free = availability.free_times(schedule, length=length, since=since, until=since + timedelta(days=14))
    analyses = Analysis.objects.filter(patient=patient).order_by("pk").values_list("public_id", flat=True)
    held = booking.hold(patient=patient, doctor=doctor, start=free[0].start, length=length)
    booking.book(hold=held, reason=reason, analyses=list(analyses[:attach]))
