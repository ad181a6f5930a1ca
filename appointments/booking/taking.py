"""Holding, booking and moving."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import relations
from accounts.models import User
from appointments import slots
from appointments.availability import terms_of
from appointments.booking.steps import (
    actor_of,
    changing,
    freed,
    is_stale,
    move,
    refuse_stale,
    tell,
    words_of,
    wrong_state,
)
from appointments.booking.times import (
    MINUTE,
    answer_by,
    first_come,
    in_the_past,
    locked,
    not_offered,
    offered_at,
    record_open_until,
    refuse_late,
    slot_at,
)
from appointments.models import (
    BOOKED,
    Actor,
    Appointment,
    AppointmentEvent,
    AttachedAnalysis,
    Schedule,
    Status,
)
from appointments.signals import Happened
from appointments.slots import Slot
from diagnosis.models import Analysis


def hold(
    *,
    patient: User,
    doctor: User,
    start: datetime,
    length: int,
    urgent: bool = False,
    follows: Appointment | None = None,
    offered: bool = False,
) -> Appointment:
    """Keep a time for this person for DERMA_HOLD_MINUTES; what they held before is free again.

    `urgent` opens times kept for urgent cases: whoever calls has seen the urgent result. `offered` is what
    the waiting list keeps, for DERMA_OFFER_MINUTES and beside what the person holds. Raises SlotTaken, and
    ValidationError with one of the codes oneself, not_a_patient, not_bookable, length, past, notice,
    horizon, not_offered, patient_busy, not_yours.
    """
    minutes = settings.DERMA_OFFER_MINUTES if offered else settings.DERMA_HOLD_MINUTES
    refuse_late(patient, doctor, start, length, urgent=urgent)
    with transaction.atomic():
        schedule = locked(patient, doctor)
        if not offered:
            _release_holds(patient)
        slot = slot_at(schedule, patient=patient, start=start, length=length, urgent=urgent)
        appointment = Appointment(
            patient=patient,
            doctor=doctor,
            **times_of(schedule, slot),
            urgent=urgent,
            offered=offered,
            follows=_of_the_same(follows, patient, doctor),
            expires_at=timezone.now() + timedelta(minutes=minutes),
        )
        with first_come(doctor.pk, length, urgent=urgent):
            appointment.begin(
                by=None if offered else patient, actor=Actor.CLOCK if offered else Actor.PATIENT
            )
    return appointment


def times_of(schedule: Schedule, slot: Slot) -> dict[str, Any]:
    blocked_from, blocked_until = slots.blocked_range(terms_of(schedule), slot.start, slot.end)
    return {
        "start": slot.start,
        "end": slot.end,
        "blocked_from": blocked_from,
        "blocked_until": blocked_until,
        "place": slot.place,
    }


def _of_the_same(follows: Appointment | None, patient: User, doctor: User) -> Appointment | None:
    if follows and (follows.patient_id, follows.doctor_id) != (patient.pk, doctor.pk):
        raise ValidationError(_("This visit does not follow from one of yours here."), code="not_yours")
    return follows


def _release_holds(patient: User) -> None:
    for held in Appointment.objects.filter(patient=patient, status=Status.HELD, offered=False):
        _let_go(held)


def _let_go(hold: Appointment) -> bool:
    released = hold.move(Status.EXPIRED, by=hold.patient, actor=Actor.PATIENT, note="released")
    if released:
        freed(hold.doctor_id)
    return released


def book(*, hold: Appointment, reason: str = "", analyses: Collection[UUID] = ()) -> Appointment:
    """Turn a hold into a visit: confirmed at once, or a request where the doctor confirms by hand.

    The doctor may open the record from now on. Raises ValidationError: hold_ran_out, booked, not_yours,
    not_bookable, not_offered and past (the doctor's hours, or the clock, have changed since it was held).
    """
    reason = words_of(reason)
    with transaction.atomic():
        schedule = locked(hold.patient, hold.doctor)
        hold.refresh_from_db()
        _refuse_lost(hold)
        _refuse_changed(schedule, hold)
        attached = list(Analysis.objects.filter(patient=hold.patient, public_id__in=list(analyses)))
        if len(attached) != len(set(analyses)):
            raise ValidationError(_("Some of these analyses are not yours."), code="not_yours")
        relation = relations.open_for_visit(
            patient=hold.patient, doctor=hold.doctor, until=record_open_until(hold.end), by=hold.patient
        )
        by_hand = schedule.confirms_by_hand
        move(
            hold,
            Status.REQUESTED if by_hand else Status.CONFIRMED,
            by=hold.patient,
            actor=Actor.PATIENT,
            reason=reason,
            relation=relation,
            booked_at=timezone.now(),
            expires_at=answer_by(schedule, hold.start) if by_hand else None,
        )
        AttachedAnalysis.objects.bulk_create(
            AttachedAnalysis(appointment=hold, analysis=analysis) for analysis in attached
        )
        tell(hold, Happened.REQUESTED if by_hand else Happened.CONFIRMED, by=hold.patient)
    return hold


def _refuse_lost(hold: Appointment) -> None:
    if hold.status in BOOKED:
        raise ValidationError(_("You have booked this visit already."), code="booked")
    if hold.status != Status.HELD or is_stale(hold):
        raise ValidationError(
            _("The time that was held for you ran out. Choose it again, if it is still free."),
            code="hold_ran_out",
        )


def _refuse_changed(schedule: Schedule, hold: Appointment) -> None:
    """What was offered when it was held is kept, unless the doctor has taken it back or it has begun."""
    if hold.start <= timezone.now():
        raise in_the_past()
    slot = offered_at(schedule, hold.start, hold.minutes, urgent=hold.urgent, now=hold.created_at)
    if slot is None or slot.place != hold.place:
        raise not_offered()


def release(*, hold: Appointment) -> bool:
    """Give a held time back; False if it is no hold any more."""
    with changing(hold):
        return hold.status == Status.HELD and _let_go(hold)


def reschedule(
    *, appointment: Appointment, by: User, start: datetime, length: int | None = None
) -> Appointment:
    """Move a visit, in one UPDATE of its row: the old time is kept until the new one is sure.

    A visit that the patient moves is requested anew where the doctor confirms by hand. Raises SlotTaken and
    ValidationError: wrong_state, ended, begun, same_time, and what `hold` raises.
    """
    actor = actor_of(appointment, by)
    length = length or appointment.minutes
    # The doctor may use what is kept for urgent cases.
    urgent = appointment.urgent or actor == Actor.DOCTOR
    with transaction.atomic():
        schedule = locked(appointment.patient, appointment.doctor)
        appointment.refresh_from_db()
        _refuse_to_move(appointment)
        if (start, length) == (appointment.start, appointment.minutes):
            raise ValidationError(_("The visit is at this time already."), code="same_time")
        slot = slot_at(
            schedule,
            patient=appointment.patient,
            start=start,
            length=length,
            urgent=urgent,
            moved=appointment,
            asks=actor,
        )
        _change_time(schedule, appointment, slot, by=by, actor=actor)
    return appointment


def _refuse_to_move(appointment: Appointment) -> None:
    if appointment.status not in (Status.REQUESTED, Status.CONFIRMED):
        raise wrong_state(appointment)
    refuse_stale(appointment)
    if appointment.start <= timezone.now():
        raise ValidationError(_("This visit has begun and cannot be moved any more."), code="begun")


def _change_time(schedule: Schedule, appointment: Appointment, slot: Slot, *, by: User, actor: Actor) -> None:
    before, source = appointment.start, Status(appointment.status)
    again = schedule.confirms_by_hand and actor == Actor.PATIENT
    status = Status.REQUESTED if again else source
    changes: dict[str, Any] = {
        **times_of(schedule, slot),
        "sequence": appointment.sequence + 1,
        "status": status,
        "expires_at": answer_by(schedule, slot.start) if status == Status.REQUESTED else None,
    }
    length = (slot.end - slot.start) // MINUTE
    with first_come(appointment.doctor_id, length, urgent=appointment.urgent, asks=actor):
        changed = Appointment.objects.filter(pk=appointment.pk, status=source).update(**changes)
    if not changed:
        raise wrong_state(appointment)
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
            relation=appointment.relation, until=record_open_until(slot.end), why="visit moved"
        )
    tell(appointment, Happened.MOVED, by=by, start_before=before)
    freed(appointment.doctor_id)
