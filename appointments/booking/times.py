"""Which time a visit may have, and who was first. The database decides."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from appointments import slots
from appointments.availability import bookable, free_times, next_free, terms_of
from appointments.booking.steps import expire
from appointments.constraints import broken
from appointments.models import Appointment, Schedule
from appointments.slots import Slot

ALTERNATIVES = 3  # next free times that somebody who came too late is offered


class SlotTaken(Exception):
    """Somebody else was first. `next_free` has the next times that can be had instead."""

    code = "slot_taken"

    def __init__(self, next_free: list[Slot]) -> None:
        self.next_free = next_free
        super().__init__(str(self.message))

    @property
    def message(self) -> str:
        return _("This time has just been taken. Choose another one.")


def locked(patient: User, doctor: User) -> Schedule:
    """Bookings of one patient, and of one doctor, wait for each other; in this order everywhere."""
    if patient == doctor:
        raise ValidationError(_("You cannot book a visit with yourself."), code="oneself")
    if not patient.is_patient:
        raise ValidationError(_("Only patients book visits."), code="not_a_patient")
    User.objects.select_for_update(no_key=True).get(pk=patient.pk)
    schedule = bookable(doctor)
    if schedule is None:
        raise ValidationError(_("This doctor cannot be booked at present."), code="not_bookable")
    Schedule.objects.select_for_update().get(pk=schedule.pk)
    # What was read before the lock may be old.
    return Schedule.objects.prefetch_related("rules", "exceptions").get(pk=schedule.pk)


def slot_at(
    schedule: Schedule,
    *,
    patient: User,
    start: datetime,
    length: int,
    urgent: bool,
    moved: Appointment | None = None,
) -> Slot:
    """The free time that begins at `start`. Raises SlotTaken or ValidationError."""
    now = timezone.now()
    if length not in schedule.lengths:
        raise ValidationError(_("This doctor has no visits of this length."), code="length")
    if start <= now:
        raise ValidationError(_("This time lies in the past. Choose a later one."), code="past")
    if start < now + timedelta(hours=schedule.notice_hours):
        raise ValidationError(_("This doctor needs more notice. Choose a later time."), code="notice")
    if start >= now + timedelta(days=schedule.horizon_days):
        raise ValidationError(
            _("This doctor cannot be booked that far ahead yet. Choose an earlier time."), code="horizon"
        )
    end = start + timedelta(minutes=length)
    expire_in_the_way(schedule.doctor_id, patient.pk, start, end)
    busy = Appointment.objects.occupying().filter(patient=patient, start__lt=end, end__gt=start)
    if moved is not None:
        busy = busy.exclude(pk=moved.pk)
    if busy.exists():
        raise ValidationError(_("You have another visit at this time."), code="patient_busy")
    until = start + timedelta(minutes=1)
    free = free_times(schedule, length=length, since=start, until=until, urgent=urgent, except_for=moved)
    for slot in free:
        if slot.start == start:
            return slot
    terms = terms_of(schedule)
    offered = slots.free_slots(terms, [], length=length, now=now, since=start, until=until, urgent=urgent)
    if any(slot.start == start for slot in offered):
        raise SlotTaken(next_free(schedule, length=length, count=ALTERNATIVES, urgent=urgent))
    raise ValidationError(
        _("This doctor has no visits at this time. Choose one of the times that are shown."),
        code="not_offered",
    )


@contextmanager
def first_come(schedule: Schedule, length: int, *, urgent: bool) -> Iterator[None]:
    """What the database refuses becomes the sentence for whoever came second."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if broken(error, "appointment_doctor_free"):
            alternatives = next_free(schedule, length=length, count=ALTERNATIVES, urgent=urgent)
            raise SlotTaken(alternatives) from error
        if broken(error, "appointment_patient_free") or broken(error, "appointment_one_hold"):
            raise ValidationError(_("You have another visit at this time."), code="patient_busy") from error
        raise


def expire_in_the_way(doctor: int, patient: int, start: datetime, end: datetime) -> None:
    """End what is stale there; it would still stand in the way of the constraints."""
    margin = timedelta(hours=4)  # the longest buffers
    near = Appointment.objects.stale().filter(blocked_from__lt=end + margin, blocked_until__gt=start - margin)
    for appointment in near.filter(doctor=doctor) | near.filter(patient=patient):
        expire(appointment)


def answer_by(schedule: Schedule, start: datetime) -> datetime:
    """A request ends after a day, or at the limit of notice, the earlier; in a minute at least."""
    now = timezone.now()
    limit = start - timedelta(hours=schedule.notice_hours)
    return max(min(now + timedelta(hours=24), limit), now + timedelta(minutes=1))


def record_open_until(end: datetime) -> datetime:
    return end + timedelta(days=settings.DERMA_RECORD_DAYS)
