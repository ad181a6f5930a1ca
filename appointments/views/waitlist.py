"""Pages about waiting for an earlier time."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.directory import public_doctors
from accounts.models import Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from appointments import booking
from appointments import waitlist as services
from appointments.forms.booking import WantedForm
from appointments.models import Appointment, WaitlistEntry, WaitStatus


@never_cache
@require_safe
@role_required(Role.PATIENT)
def waitlist(request: SignedInRequest) -> HttpResponse:
    """For whom this patient waits, what is offered first."""
    entries = list(_mine(request).on_list())
    entries.sort(key=lambda entry: entry.status != WaitStatus.OFFERED)
    return render(request, "appointments/booking/waitlist.html", {"entries": entries})


@require_POST
@role_required(Role.PATIENT)
def wait(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Wait for a first time with a doctor, earlier than what is free now."""
    profile = get_object_or_404(public_doctors(), user__public_id=public_id)
    length = WantedForm(request.POST).wanted().length
    try:
        services.join(patient=request.user, doctor=profile.user, length=length)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect("appointments:times", public_id)
    messages.success(request, _joined())
    return redirect("appointments:waitlist")


@require_POST
@role_required(Role.PATIENT)
def wait_before(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Wait for a time before a coming visit; where one is free already, choose it."""
    visible = Appointment.objects.visible_to(request.user).select_related("doctor", "patient")
    visit = get_object_or_404(visible, public_id=public_id)
    try:
        services.join(patient=request.user, doctor=visit.doctor, appointment=visit)
    except ValidationError as error:
        messages.warning(request, error.messages[0])
        return redirect("appointments:move", public_id)
    messages.success(request, _joined())
    return redirect("appointments:waitlist")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.PATIENT)
def offer(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """A time that is kept for this patient: a first visit is booked like any other, an earlier one moves."""
    entry = get_object_or_404(_mine(request), public_id=public_id)
    visit = services.replaced(entry)
    held = entry.offer
    offered = entry.status == WaitStatus.OFFERED and held is not None and services.is_live(held)
    if held is not None and offered and visit is None:
        return redirect("appointments:book", held.public_id)
    context: dict[str, Any] = {"entry": entry, "offered": offered, "visit": visit}
    if request.method == "POST":
        try:
            moved = services.take(entry=entry)
        except booking.SlotTaken as taken:
            context["refusal"] = taken.message
        except ValidationError as error:
            context["refusal"] = error.messages[0]
        else:
            messages.success(request, _("Your visit is moved to the earlier time."))
            return redirect(moved)
    status = 422 if "refusal" in context else 200
    return render(request, "appointments/booking/offer.html", context, status=status)


@require_POST
@role_required(Role.PATIENT)
def decline(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Pass an offer on. Twice is no error."""
    entry = get_object_or_404(_mine(request), public_id=public_id)
    if services.decline(entry=entry):
        messages.success(request, _("The time goes to the next person. You stay on the list."))
    else:
        messages.info(request, _("This offer had ended already."))
    return redirect("appointments:waitlist")


@require_POST
@role_required(Role.PATIENT)
def leave(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Wait no longer. Twice is no error."""
    services.leave(entry=get_object_or_404(_mine(request), public_id=public_id))
    messages.success(request, _("You are not on this waiting list any more."))
    return redirect("appointments:waitlist")


def _mine(request: SignedInRequest) -> Any:
    return WaitlistEntry.objects.visible_to(request.user).select_related(
        "patient", "doctor__doctor_profile", "doctor__schedule", "appointment", "offer__doctor__schedule"
    )


def _joined() -> str:
    return _("You are on the waiting list. As soon as something earlier is free, you are told.")
