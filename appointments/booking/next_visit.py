"""The next visit, which the doctor books for the patient while the two are together, or soon after."""

import copy
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import relations
from accounts.models import User
from appointments.booking.steps import only_doctor, only_verified, tell, wrong_state
from appointments.booking.taking import times_of
from appointments.booking.times import (
    FURTHEST,
    MINUTE,
    first_come,
    locked,
    record_open_until,
    slot_at,
)
from appointments.models import LENGTHS, Actor, Appointment, Schedule, Status
from appointments.signals import Happened

BOOKED_AFTER = (Status.CHECKED_IN, Status.COMPLETED)


def book_next(*, after: Appointment, by: User, start: datetime, length: int) -> Appointment:
    """The doctor of a visit books the one that follows it: confirmed at once, as it is the doctor's own time.

    Notice does not bind the doctor: it is there so that nobody surprises them, and they may say “come again
    tonight”. Nor are times kept from them for urgent cases. All else binds them as it binds patients: hours,
    lengths, buffers, horizon, most visits a day, and that nobody is at two places at once. What the patient
    holds at the moment stays theirs. The same click twice books once.

    Raises SlotTaken and what `refuse_next` and `hold` raise.
    """
    refuse_next(after, by)
    with transaction.atomic():
        schedule = without_notice(locked(after.patient, after.doctor))
        after.refresh_from_db()
        refuse_next(after, by)  # it may have changed while others were waited for
        if booked := _booked(after, start, length):
            return booked
        slot = slot_at(
            schedule, patient=after.patient, start=start, length=length, urgent=True, asks=Actor.DOCTOR
        )
        visit = Appointment(
            patient=after.patient,
            doctor=after.doctor,
            **times_of(schedule, slot),
            status=Status.CONFIRMED,
            follows=after,
            booked_at=timezone.now(),
        )
        visit.relation = relations.open_for_visit(
            patient=visit.patient, doctor=visit.doctor, until=record_open_until(visit.end), by=by
        )
        with first_come(visit.doctor_id, length, urgent=True, asks=Actor.DOCTOR):
            visit.begin(by=by, actor=Actor.DOCTOR)
        tell(visit, Happened.BOOKED_NEXT, by=by)
    return visit


def refuse_next(after: Appointment, by: User) -> None:
    """Whether this doctor may book what follows this visit.

    A visit opens the record anew. So only a visit at which the patient was, and whose own relation is still
    in force, may lead to the next one: a share, or a visit of long ago, does not. Raises PermissionDenied
    (somebody else), and ValidationError: wrong_state, closed, not_verified.
    """
    only_doctor(after, by)
    if after.status not in BOOKED_AFTER:
        raise wrong_state(after)
    only_verified(by)
    if after.relation is None or not after.relation.is_in_force:
        raise ValidationError(
            _("Through this visit the record is not open to you any more. Your patient can book you."),
            code="closed",
        )


def without_notice(schedule: Schedule) -> Schedule:
    """The same terms for the doctor, whom notice does not bind. Never saved."""
    own = copy.copy(schedule)
    own.notice_hours = 0
    return own


def _booked(after: Appointment, start: datetime, length: int) -> Appointment | None:
    """What the other one of two clicks has booked."""
    if length not in LENGTHS or not after.start < start < timezone.now() + FURTHEST:
        return None  # it is refused: at the end of the calendar nothing can be added to it
    end = start + length * MINUTE
    return Appointment.objects.booked().filter(follows=after, start=start, end=end).first()
