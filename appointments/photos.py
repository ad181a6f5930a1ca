"""A doctor asks for a new picture in some weeks; the patient's next analysis answers."""

import datetime
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.notifications import notify
from accounts.relations import name_of
from accounts.selectors import is_verified_doctor
from appointments.models import Appointment, PhotoRequest, Status
from dermaplatform.addresses import absolute
from diagnosis.models import Analysis

ASKED_IN = (Status.CHECKED_IN, Status.COMPLETED)
LONGEST_WEEKS = 52


def ask(*, appointment: Appointment, by: User, weeks: int, note: str = "") -> PhotoRequest:
    """Ask the patient of a visit for a picture in so many weeks.

    Raises ValidationError: not_yours, not_verified, wrong_state, weeks, asked.
    """
    if by.pk != appointment.doctor_id:
        raise ValidationError(_("Only the doctor of this visit asks for pictures."), code="not_yours")
    if not is_verified_doctor(by):
        raise ValidationError(_("Your licence is not in force at present."), code="not_verified")
    if appointment.status not in ASKED_IN:
        raise ValidationError(
            _("You can ask for a picture once the patient has been checked in."), code="wrong_state"
        )
    if not 1 <= weeks <= LONGEST_WEEKS:
        sentence = _("Choose between 1 and 52 weeks.")
        raise ValidationError({"weeks": ValidationError(sentence, code="weeks")})
    with transaction.atomic():
        # Requests of one visit wait for each other.
        Appointment.objects.select_for_update(no_key=True).get(pk=appointment.pk)
        if appointment.photo_requests.filter(closed_at=None).exists():
            raise ValidationError(_("You have asked for a picture already."), code="asked")
        request = PhotoRequest(
            appointment=appointment,
            patient=appointment.patient,
            doctor=by,
            due_on=_today(by) + timedelta(weeks=weeks),
            note=note.strip(),
        )
        request.full_clean()
        request.save()
    return request


def requests_to(patient: User) -> QuerySet[PhotoRequest]:
    """All that this patient was ever asked for, what is due first."""
    asked = PhotoRequest.objects.filter(patient=patient)
    return asked.select_related("doctor__doctor_profile", "appointment", "analysis")


def requests_of(appointment: Appointment) -> QuerySet[PhotoRequest]:
    """The same of one visit."""
    return requests_to(appointment.patient).filter(appointment=appointment)


def withdraw(*, request: PhotoRequest, by: User) -> None:
    """Ask no longer. The patient is told only if they were reminded: before, nobody has written to them.

    Raises ValidationError: not_yours, closed.
    """
    if by.pk != request.doctor_id:
        raise ValidationError(_("Only the doctor who asked withdraws it."), code="not_yours")
    with transaction.atomic():
        waiting = PhotoRequest.objects.filter(pk=request.pk, closed_at=None)
        if not waiting.update(closed_at=timezone.now()):
            raise ValidationError(
                _("The picture was sent in the meantime, or the request is withdrawn already."), code="closed"
            )
        request.refresh_from_db()
        if request.reminded_at:
            link = absolute(request.appointment.get_absolute_url())
            notify(request.patient, "photo_withdrawn", doctor=name_of(by), link=link)


def open_requests(patient: User) -> QuerySet[PhotoRequest]:
    """What this patient is asked for now, what is due first."""
    return requests_to(patient).filter(closed_at=None)


def close_by(sender: type[Analysis], instance: Analysis, created: bool, **_: Any) -> None:
    """A new analysis answers what its patient was asked for before. Connected to its saving."""
    if created:
        PhotoRequest.objects.filter(
            patient=instance.patient_id, closed_at=None, created_at__lte=instance.created_at
        ).update(analysis=instance, closed_at=timezone.now())


def remind_due() -> int:
    """Remind patients once, on the day that the picture is asked for; how many. For the clockwork."""
    # Somewhere it is tomorrow already.
    latest = (timezone.now() + timedelta(hours=14)).date()
    due = PhotoRequest.objects.filter(closed_at=None, reminded_at=None, due_on__lte=latest)
    return sum(_remind(request) for request in due.select_related("patient", "doctor__doctor_profile"))


def _remind(request: PhotoRequest) -> bool:
    if _today(request.patient) < request.due_on:
        return False
    with transaction.atomic():
        waiting = PhotoRequest.objects.filter(pk=request.pk, closed_at=None, reminded_at=None)
        if not waiting.update(reminded_at=timezone.now()):
            return False  # answered, or reminded by somebody else, just now
        notify(request.patient, "photo_due", doctor=name_of(request.doctor), link=absolute("/analyses/new/"))
    return True


def _today(person: User) -> datetime.date:
    return timezone.localdate(timezone=person.zone)
