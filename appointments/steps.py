"""What each of the two can do with a visit at the moment, and doing it."""

from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.selectors import is_verified_doctor
from appointments import booking
from appointments.models import Appointment, Status


@dataclass(frozen=True)
class Step:
    """One button. `asks` is one that asks for a reason first; `done` is said afterwards."""

    name: str
    label: str | Promise
    done: str | Promise
    icon: str
    asks: bool = False


CONFIRM = Step("confirm", gettext_lazy("Confirm"), gettext_lazy("The visit is confirmed."), "check")
DECLINE = Step(
    "decline", gettext_lazy("Decline"), gettext_lazy("The request is declined."), "rotate-ccw", asks=True
)
CHECK_IN = Step("check-in", gettext_lazy("Check in"), gettext_lazy("The patient is checked in."), "check")
COMPLETE = Step("complete", gettext_lazy("Complete"), gettext_lazy("The visit is completed."), "circle-check")
NO_SHOW = Step(
    "no-show", gettext_lazy("Did not come"), gettext_lazy("Noted: the patient did not come."), "circle-alert"
)
STEPS = {step.name: step for step in (CONFIRM, DECLINE, CHECK_IN, COMPLETE, NO_SHOW)}


def possible(appointment: Appointment) -> list[Step]:
    """What a doctor whose licence is in force can do now; the likeliest first."""
    now = timezone.now()
    begun = appointment.start <= now
    if appointment.status == Status.REQUESTED:
        waiting = appointment.expires_at is not None and appointment.expires_at > now
        return [CONFIRM, DECLINE] if waiting else []
    if appointment.status == Status.CONFIRMED:
        near = appointment.start <= now + timedelta(hours=1)
        return [CHECK_IN] * near + [NO_SHOW] * begun
    if appointment.status == Status.CHECKED_IN:
        return [COMPLETE, NO_SHOW] if begun else []
    return []


def can_change(appointment: Appointment) -> bool:
    """Whether it can still be moved or cancelled, by either of the two."""
    open_status = appointment.status in (Status.REQUESTED, Status.CONFIRMED)
    return open_status and appointment.start > timezone.now()


def can_book_next(appointment: Appointment, by: User) -> bool:
    """Whether this person may book what follows it for the patient."""
    try:
        booking.refuse_next(appointment, by)
    except ValidationError:
        return False
    return True


def take(*, appointment: Appointment, by: User, step: Step, reason: str = "") -> Appointment:
    """Do it, if it still can be done. Raises ValidationError: not_verified, and what `booking` raises."""
    if step is DECLINE:
        return booking.decline(appointment=appointment, by=by, reason=reason)
    if not is_verified_doctor(by):
        raise ValidationError(
            _("Your licence is not in force at present. You can decline or cancel visits, nothing else."),
            code="not_verified",
        )
    service = {
        CONFIRM: booking.confirm,
        CHECK_IN: booking.check_in,
        COMPLETE: booking.complete,
        NO_SHOW: booking.no_show,
    }[step]
    return service(appointment=appointment, by=by)
