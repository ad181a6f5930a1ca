"""The page of a visit, for both who meet, and what they do on it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access_log import record_access
from accounts.models import Opened, Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from accounts.selectors import is_verified_doctor
from appointments import notes, steps, visit_files
from appointments import visits as reading
from appointments.forms.visits import DeclineForm, FileForm, PhotoForm, RatingForm
from appointments.models import Appointment, Status
from diagnosis.patients import reading as reading_of

PAGE_SIZE = 20


@never_cache
@require_safe
@role_required(Role.PATIENT, Role.DOCTOR)
def visits(request: SignedInRequest) -> HttpResponse:
    """A patient's visits, coming and past; a doctor has a day instead."""
    if request.user.is_doctor:
        return redirect("appointments:day")
    page = Paginator(reading.past(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"coming": reading.coming(request.user), "page": page}
    return render(request, "appointments/visits/list.html", context)


@never_cache
@require_safe
@login_required
def visit(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    return show(request, find(request, public_id))


def find(request: SignedInRequest, public_id: UUID) -> Appointment:
    return get_object_or_404(reading.visible(request.user), public_id=public_id)


def find_as_doctor(request: SignedInRequest, public_id: UUID) -> Appointment:
    """The visit, for what only its doctor does."""
    appointment = find(request, public_id)
    if appointment.doctor_id != request.user.pk:
        raise PermissionDenied
    return appointment


def show(
    request: SignedInRequest, appointment: Appointment, *, status: int = 200, **forms: Any
) -> HttpResponse:
    """The page; `forms` are those that somebody has filled in wrongly."""
    record_access(request, appointment.patient, Opened.VISIT, appointment.public_id)
    as_doctor = appointment.doctor_id == request.user.pk
    context = _of_both(request, appointment)
    context |= _of_doctor(request, appointment) if as_doctor else _of_patient(appointment)
    return render(request, "appointments/visits/visit.html", context | forms, status=status)


def _of_both(request: SignedInRequest, appointment: Appointment) -> dict[str, Any]:
    user = request.user
    signed = list(notes.signed_notes(appointment))
    return {
        "visit": appointment,
        "is_open": reading.is_open_to(appointment, user),
        "doctor_practises": is_verified_doctor(appointment.doctor),
        "countdown": reading.countdown(appointment),
        "elsewhere": reading.elsewhere(appointment, user),
        "room": reading.room(appointment),
        "history": reading.history(appointment, user),
        "attached": reading.attached(appointment, user),
        "files": visit_files.files_of(appointment, user),
        "removable": visit_files.removable(appointment, user),
        "file_form": FileForm() if visit_files.may_add(appointment, user) else None,
        "notes": signed,
        "follow_up": reading.follow_up(signed[-1] if signed else None),
        "rating": getattr(appointment, "rating", None),
        "photo_requests": appointment.photo_requests.all(),
        "next_visits": reading.followed_by(appointment),
        "can_change": steps.can_change(appointment),
    }


def _of_doctor(request: SignedInRequest, appointment: Appointment) -> dict[str, Any]:
    practises = is_verified_doctor(request.user)
    asked = any(wanted.closed_at is None for wanted in appointment.photo_requests.all())
    over = appointment.status in (Status.CHECKED_IN, Status.COMPLETED)
    possible = [step for step in steps.possible(appointment) if practises or step is steps.DECLINE]
    return {
        "as_doctor": True,
        "reading": reading_of(request.user, appointment.patient),
        "steps": possible,
        "decline_form": DeclineForm(),
        "may_write": practises and appointment.status in notes.DRAFTED_IN,
        # One primary button on a page: the steps come first, and before the visit there is little to write.
        "note_is_next": appointment.status in notes.SIGNED_IN and not possible,
        "draft": notes.draft_of(appointment),
        "may_book_next": steps.can_book_next(appointment, request.user),
        "photo_form": PhotoForm() if practises and over and not asked else None,
    }


def _of_patient(appointment: Appointment) -> dict[str, Any]:
    rated = hasattr(appointment, "rating")
    completed = appointment.status == Status.COMPLETED
    return {
        "rating_form": RatingForm() if completed and not rated else None,
        "doctors_choice": appointment.is_coming and reading.is_the_doctors_choice(appointment),
    }


@require_POST
@login_required
def take_step(request: SignedInRequest, public_id: UUID, name: str) -> HttpResponse:
    """Confirm, decline, check in, complete, or say that the patient did not come."""
    appointment = find_as_doctor(request, public_id)
    step = steps.STEPS[name]
    form = DeclineForm(request.POST)
    if step.asks and not form.is_valid():
        return show(request, appointment, status=422, decline_form=form)
    try:
        reason = form.cleaned_data["reason"] if step.asks else ""
        steps.take(appointment=appointment, by=request.user, step=step, reason=reason)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, str(step.done))
    return back_to(request, appointment)


def back_to(request: HttpRequest, appointment: Appointment) -> HttpResponseRedirect:
    """To the page of ours that it was done on (`next`), or to the visit."""
    address = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure()):
        return HttpResponseRedirect(address)
    return redirect(appointment)
