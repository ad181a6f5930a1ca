"""What happens to visits without either of the two."""

from django.db import transaction

from accounts.models import User
from appointments.booking.steps import end, expire, tell
from appointments.models import BOOKED, Actor, Appointment, Status
from appointments.signals import Happened


def expire_stale() -> int:
    """End holds and requests whose time is over; how many. For the clockwork."""
    ended = 0
    for appointment in Appointment.objects.stale():
        with transaction.atomic():
            ended += expire(appointment)
    return ended


def flag_coming(doctor: User, why: str) -> int:
    """Mark the coming visits of a doctor who may not practise at present; how many."""
    coming = list(Appointment.objects.coming().filter(doctor=doctor, flagged=""))
    for appointment in coming:
        appointment.flagged = why
        appointment.save(update_fields=["flagged"])
        tell(appointment, Happened.FLAGGED, by=None)
    return len(coming)


def end_all(*, person: User, why: str) -> int:
    """Call off every coming visit of somebody who leaves; how many."""
    mine = Appointment.objects.filter(status__in=(Status.HELD, *BOOKED))
    ended = 0
    for appointment in mine.filter(patient=person) | mine.filter(doctor=person):
        is_patient = appointment.patient_id == person.pk
        if appointment.status == Status.HELD:
            ended += expire(appointment)
        elif appointment.status in (Status.REQUESTED, Status.CONFIRMED):
            to = Status.CANCELLED_BY_PATIENT if is_patient else Status.CANCELLED_BY_DOCTOR
            if not appointment.may(to, Actor.CLOCK):
                to = Status.EXPIRED
            if appointment.move(to, by=None, actor=Actor.CLOCK, note=why, sequence=appointment.sequence + 1):
                end(appointment, Happened.CANCELLED, by=None)
                ended += 1
    return ended
