"""What the two who meet do with a visit that is booked."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import relations
from accounts.models import User
from appointments.booking.steps import actor_of, because_of, close_record, end, move, tell
from appointments.booking.times import record_open_until
from appointments.models import BOOKED, Actor, Appointment, Schedule, Status
from appointments.signals import Happened


def confirm(*, appointment: Appointment, by: User) -> Appointment:
    """The doctor takes a request. Raises ValidationError if it has ended or the time is over."""
    with transaction.atomic():
        _refuse_stale(appointment)
        move(appointment, Status.CONFIRMED, by=by, actor=Actor.DOCTOR)
        tell(appointment, Happened.CONFIRMED, by=by)
    return appointment


def decline(*, appointment: Appointment, by: User, reason: str) -> Appointment:
    """The doctor does not take a request, and says why."""
    with transaction.atomic():
        because = because_of(reason)
        move(appointment, Status.DECLINED, by=by, actor=Actor.DOCTOR, note=because, ended_because=because)
        end(appointment, Happened.DECLINED, by=by)
    return appointment


def cancel(*, appointment: Appointment, by: User, reason: str = "") -> Appointment:
    """One of the two calls the visit off; the doctor says why. Later than the terms allow is marked late.

    Raises ValidationError: ended (also when cancelled twice), begun, reason.
    """
    actor = actor_of(appointment, by)
    with transaction.atomic():
        if appointment.status in BOOKED and appointment.start <= timezone.now():
            raise ValidationError(_("This visit has begun and cannot be cancelled any more."), code="begun")
        if actor == Actor.DOCTOR and appointment.status == Status.REQUESTED:
            return decline(appointment=appointment, by=by, reason=reason)
        because = because_of(reason) if actor == Actor.DOCTOR else reason.strip()
        to = Status.CANCELLED_BY_DOCTOR if actor == Actor.DOCTOR else Status.CANCELLED_BY_PATIENT
        move(
            appointment,
            to,
            by=by,
            actor=actor,
            note=because,
            ended_because=because,
            late=actor == Actor.PATIENT and _is_late(appointment),
            sequence=appointment.sequence + 1,
        )
        end(appointment, Happened.CANCELLED, by=by)
    return appointment


def check_in(*, appointment: Appointment, by: User) -> Appointment:
    """The patient is there. At most an hour before the visit begins."""
    with transaction.atomic():
        if appointment.start > timezone.now() + timedelta(hours=1):
            raise ValidationError(_("This visit does not begin within the next hour."), code="too_early")
        move(appointment, Status.CHECKED_IN, by=by, actor=Actor.DOCTOR)
        tell(appointment, Happened.CHECKED_IN, by=by)
    return appointment


def complete(*, appointment: Appointment, by: User) -> Appointment:
    """The visit took place: the record stays open to the doctor for DERMA_RECORD_DAYS."""
    with transaction.atomic():
        _refuse_early(appointment)
        move(appointment, Status.COMPLETED, by=by, actor=Actor.DOCTOR)
        if appointment.relation:
            relations.keep_for_visit(
                relation=appointment.relation,
                until=record_open_until(timezone.now()),
                why="visit completed",
            )
        tell(appointment, Happened.COMPLETED, by=by)
    return appointment


def no_show(*, appointment: Appointment, by: User) -> Appointment:
    """The patient did not come: the record closes."""
    with transaction.atomic():
        _refuse_early(appointment)
        move(appointment, Status.NO_SHOW, by=by, actor=Actor.DOCTOR)
        close_record(appointment, by=by, why="patient did not come")
        tell(appointment, Happened.NO_SHOW, by=by)
    return appointment


def _refuse_stale(appointment: Appointment) -> None:
    if appointment.expires_at is not None and appointment.expires_at <= timezone.now():
        raise ValidationError(_("This request was not answered in time and has ended."), code="ended")


def _refuse_early(appointment: Appointment) -> None:
    if appointment.start > timezone.now():
        raise ValidationError(_("This visit has not begun yet."), code="not_begun")


def _is_late(appointment: Appointment) -> bool:
    schedule = Schedule.objects.get(doctor=appointment.doctor)
    return appointment.start - timezone.now() < timedelta(hours=schedule.cancel_hours)
