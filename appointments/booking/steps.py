"""What every step of a visit is made of.

Whoever changes a visit first locks the doctor's schedule, then the doctor, then the patient: in this order
everywhere, so nobody waits in a circle. A decision about a licence begins at the doctor; several patients are
locked in the order of their keys. An erasure holds the one person and locks no one else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import relations
from accounts.models import User
from accounts.selectors import is_verified_doctor
from appointments.models import PASSING, Actor, Appointment, Schedule, Status
from appointments.signals import Happened, time_freed, visit_changed

LONGEST_WORDS = 1000  # characters of a reason


def lock(*, doctor: int, patient: int) -> tuple[Schedule | None, User, User]:
    """The doctor's schedule, the doctor and the patient as they are now, until the transaction ends."""
    schedules = Schedule.objects.select_for_update(no_key=True).prefetch_related("rules", "exceptions")
    schedule = schedules.filter(doctor=doctor).first()
    people = User.objects.select_for_update(no_key=True)
    return schedule, people.get(pk=doctor), people.get(pk=patient)


@contextmanager
def changing(appointment: Appointment) -> Iterator[None]:
    """A transaction in which nobody else changes this visit; the row is read again first."""
    with transaction.atomic():
        _schedule, doctor, patient = lock(doctor=appointment.doctor_id, patient=appointment.patient_id)
        appointment.refresh_from_db()
        appointment.doctor, appointment.patient = doctor, patient
        yield


def actor_of(appointment: Appointment, by: User) -> Actor:
    if by.pk == appointment.patient_id:
        return Actor.PATIENT
    if by.pk == appointment.doctor_id:
        return Actor.DOCTOR
    raise PermissionDenied


def only_doctor(appointment: Appointment, by: User) -> None:
    """What is the doctor's alone to do."""
    if actor_of(appointment, by) != Actor.DOCTOR:
        raise PermissionDenied


def only_verified(doctor: User) -> None:
    """A doctor who may not practise at present takes nobody on. Read again: it may just have changed."""
    if not is_verified_doctor(User.objects.get(pk=doctor.pk)):
        raise ValidationError(_("Your licence is not in force, so this cannot be done."), code="not_verified")


def move(
    appointment: Appointment, to: Status, *, by: User, actor: Actor, note: str = "", **changes: Any
) -> None:
    """Move, or say that it has ended already or that it is not its turn."""
    if not appointment.may(to, actor) or not appointment.move(to, by=by, actor=actor, note=note, **changes):
        raise wrong_state(appointment)


def wrong_state(appointment: Appointment) -> ValidationError:
    return ValidationError(
        _("This cannot be done now: the visit is “%(status)s”."),
        code="wrong_state",
        params={"status": Status(appointment.status).label},
    )


def is_stale(appointment: Appointment) -> bool:
    """Whether its time is over, though the clockwork has not come by yet."""
    return (
        appointment.status in PASSING
        and appointment.expires_at is not None
        and appointment.expires_at <= timezone.now()
    )


def refuse_stale(appointment: Appointment) -> None:
    if is_stale(appointment):
        raise ValidationError(_("This request was not answered in time and has ended."), code="ended")


def expire(appointment: Appointment, *, why: str = "not answered in time") -> bool:
    """End a hold or a request; False if somebody was quicker. The caller has locked."""
    was_request = appointment.status == Status.REQUESTED
    changes = {"sequence": appointment.sequence + 1} if was_request else {}
    if not appointment.move(Status.EXPIRED, by=None, actor=Actor.CLOCK, note=why, **changes):
        return False
    if was_request:
        end(appointment, Happened.EXPIRED, by=None)
    else:
        freed(appointment.doctor_id)
    return True


def end(appointment: Appointment, happened: Happened, *, by: User | None) -> None:
    """What every end before a visit has in common: the record closes, the time is free, people are told."""
    close_record(appointment, by=by, why=happened.value)
    tell(appointment, happened, by=by)
    freed(appointment.doctor_id)


def close_record(appointment: Appointment, *, by: User | None, why: str) -> None:
    if appointment.relation:
        relations.end_for_visit(relation=appointment.relation, by=by, why=f"visit: {why}")


def tell(
    appointment: Appointment, happened: Happened, *, by: User | None, start_before: datetime | None = None
) -> None:
    visit_changed.send(
        sender=Appointment, appointment=appointment, happened=happened, by=by, start_before=start_before
    )


def freed(doctor: int) -> None:
    # Robust: whatever those do who wait for free time, the visit has been called off.
    transaction.on_commit(lambda: time_freed.send(sender=Appointment, doctor_id=doctor), robust=True)


def words_of(text: str) -> str:
    """A person's words as they are kept. Raises ValidationError if they are too many."""
    text = text.strip()
    if len(text) > LONGEST_WORDS:
        sentence = _("Write at most %(count)d characters.") % {"count": LONGEST_WORDS}
        raise ValidationError({"reason": ValidationError(sentence, code="too_long")})
    return text


def because_of(reason: str) -> str:
    if not reason.strip():
        sentence = _("Say why: the patient reads it.")
        raise ValidationError({"reason": ValidationError(sentence, code="reason")})
    return words_of(reason)
