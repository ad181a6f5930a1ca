"""Pages on which the patient or the doctor moves a visit, or calls it off."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access_log import record_access
from accounts.models import Opened
from accounts.requests import SignedInRequest
from appointments import booking, waitlist
from appointments.availability import bookable
from appointments.forms.booking import CancelForm, ChooseForm, WantedForm
from appointments.models import Appointment, Schedule, Status
from appointments.picking import Wanted, pick


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def move(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Choose another time; the present one is kept until then."""
    visit = _find(request, public_id)
    if visit.status == Status.HELD:
        return redirect("appointments:book", visit.public_id)
    refused: dict[str, Any] = {}
    status = 200
    form = ChooseForm(request.POST) if request.method == "POST" else WantedForm(request.GET)
    wanted = form.wanted()
    if isinstance(form, ChooseForm):
        try:
            return _move(request, visit, form)
        except booking.SlotTaken as taken:
            refused, status = {"refusal": taken.message, "alternatives": taken.next_free}, 409
        except ValidationError as error:
            refused, status = {"refusal": error.messages[0]}, 422
        visit.refresh_from_db()
    context = _around(request, visit, wanted) | refused
    return render(request, "appointments/booking/move.html", context, status=status)


def _move(request: SignedInRequest, visit: Appointment, form: ChooseForm) -> HttpResponse:
    if not form.is_valid():
        raise ValidationError(next(iter(form.errors.values()))[0])
    answers = form.cleaned_data
    booking.reschedule(appointment=visit, by=request.user, start=answers["start"], length=answers["length"])
    requested = visit.status == Status.REQUESTED and request.user.is_patient
    sentence = _("The new time is requested. You are told when the doctor has answered.")
    messages.success(request, sentence if requested else _("The visit is moved."))
    return redirect(visit)


def _around(request: SignedInRequest, visit: Appointment, wanted: Wanted) -> dict[str, Any]:
    schedule = bookable(visit.doctor)
    movable = visit.status in waitlist.MOVABLE and visit.start > timezone.now()
    context = _context(request, visit) | {"schedule": schedule, "movable": movable}
    if schedule is not None and movable:
        wanted = Wanted(wanted.length or visit.minutes, wanted.month, wanted.day, {})
        context["picking"] = pick(
            schedule,
            wanted,
            patient=visit.patient,
            zone=request.user.zone,
            urgent=visit.urgent or request.user.is_doctor,
            except_for=visit,
        )
    return context


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def cancel(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Call a visit off, after reading what that means."""
    visit = _find(request, public_id)
    if visit.status == Status.HELD:
        return redirect("appointments:book", visit.public_id)
    posted = request.method == "POST"
    form = CancelForm(request.POST if posted else None, is_doctor=request.user.is_doctor)
    if posted and form.is_valid():
        try:
            booking.cancel(appointment=visit, by=request.user, reason=form.cleaned_data["reason"])
        except ValidationError as error:
            visit.refresh_from_db()
            form.add_error(None, error.messages[0])
        else:
            messages.success(request, _("The visit is cancelled. The other side is told."))
            return redirect(visit)
    context = _context(request, visit) | {"form": form, "can_cancel": _can_cancel(visit)}
    return render(request, "appointments/booking/cancel.html", context, status=422 if form.errors else 200)


def _can_cancel(visit: Appointment) -> bool:
    return visit.status in (Status.REQUESTED, Status.CONFIRMED) and visit.start > timezone.now()


def _context(request: SignedInRequest, visit: Appointment) -> dict[str, Any]:
    """The visit, and until when a patient cancels it without a mark."""
    record_access(request, visit.patient, Opened.VISIT, visit.public_id)
    terms: Schedule | None = getattr(visit.doctor, "schedule", None)  # those of an erased doctor are gone
    free_until = visit.start - timedelta(hours=terms.cancel_hours if terms else 0)
    return {"visit": visit, "free_until": free_until, "is_late": free_until < timezone.now()}


def _find(request: SignedInRequest, public_id: UUID) -> Appointment:
    visible = Appointment.objects.visible_to(request.user)
    return get_object_or_404(
        visible.select_related("patient", "doctor__doctor_profile", "doctor__schedule"), public_id=public_id
    )
