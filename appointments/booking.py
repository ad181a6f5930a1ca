"""Holding, booking, moving and ending visits. The database decides who was first."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import relations
from accounts.models import User
from appointments import slots
from appointments.availability import bookable, free_times, next_free, terms_of
from appointments.constraints import broken
from appointments.models import (
    BOOKED,
    Actor,
    Appointment,
    AppointmentEvent,
    AttachedAnalysis,
    Schedule,
    Status,
)
from appointments.signals import Happened, time_freed, visit_changed
from appointments.slots import Slot
from diagnosis.models import Analysis

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


def hold(
    *,
    patient: User,
    doctor: User,
    start: datetime,
    length: int,
    urgent: bool = False,
    follows: Appointment | None = None,
) -> Appointment:
    """Keep a time for this person for DERMA_HOLD_MINUTES; what they held before is free again.

    `urgent` opens times kept for urgent cases: whoever calls has seen the urgent result. Raises SlotTaken,
    and ValidationError with one of the codes oneself, not_a_patient, not_bookable, length, past, notice,
    horizon, not_offered, patient_busy.
    """
    with transaction.atomic():
        schedule = _locked(patient, doctor)
        _release_holds(patient)
        slot = _slot(schedule, patient=patient, start=start, length=length, urgent=urgent)
        blocked = slots.blocked_range(terms_of(schedule), slot.start, slot.end)
        appointment = Appointment(
            patient=patient,
            doctor=doctor,
            start=slot.start,
            end=slot.end,
            blocked_from=blocked[0],
            blocked_until=blocked[1],
            place=slot.place,
            urgent=urgent,
            follows=follows,
            expires_at=timezone.now() + timedelta(minutes=settings.DERMA_HOLD_MINUTES),
        )
        with _first_come(schedule, length, urgent=urgent):
            appointment.save()
        AppointmentEvent.objects.create(
            appointment=appointment, to_status=Status.HELD, by=patient, actor=Actor.PATIENT
        )
    return appointment


def book(*, hold: Appointment, reason: str = "", analyses: Collection[UUID] = ()) -> Appointment:
    """Turn a hold into a visit: confirmed at once, or a request where the doctor confirms by hand.

    The doctor may open the record from now on. Raises ValidationError: hold_ran_out, not_yours, not_bookable.
    """
    with transaction.atomic():
        schedule = _locked(hold.patient, hold.doctor)
        hold.refresh_from_db()
        if hold.status != Status.HELD or hold.expires_at is None or hold.expires_at <= timezone.now():
            raise ValidationError(
                _("The time that was held for you ran out. Choose it again, if it is still free."),
                code="hold_ran_out",
            )
        attached = list(Analysis.objects.filter(patient=hold.patient, public_id__in=list(analyses)))
        if len(attached) != len(set(analyses)):
            raise ValidationError(_("Some of these analyses are not yours."), code="not_yours")
        relation = relations.open_for_visit(
            patient=hold.patient, doctor=hold.doctor, until=_record_open_until(hold.end)
        )
        by_hand = schedule.confirms_by_hand
        to = Status.REQUESTED if by_hand else Status.CONFIRMED
        _move(
            hold,
            to,
            by=hold.patient,
            actor=Actor.PATIENT,
            reason=reason.strip(),
            relation=relation,
            booked_at=timezone.now(),
            expires_at=_answer_by(schedule, hold.start) if by_hand else None,
        )
        AttachedAnalysis.objects.bulk_create(
            AttachedAnalysis(appointment=hold, analysis=analysis) for analysis in attached
        )
        _tell(hold, Happened.REQUESTED if by_hand else Happened.CONFIRMED, by=hold.patient)
    return hold


def release(*, hold: Appointment) -> bool:
    """Give a held time back; False if it is no hold any more."""
    with transaction.atomic():
        released = hold.status == Status.HELD and hold.move(
            Status.EXPIRED, by=hold.patient, actor=Actor.PATIENT, note="released"
        )
        if released:
            _freed(hold.doctor_id)
    return released


def confirm(*, appointment: Appointment, by: User) -> Appointment:
    """The doctor takes a request. Raises ValidationError if it has ended or the time is over."""
    with transaction.atomic():
        _expire_if_stale(appointment)
        _move(appointment, Status.CONFIRMED, by=by, actor=Actor.DOCTOR)
        _tell(appointment, Happened.CONFIRMED, by=by)
    return appointment


def decline(*, appointment: Appointment, by: User, reason: str) -> Appointment:
    """The doctor does not take a request, and says why."""
    with transaction.atomic():
        because = _because(reason)
        _move(appointment, Status.DECLINED, by=by, actor=Actor.DOCTOR, note=because, ended_because=because)
        _end(appointment, Happened.DECLINED, by=by)
    return appointment


def cancel(*, appointment: Appointment, by: User, reason: str = "") -> Appointment:
    """One of the two calls the visit off; the doctor says why. Later than the terms allow is marked late.

    Raises ValidationError: ended (also when cancelled twice), begun, reason.
    """
    actor = _actor(appointment, by)
    with transaction.atomic():
        if appointment.status in BOOKED and appointment.start <= timezone.now():
            raise ValidationError(_("This visit has begun and cannot be cancelled any more."), code="begun")
        if actor == Actor.DOCTOR and appointment.status == Status.REQUESTED:
            return decline(appointment=appointment, by=by, reason=reason)
        because = _because(reason) if actor == Actor.DOCTOR else reason.strip()
        to = Status.CANCELLED_BY_DOCTOR if actor == Actor.DOCTOR else Status.CANCELLED_BY_PATIENT
        _move(
            appointment,
            to,
            by=by,
            actor=actor,
            note=because,
            ended_because=because,
            late=actor == Actor.PATIENT and _is_late(appointment),
            sequence=appointment.sequence + 1,
        )
        _end(appointment, Happened.CANCELLED, by=by)
    return appointment


def reschedule(
    *, appointment: Appointment, by: User, start: datetime, length: int | None = None
) -> Appointment:
    """Move a visit, in one UPDATE of its row: the old time is kept until the new one is sure.

    A visit that the patient moves is requested anew where the doctor confirms by hand. Raises SlotTaken and
    ValidationError: ended, begun, and what `hold` raises.
    """
    actor = _actor(appointment, by)
    length = length or appointment.minutes
    with transaction.atomic():
        schedule = _locked(appointment.patient, appointment.doctor)
        appointment.refresh_from_db()
        if appointment.status not in (Status.REQUESTED, Status.CONFIRMED):
            raise _ended(appointment)
        if appointment.start <= timezone.now():
            raise ValidationError(_("This visit has begun and cannot be moved any more."), code="begun")
        # The doctor may use what is kept for urgent cases.
        urgent = appointment.urgent or actor == Actor.DOCTOR
        slot = _slot(
            schedule,
            patient=appointment.patient,
            start=start,
            length=length,
            urgent=urgent,
            moved=appointment,
        )
        _change_time(schedule, appointment, slot, by=by, actor=actor)
    return appointment


def _change_time(schedule: Schedule, appointment: Appointment, slot: Slot, *, by: User, actor: Actor) -> None:
    blocked_from, blocked_until = slots.blocked_range(terms_of(schedule), slot.start, slot.end)
    before, source = appointment.start, appointment.status
    again = schedule.confirms_by_hand and actor == Actor.PATIENT
    status = Status.REQUESTED if again else Status(source)
    changes: dict[str, Any] = {
        "start": slot.start,
        "end": slot.end,
        "blocked_from": blocked_from,
        "blocked_until": blocked_until,
        "place": slot.place,
        "sequence": appointment.sequence + 1,
        "status": status,
        "expires_at": _answer_by(schedule, slot.start) if status == Status.REQUESTED else None,
    }
    with _first_come(schedule, appointment.minutes, urgent=appointment.urgent):
        changed = Appointment.objects.filter(pk=appointment.pk, status=source).update(**changes)
    if not changed:
        raise _ended(appointment)
    for field, value in changes.items():
        setattr(appointment, field, value)
    AppointmentEvent.objects.create(
        appointment=appointment,
        from_status=source,
        to_status=status,
        by=by,
        actor=actor,
        start_before=before,
    )
    if appointment.relation:
        relations.keep_for_visit(
            relation=appointment.relation, until=_record_open_until(slot.end), why="visit moved"
        )
    _tell(appointment, Happened.MOVED, by=by, start_before=before)
    _freed(appointment.doctor_id)


def check_in(*, appointment: Appointment, by: User) -> Appointment:
    """The patient is there. At most an hour before the visit begins."""
    with transaction.atomic():
        if appointment.start > timezone.now() + timedelta(hours=1):
            raise ValidationError(_("This visit does not begin within the next hour."), code="too_early")
        _move(appointment, Status.CHECKED_IN, by=by, actor=Actor.DOCTOR)
        _tell(appointment, Happened.CHECKED_IN, by=by)
    return appointment


def complete(*, appointment: Appointment, by: User) -> Appointment:
    """The visit took place: the record stays open to the doctor for DERMA_RECORD_DAYS."""
    with transaction.atomic():
        _begun(appointment)
        _move(appointment, Status.COMPLETED, by=by, actor=Actor.DOCTOR)
        if appointment.relation:
            relations.keep_for_visit(
                relation=appointment.relation,
                until=_record_open_until(timezone.now()),
                why="visit completed",
            )
        _tell(appointment, Happened.COMPLETED, by=by)
    return appointment


def no_show(*, appointment: Appointment, by: User) -> Appointment:
    """The patient did not come: the record closes."""
    with transaction.atomic():
        _begun(appointment)
        _move(appointment, Status.NO_SHOW, by=by, actor=Actor.DOCTOR)
        _close_record(appointment, by=by, why="patient did not come")
        _tell(appointment, Happened.NO_SHOW, by=by)
    return appointment


def expire_stale() -> int:
    """End holds and requests whose time is over; how many. For the clockwork."""
    ended = 0
    for appointment in Appointment.objects.stale():
        with transaction.atomic():
            ended += _expire(appointment)
    return ended


def flag_coming(doctor: User, why: str) -> int:
    """Mark the coming visits of a doctor who may not practise at present; how many."""
    coming = list(Appointment.objects.coming().filter(doctor=doctor, flagged=""))
    for appointment in coming:
        appointment.flagged = why
        appointment.save(update_fields=["flagged"])
        _tell(appointment, Happened.FLAGGED, by=None)
    return len(coming)


def end_all(*, person: User, why: str) -> int:
    """Call off every coming visit of somebody who leaves; how many."""
    mine = Appointment.objects.filter(status__in=(Status.HELD, *BOOKED))
    ended = 0
    for appointment in mine.filter(patient=person) | mine.filter(doctor=person):
        is_patient = appointment.patient_id == person.pk
        if appointment.status == Status.HELD:
            ended += _expire(appointment)
        elif appointment.status in (Status.REQUESTED, Status.CONFIRMED):
            to = Status.CANCELLED_BY_PATIENT if is_patient else Status.CANCELLED_BY_DOCTOR
            if not appointment.may(to, Actor.CLOCK):
                to = Status.EXPIRED
            if appointment.move(to, by=None, actor=Actor.CLOCK, note=why, sequence=appointment.sequence + 1):
                _end(appointment, Happened.CANCELLED, by=None)
                ended += 1
    return ended


# Parts


def _locked(patient: User, doctor: User) -> Schedule:
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


def _slot(
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
    _expire_in_the_way(schedule.doctor_id, patient.pk, start, end)
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
def _first_come(schedule: Schedule, length: int, *, urgent: bool) -> Iterator[None]:
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


def _release_holds(patient: User) -> None:
    for held in Appointment.objects.filter(patient=patient, status=Status.HELD, offered=False):
        release(hold=held)


def _expire_in_the_way(doctor: int, patient: int, start: datetime, end: datetime) -> None:
    """End what is stale there; it would still stand in the way of the constraints."""
    margin = timedelta(hours=4)  # the longest buffers
    near = Appointment.objects.stale().filter(blocked_from__lt=end + margin, blocked_until__gt=start - margin)
    for appointment in near.filter(doctor=doctor) | near.filter(patient=patient):
        _expire(appointment)


def _expire(appointment: Appointment) -> bool:
    was_request = appointment.status == Status.REQUESTED
    if not appointment.move(Status.EXPIRED, by=None, actor=Actor.CLOCK, note="not answered in time"):
        return False
    if was_request:
        _end(appointment, Happened.EXPIRED, by=None)
    else:
        _freed(appointment.doctor_id)
    return True


def _expire_if_stale(appointment: Appointment) -> None:
    if appointment.expires_at is not None and appointment.expires_at <= timezone.now():
        raise ValidationError(_("This request was not answered in time and has ended."), code="ended")


def _move(
    appointment: Appointment, to: Status, *, by: User, actor: Actor, note: str = "", **changes: Any
) -> None:
    """Move, or say that it has ended already or that it is not its turn."""
    if not appointment.may(to, actor) or not appointment.move(to, by=by, actor=actor, note=note, **changes):
        raise _ended(appointment)


def _ended(appointment: Appointment) -> ValidationError:
    return ValidationError(
        _("This cannot be done now: the visit is “%(status)s”."),
        code="wrong_state",
        params={"status": Status(appointment.status).label},
    )


def _begun(appointment: Appointment) -> None:
    if appointment.start > timezone.now():
        raise ValidationError(_("This visit has not begun yet."), code="not_begun")


def _end(appointment: Appointment, happened: Happened, *, by: User | None) -> None:
    """What every end before a visit has in common: the record closes, the time is free, people are told."""
    _close_record(appointment, by=by, why=happened.value)
    _tell(appointment, happened, by=by)
    _freed(appointment.doctor_id)


def _close_record(appointment: Appointment, *, by: User | None, why: str) -> None:
    if appointment.relation:
        relations.end_for_visit(relation=appointment.relation, by=by, why=f"visit: {why}")


def _tell(
    appointment: Appointment, happened: Happened, *, by: User | None, start_before: datetime | None = None
) -> None:
    visit_changed.send(
        sender=Appointment, appointment=appointment, happened=happened, by=by, start_before=start_before
    )


def _freed(doctor: int) -> None:
    transaction.on_commit(lambda: time_freed.send(sender=Appointment, doctor_id=doctor))


def _actor(appointment: Appointment, by: User) -> Actor:
    if by.pk == appointment.patient_id:
        return Actor.PATIENT
    if by.pk == appointment.doctor_id:
        return Actor.DOCTOR
    raise ValueError("Only the two who meet change a visit.")


def _because(reason: str) -> str:
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: the patient reads it.")}, code="reason")
    return reason.strip()


def _is_late(appointment: Appointment) -> bool:
    schedule = Schedule.objects.get(doctor=appointment.doctor)
    return appointment.start - timezone.now() < timedelta(hours=schedule.cancel_hours)


def _answer_by(schedule: Schedule, start: datetime) -> datetime:
    """A request ends after a day, or at the limit of notice, the earlier; in a minute at least."""
    now = timezone.now()
    limit = start - timedelta(hours=schedule.notice_hours)
    return max(min(now + timedelta(hours=24), limit), now + timedelta(minutes=1))


def _record_open_until(end: datetime) -> datetime:
    return end + timedelta(days=settings.DERMA_RECORD_DAYS)
