"""“Tell me when something earlier is free”: what becomes free is offered to one after the other.

Whoever changes an entry together with its offer locks as for a visit first, and touches the entry then.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from appointments import booking, notices
from appointments.availability import bookable
from appointments.booking.steps import lock
from appointments.booking.times import locked
from appointments.models import Appointment, Schedule, Status, WaitlistEntry, WaitStatus
from appointments.picking import free_for
from appointments.signals import Happened, time_freed, visit_changed
from appointments.slots import Slot

log = structlog.get_logger(__name__)
MOVABLE = (Status.REQUESTED, Status.CONFIRMED)
_BOOKED_NOW = (Happened.REQUESTED, Happened.CONFIRMED, Happened.BOOKED_NEXT)


def join(
    *, patient: User, doctor: User, length: int | None = None, appointment: Appointment | None = None
) -> WaitlistEntry:
    """Wait for a time before this visit; without one, before the first that is free now.

    Whoever waits for this doctor already goes on waiting, in the same place. Raises ValidationError: ended,
    length, free_now (nobody has to wait), oneself, not_a_patient, not_bookable.
    """
    with transaction.atomic():
        schedule = locked(patient, doctor)
        if appointment is not None:
            appointment.refresh_from_db()
            if not _is_movable(appointment):
                raise ValidationError(_("This visit is over or was called off."), code="ended")
            length = appointment.minutes
        if length is None or length not in schedule.lengths:
            raise ValidationError(_("This doctor has no visits of this length."), code="length")
        since, until = _ahead(schedule)
        free = free_for(patient, schedule, length=length, since=since, until=until, except_for=appointment)
        values: dict[str, Any] = {"length": length, "before": free[0].start if free else until}
        if appointment is not None:
            values |= {"appointment": appointment, "before": appointment.start}
            if free and free[0].start < appointment.start:
                raise ValidationError(
                    _("Earlier times are free right now. Choose one of them."), code="free_now"
                )
        entry = WaitlistEntry.objects.on_list().filter(patient=patient, doctor=doctor).first()
        if entry is None:
            return WaitlistEntry.objects.create(patient=patient, doctor=doctor, **values)
        if appointment is not None and entry.status == WaitStatus.WAITING:
            WaitlistEntry.objects.filter(pk=entry.pk, status=WaitStatus.WAITING).update(**values)
            entry.refresh_from_db()
    return entry


def leave(*, entry: WaitlistEntry) -> bool:
    """Wait no longer; what is offered goes to the next. False if it had ended already."""
    with transaction.atomic():
        lock(doctor=entry.doctor_id, patient=entry.patient_id)
        entry.refresh_from_db()
        left = WaitlistEntry.objects.on_list().filter(pk=entry.pk).update(status=WaitStatus.LEFT)
        if left and entry.offer is not None:
            booking.release(hold=entry.offer)
    return bool(left)


def decline(*, entry: WaitlistEntry) -> bool:
    """Not this time: it goes to the next, and this person goes on waiting. False if nothing is offered."""
    with transaction.atomic():
        lock(doctor=entry.doctor_id, patient=entry.patient_id)
        offered = WaitlistEntry.objects.filter(pk=entry.pk, status=WaitStatus.OFFERED, offer=entry.offer)
        declined = offered.update(status=WaitStatus.WAITING, offer=None)
        if declined and entry.offer is not None:
            booking.release(hold=entry.offer)
    return bool(declined)


def book(*, hold: Appointment, reason: str = "", analyses: Collection[UUID] = ()) -> Appointment:
    """Turn any hold into a visit, as `take` does where the list offered it. Raises what the two raise.

    Asked again for what was taken, it answers as booking does for any visit.
    """
    entry = WaitlistEntry.objects.filter(offer=hold).exclude(status=WaitStatus.TAKEN).first()
    if entry is not None:
        return take(entry=entry, reason=reason, analyses=analyses)
    return booking.book(hold=hold, reason=reason, analyses=analyses)


def take(*, entry: WaitlistEntry, reason: str = "", analyses: Collection[UUID] = ()) -> Appointment:
    """Book what is offered; a visit that it is earlier than moves there, so that nobody has two.

    Raises ValidationError: offer_ended, earlier_already, and what booking and moving raise.
    """
    with transaction.atomic():
        locked(entry.patient, entry.doctor)
        entry.refresh_from_db()
        offer = entry.offer
        if entry.status != WaitStatus.OFFERED or offer is None or not is_live(offer):
            raise ValidationError(
                _("This offer has ended. You are still on the list unless you left it."), code="offer_ended"
            )
        visit = entry.appointment
        if visit is not None and _is_movable(visit):
            if visit.start <= offer.start:
                raise ValidationError(_("Your visit is earlier than this time already."), code="not_earlier")
            # Both lie in one transaction: nobody else can come in between.
            booking.release(hold=offer)
            booking.reschedule(appointment=visit, by=entry.patient, start=offer.start, length=offer.minutes)
        else:
            visit = booking.book(hold=offer, reason=reason, analyses=analyses)
        entry.status = WaitStatus.TAKEN
        entry.save(update_fields=["status"])
    return visit


def is_live(offer: Appointment) -> bool:
    """Whether it still is held."""
    return offer.status == Status.HELD and offer.expires_at is not None and offer.expires_at > timezone.now()


def replaced(entry: WaitlistEntry) -> Appointment | None:
    """The visit that taking an offer would move."""
    visit = entry.appointment
    return visit if visit is not None and _is_movable(visit) else None


def sweep() -> int:
    """Take back offers that ran out, end what waits for nothing, offer what is free; how many offers.

    For the clockwork, and safe to run at any time: `time_freed` does the same at once for one doctor.
    """
    doctors = WaitlistEntry.objects.on_list().values_list("doctor", flat=True).distinct()
    return sum(offer_free_times(doctor) for doctor in doctors)


def offer_free_times(doctor: int) -> int:
    """Offer what is free with this doctor to those who wait, in their order; how many offers were made."""
    mine = WaitlistEntry.objects.filter(doctor=doctor).select_related("patient", "doctor", "appointment")
    for entry in mine.filter(status=WaitStatus.OFFERED).select_related("offer"):
        if entry.offer is None or not is_live(entry.offer):
            lapsed = WaitlistEntry.objects.filter(pk=entry.pk, status=WaitStatus.OFFERED, offer=entry.offer)
            lapsed.update(status=WaitStatus.WAITING, offer=None)
    made = 0
    for entry in mine.filter(status=WaitStatus.WAITING):
        if _is_over(entry):
            mine.filter(pk=entry.pk, status=WaitStatus.WAITING).update(status=WaitStatus.LEFT)
        elif _offer(entry):
            made += 1
    return made


@receiver(visit_changed, sender=Appointment)
def _on_booked(appointment: Appointment, happened: Happened, **signal: Any) -> None:
    """What somebody books while they wait is what an earlier time then replaces: nobody ends up with two."""
    if happened not in _BOOKED_NOW:
        return
    since = WaitlistEntry.objects.on_list().filter(
        patient=appointment.patient_id,
        doctor=appointment.doctor_id,
        appointment=None,
        created_at__lte=appointment.booked_at,
    )
    # Taking an offer ends the waiting itself.
    since.exclude(offer=appointment).update(
        appointment=appointment, before=appointment.start, length=appointment.minutes
    )


@receiver(time_freed, sender=Appointment)
def _on_time_freed(doctor_id: int, **signal: Any) -> None:
    """What was done is committed: a failure here is told to operators, and the sweep tries again."""
    try:
        offer_free_times(doctor_id)
    except Exception:
        log.exception("waitlist_failed", doctor_id=doctor_id)


def _offer(entry: WaitlistEntry) -> bool:
    schedule = bookable(entry.doctor)
    slot = next(_fitting(entry, schedule), None) if schedule else None
    if slot is None:
        return False
    try:
        with transaction.atomic():
            held = booking.hold(
                patient=entry.patient,
                doctor=entry.doctor,
                start=slot.start,
                length=_length(entry),
                urgent=_is_urgent(entry),
                offered=True,
            )
            claimed = WaitlistEntry.objects.filter(pk=entry.pk, status=WaitStatus.WAITING)
            if not claimed.update(status=WaitStatus.OFFERED, offer=held):
                raise _Gone
            entry.refresh_from_db()
            notices.offer(entry)
    except (booking.SlotTaken, ValidationError, _Gone):
        return False  # somebody was quicker: the sweep looks again
    return True


class _Gone(Exception):
    """This person has left the list, or has an offer from somewhere else, in the same moment."""


def _fitting(entry: WaitlistEntry, schedule: Schedule) -> Iterator[Slot]:
    """Times that this person can take and was not offered before, the earliest first."""
    told = set(
        Appointment.objects.filter(patient=entry.patient, doctor=entry.doctor, offered=True).values_list(
            "start", flat=True
        )
    )
    since, until = _ahead(schedule)[0], _limit(entry)
    if since >= until:
        return
    length, urgent = _length(entry), _is_urgent(entry)
    slots = free_for(entry.patient, schedule, length=length, since=since, until=until, urgent=urgent)
    yield from (slot for slot in slots if slot.start not in told)


def _ahead(schedule: Schedule) -> tuple[datetime, datetime]:
    """From and until when the terms let somebody book for as long as an offer stands."""
    now = timezone.now()
    notice = timedelta(hours=schedule.notice_hours, minutes=settings.DERMA_OFFER_MINUTES + 1)
    return now + notice, now + timedelta(days=schedule.horizon_days)


def _is_movable(visit: Appointment) -> bool:
    return visit.status in MOVABLE and visit.start > timezone.now()


def _is_over(entry: WaitlistEntry) -> bool:
    """The visit took place or was called off, or the day has come, or the patient is gone."""
    visit = entry.appointment
    gone = not entry.patient.is_active or (visit is not None and not _is_movable(visit))
    return gone or _limit(entry) <= timezone.now()


def _limit(entry: WaitlistEntry) -> datetime:
    """Before this a time is earlier: a visit may have been moved since."""
    return entry.appointment.start if entry.appointment else entry.before


def _length(entry: WaitlistEntry) -> int:
    return entry.appointment.minutes if entry.appointment else entry.length


def _is_urgent(entry: WaitlistEntry) -> bool:
    return entry.appointment is not None and entry.appointment.urgent
