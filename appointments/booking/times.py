"""Which time a visit may have, and who was first. The database decides."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.selectors import is_verified_doctor
from appointments import slots
from appointments.availability import bookable, free_times, next_free, terms_of
from appointments.booking.steps import expire, lock
from appointments.constraints import broken
from appointments.models import LENGTHS, Actor, Appointment, Schedule
from appointments.picking import own_hold
from appointments.slots import Slot

ALTERNATIVES = 3  # next free times that somebody who came too late is offered
MINUTE = timedelta(minutes=1)
LONGEST_BUFFER = timedelta(hours=2)
FURTHEST = timedelta(days=366)  # beyond any horizon


class SlotTaken(Exception):
    """Somebody else was first."""

    code = "slot_taken"

    def __init__(
        self,
        *,
        doctor: int,
        length: int,
        urgent: bool,
        patient: User | None = None,
        moved: Appointment | None = None,
    ) -> None:
        self._asked: dict[str, Any] = {"length": length, "urgent": urgent, "patient": patient}
        self._moved = moved
        self._doctor = doctor
        super().__init__(self.message)

    @property
    def message(self) -> str:
        return _("This time has just been taken. Choose another one.")

    @cached_property
    def next_free(self) -> list[Slot]:
        """The next times that this patient can have. Looked for when asked: nobody waits while it is done."""
        schedule = Schedule.objects.prefetch_related("rules", "exceptions").get(doctor=self._doctor)
        # A visit that moves, and a time that is held, are given back for the one that is chosen instead.
        given_back = self._moved or own_hold(self._asked["patient"])
        return next_free(schedule, count=ALTERNATIVES, except_for=given_back, **self._asked)


def locked(patient: User, doctor: User) -> Schedule:
    """Bookings of one doctor, and of one patient, wait for each other.

    What was read before may have changed since: a doctor suspended, a patient gone. Raises ValidationError.
    """
    if patient == doctor:
        raise ValidationError(_("You cannot book a visit with yourself."), code="oneself")
    if doctor.pk is None:  # nobody's id was asked for
        raise _not_bookable()
    schedule, doctor, patient = lock(doctor=doctor.pk, patient=patient.pk)
    if not (patient.is_patient and patient.is_active):
        raise ValidationError(_("Only patients book visits."), code="not_a_patient")
    if schedule is None or not is_verified_doctor(doctor):
        raise _not_bookable()
    return schedule


def refuse_late(patient: User, doctor: User, start: datetime, length: int, *, urgent: bool) -> None:
    """Whoever is plainly too late waits for nobody. Raises SlotTaken; all else is seen under the lock."""
    now = timezone.now()
    if length not in LENGTHS or not now < start < now + FURTHEST:
        return
    taken = Appointment.objects.occupying().filter(
        doctor=doctor.pk, start__lt=start + length * MINUTE, end__gt=start
    )
    if not taken.exclude(patient=patient.pk).exclude(expires_at__lte=now).exists():
        return
    schedule = bookable(doctor) if patient.is_patient else None
    if schedule and offered_at(schedule, start, length, urgent=urgent, now=now):
        raise SlotTaken(doctor=doctor.pk, length=length, urgent=urgent, patient=patient)


def slot_at(
    schedule: Schedule,
    *,
    patient: User,
    start: datetime,
    length: int,
    urgent: bool,
    moved: Appointment | None = None,
    asks: Actor = Actor.PATIENT,
) -> Slot:
    """The free time that begins at `start`. `asks` reads the refusal: SlotTaken or ValidationError."""
    _refuse_by_terms(schedule, start, length)
    end = start + length * MINUTE
    _expire_in_the_way(schedule.doctor_id, patient.pk, start, end)
    busy = Appointment.objects.occupying().filter(patient=patient, start__lt=end, end__gt=start)
    if moved is not None:
        busy = busy.exclude(pk=moved.pk)
    if busy.exists():
        raise patient_busy(asks)
    until = start + MINUTE
    free = free_times(schedule, length=length, since=start, until=until, urgent=urgent, except_for=moved)
    for slot in free:
        if slot.start == start:
            return slot
    if offered_at(schedule, start, length, urgent=urgent, now=timezone.now()):
        raise SlotTaken(doctor=schedule.doctor_id, length=length, urgent=urgent, patient=patient, moved=moved)
    raise not_offered()


def _refuse_by_terms(schedule: Schedule, start: datetime, length: int) -> None:
    now = timezone.now()
    if length not in schedule.lengths:
        raise ValidationError(_("This doctor has no visits of this length."), code="length")
    if start < now:
        raise in_the_past()
    if start < now + timedelta(hours=schedule.notice_hours):
        raise ValidationError(_("This doctor needs more notice. Choose a later time."), code="notice")
    if start >= now + timedelta(days=schedule.horizon_days):
        raise ValidationError(
            _("This doctor cannot be booked that far ahead yet. Choose an earlier time."), code="horizon"
        )


def offered_at(
    schedule: Schedule, start: datetime, length: int, *, urgent: bool, now: datetime
) -> Slot | None:
    """The time that begins then by the doctor's rules, whoever has it; notice counts from `now`."""
    slots_then = slots.free_slots(
        terms_of(schedule), [], length=length, now=now, since=start, until=start + MINUTE, urgent=urgent
    )
    return next((slot for slot in slots_then if slot.start == start), None)


def _not_bookable() -> ValidationError:
    return ValidationError(_("This doctor cannot be booked at present."), code="not_bookable")


def in_the_past() -> ValidationError:
    return ValidationError(_("This time lies in the past. Choose a later one."), code="past")


def not_offered() -> ValidationError:
    return ValidationError(
        _("This doctor has no visits at this time. Choose one of the times that are shown."),
        code="not_offered",
    )


def patient_busy(asks: Actor) -> ValidationError:
    """A doctor learns no more than that: where, and with whom, is between the patient and them."""
    if asks == Actor.DOCTOR:
        sentence = _("Your patient has another visit at this time. Choose another one.")
    else:
        sentence = _("You have another visit at this time.")
    return ValidationError(sentence, code="patient_busy")


@contextmanager
def first_come(doctor: int, length: int, *, urgent: bool, asks: Actor = Actor.PATIENT) -> Iterator[None]:
    """What the database refuses becomes the sentence for whoever came second."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if broken(error, "appointment_doctor_free"):
            raise SlotTaken(doctor=doctor, length=length, urgent=urgent) from error
        if broken(error, "appointment_patient_free"):
            raise patient_busy(asks) from error
        raise


def _expire_in_the_way(doctor: int, patient: int, start: datetime, end: datetime) -> None:
    """End what is stale there; it would still stand in the way of the constraints."""
    near = Appointment.objects.stale().filter(
        blocked_from__lt=end + LONGEST_BUFFER, blocked_until__gt=start - LONGEST_BUFFER
    )
    for appointment in near.filter(doctor=doctor) | near.filter(patient=patient):
        if _lock_too(appointment.patient_id, appointment.doctor_id):
            expire(appointment)


def _lock_too(*people: int) -> bool:
    """Lock further people, without waiting for them: that could go in a circle."""
    rows = User.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=people)
    return len(rows) == len(people)


def answer_by(schedule: Schedule, start: datetime) -> datetime:
    """A request ends after a day, or at the limit of notice, the earlier; in a minute at least."""
    now = timezone.now()
    limit = start - timedelta(hours=schedule.notice_hours)
    return max(min(now + timedelta(hours=24), limit), now + MINUTE)


def record_open_until(end: datetime) -> datetime:
    return end + timedelta(days=settings.DERMA_RECORD_DAYS)
