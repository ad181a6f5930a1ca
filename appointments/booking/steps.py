"""What every step of a visit is made of."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import relations
from accounts.models import User
from appointments.models import Actor, Appointment, Status
from appointments.signals import Happened, time_freed, visit_changed


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


def expire(appointment: Appointment) -> bool:
    was_request = appointment.status == Status.REQUESTED
    if not appointment.move(Status.EXPIRED, by=None, actor=Actor.CLOCK, note="not answered in time"):
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
    transaction.on_commit(lambda: time_freed.send(sender=Appointment, doctor_id=doctor))


def actor_of(appointment: Appointment, by: User) -> Actor:
    if by.pk == appointment.patient_id:
        return Actor.PATIENT
    if by.pk == appointment.doctor_id:
        return Actor.DOCTOR
    raise ValueError("Only the two who meet change a visit.")


def because_of(reason: str) -> str:
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: the patient reads it.")}, code="reason")
    return reason.strip()
