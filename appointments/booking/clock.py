"""What happens to visits without either of the two: time passes, a doctor stops, somebody leaves."""

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction

from accounts.models import User
from appointments.booking.steps import changing, end, expire, is_stale, tell
from appointments.models import Actor, Appointment, Status
from appointments.signals import Happened

log = structlog.get_logger(__name__)

DOCTOR_STOPPED = "doctor_stopped"


def expire_stale() -> int:
    """End holds and requests whose time is over; how many. One that cannot be ended stops no other."""
    ended = 0
    for appointment in Appointment.objects.stale().order_by("expires_at", "pk"):
        try:
            with changing(appointment):
                ended += is_stale(appointment) and expire(appointment)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            log.exception("visit_not_expired", visit=appointment.pk, error=type(error).__name__)
    return ended


def flag_coming(doctor: User, why: str = DOCTOR_STOPPED) -> int:
    """Mark the coming visits of a doctor who may not practise at present; how many.

    Whoever books with this doctor at the same moment is waited for, or will see that the doctor has stopped.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=doctor.pk)
        visits = Appointment.objects.coming().filter(doctor=doctor, flagged="")
        # Then their patients: one who is being erased changes the same visits, and is told of them too.
        patients = User.objects.filter(pk__in=visits.order_by().values("patient")).order_by("pk")
        list(patients.select_for_update(no_key=True))
        coming = list(visits)
        for appointment in coming:
            Appointment.objects.filter(pk=appointment.pk).update(flagged=why)
            appointment.flagged = why
            tell(appointment, Happened.FLAGGED, by=None)
    return len(coming)


def unflag_coming(doctor: User, why: str = DOCTOR_STOPPED) -> int:
    """The doctor may practise again: coming visits lose the mark; how many."""
    return Appointment.objects.coming().filter(doctor=doctor, flagged=why).update(flagged="")


def end_all(*, person: User, why: str) -> int:
    """Call off every coming visit of somebody who leaves; how many.

    Runs in the transaction of whoever has locked that person, and locks no one else. A visit that is over
    stays as it is, and so does one that has begun.
    """
    open_ones = (Status.HELD, Status.REQUESTED, Status.CONFIRMED)
    mine = Appointment.objects.filter(status__in=open_ones)
    ended = 0
    with transaction.atomic():
        for appointment in (mine.filter(patient=person) | mine.filter(doctor=person)).order_by("pk"):
            if appointment.status == Status.HELD:
                ended += expire(appointment, why=why)
            elif appointment.is_coming or appointment.status == Status.REQUESTED:
                ended += _call_off(appointment, person, why)
    return ended


def _call_off(appointment: Appointment, person: User, why: str) -> bool:
    is_patient = appointment.patient_id == person.pk
    to = Status.CANCELLED_BY_PATIENT if is_patient else Status.CANCELLED_BY_DOCTOR
    if not appointment.may(to, Actor.CLOCK):
        to = Status.EXPIRED  # a request to a doctor who leaves
    if not appointment.move(to, by=None, actor=Actor.CLOCK, note=why, sequence=appointment.sequence + 1):
        return False
    end(appointment, Happened.CANCELLED, by=None)
    return True
