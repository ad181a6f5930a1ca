"""What the two who meet do with a visit that is booked. Whoever is not one of them: PermissionDenied."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import relations
from accounts.models import User
from appointments.booking.steps import (
    actor_of,
    because_of,
    changing,
    close_record,
    end,
    move,
    only_doctor,
    only_verified,
    refuse_stale,
    tell,
    words_of,
)
from appointments.booking.taking import release
from appointments.booking.times import record_open_until
from appointments.models import BOOKED, Actor, Appointment, Schedule, Status
from appointments.signals import Happened

BEFORE_IT_BEGINS = timedelta(hours=1)  # in which a patient who is early can be checked in


def confirm(*, appointment: Appointment, by: User) -> Appointment:
    """The doctor takes a request. Raises ValidationError: wrong_state, ended, not_verified."""
    only_doctor(appointment, by)
    with changing(appointment):
        refuse_stale(appointment)
        only_verified(by)
        # What the patient moved stands in calendars already, as not yet sure: this must be newer.
        move(
            appointment,
            Status.CONFIRMED,
            by=by,
            actor=Actor.DOCTOR,
            sequence=appointment.sequence + 1,
        )
        tell(appointment, Happened.CONFIRMED, by=by)
    return appointment


def decline(*, appointment: Appointment, by: User, reason: str) -> Appointment:
    """The doctor does not take a request, and says why. Raises ValidationError."""
    only_doctor(appointment, by)
    because = because_of(reason)
    with changing(appointment):
        refuse_stale(appointment)
        move(
            appointment,
            Status.DECLINED,
            by=by,
            actor=Actor.DOCTOR,
            note=because,
            **_over(appointment, because),
        )
        end(appointment, Happened.DECLINED, by=by)
    return appointment


def cancel(*, appointment: Appointment, by: User, reason: str = "") -> Appointment:
    """One of the two calls the visit off; the doctor says why. Later than the terms allow is marked late.

    A hold is released, a request that the doctor calls off is declined. Raises ValidationError: wrong_state
    (also when cancelled twice), ended, begun, reason.
    """
    actor = actor_of(appointment, by)
    with changing(appointment):
        if appointment.status == Status.HELD and actor == Actor.PATIENT:
            release(hold=appointment)
            return appointment
        refuse_stale(appointment)
        if appointment.status in BOOKED and appointment.start <= timezone.now():
            raise ValidationError(_("This visit has begun and cannot be cancelled any more."), code="begun")
        if actor == Actor.DOCTOR and appointment.status == Status.REQUESTED:
            return decline(appointment=appointment, by=by, reason=reason)
        because = because_of(reason) if actor == Actor.DOCTOR else words_of(reason)
        move(
            appointment,
            Status.CANCELLED_BY_DOCTOR if actor == Actor.DOCTOR else Status.CANCELLED_BY_PATIENT,
            by=by,
            actor=actor,
            note=because,
            late=actor == Actor.PATIENT and _is_late(appointment),
            **_over(appointment, because),
        )
        end(appointment, Happened.CANCELLED, by=by)
    return appointment


def _over(appointment: Appointment, because: str) -> dict[str, object]:
    return {"ended_because": because, "sequence": appointment.sequence + 1}


def _is_late(appointment: Appointment) -> bool:
    """A request that nobody has confirmed yet is never called off too late."""
    schedule = Schedule.objects.filter(doctor=appointment.doctor_id).first()
    if schedule is None or appointment.status != Status.CONFIRMED:
        return False
    return appointment.start - timezone.now() < timedelta(hours=schedule.cancel_hours)


def check_in(*, appointment: Appointment, by: User) -> Appointment:
    """The patient is there. Raises ValidationError: wrong_state, too_early, not_verified."""
    only_doctor(appointment, by)
    with changing(appointment):
        only_verified(by)
        if appointment.status in BOOKED and appointment.start > timezone.now() + BEFORE_IT_BEGINS:
            raise ValidationError(_("This visit does not begin within the next hour."), code="too_early")
        move(appointment, Status.CHECKED_IN, by=by, actor=Actor.DOCTOR)
        tell(appointment, Happened.CHECKED_IN, by=by)
    return appointment


def complete(*, appointment: Appointment, by: User) -> Appointment:
    """The visit took place: the record stays open to the doctor for DERMA_RECORD_DAYS.

    A record that has closed by itself in the meantime does not open again. Raises ValidationError:
    wrong_state, not_begun.
    """
    only_doctor(appointment, by)
    with changing(appointment):
        _refuse_early(appointment)
        move(appointment, Status.COMPLETED, by=by, actor=Actor.DOCTOR)
        if appointment.relation and appointment.relation.is_in_force:
            relations.keep_for_visit(
                relation=appointment.relation,
                until=record_open_until(timezone.now()),
                why="visit completed",
            )
        tell(appointment, Happened.COMPLETED, by=by)
    return appointment


def no_show(*, appointment: Appointment, by: User) -> Appointment:
    """The patient did not come: the record closes. Raises ValidationError: wrong_state, not_begun."""
    only_doctor(appointment, by)
    with changing(appointment):
        _refuse_early(appointment)
        move(appointment, Status.NO_SHOW, by=by, actor=Actor.DOCTOR)
        close_record(appointment, by=by, why="patient did not come")
        tell(appointment, Happened.NO_SHOW, by=by)
    return appointment


def _refuse_early(appointment: Appointment) -> None:
    if appointment.status in BOOKED and appointment.start > timezone.now():
        raise ValidationError(_("This visit has not begun yet."), code="not_begun")
