"""The page on which a doctor books the next visit for the patient."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access_log import record_access
from accounts.models import Opened
from accounts.requests import SignedInRequest
from appointments import booking, next_visits
from appointments.availability import bookable, has_hours
from appointments.forms.booking import ChooseForm, WantedForm
from appointments.models import Appointment
from appointments.picking import Wanted
from appointments.templatetags.booking import clock, day_words
from appointments.views.visits import find_as_doctor


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def next_visit(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The doctor's own free times; a click on one books it."""
    after = find_as_doctor(request, public_id)
    try:
        booking.refuse_next(after, request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect(after)
    form = ChooseForm(request.POST) if request.method == "POST" else WantedForm(request.GET)
    wanted = form.wanted()
    if not isinstance(form, ChooseForm):
        return _show(request, after, wanted)
    if not form.is_valid():
        return _show(request, after, wanted, status=422, refusal=next(iter(form.errors.values()))[0])
    return _book(request, after, form)


def _book(request: SignedInRequest, after: Appointment, form: ChooseForm) -> HttpResponse:
    start, length = form.cleaned_data["start"], form.cleaned_data["length"]
    day = start.astimezone(request.user.zone).date()
    refused: dict[str, Any]
    try:
        visit = booking.book_next(after=after, by=request.user, start=start, length=length)
    except booking.SlotTaken as taken:
        schedule = bookable(request.user)
        others = next_visits.alternatives(after, schedule, start, length) if schedule else []
        refused, status = {"refusal": taken.message, "alternatives": others}, 409
    except ValidationError as error:
        refused, status = {"refusal": error.messages[0]}, 422
    else:
        said = _("The next visit is booked: %(day)s, %(time)s. Your patient is told.")
        messages.success(request, said % {"day": day_words(visit.start), "time": clock(visit.start)})
        return redirect(after)
    return _show(request, after, Wanted(length, day=day), status=status, **refused)


def _show(
    request: SignedInRequest, after: Appointment, wanted: Wanted, *, status: int = 200, **refused: Any
) -> HttpResponse:
    record_access(request, after.patient, Opened.VISIT, after.public_id)
    schedule = bookable(request.user)
    context: dict[str, Any] = {"visit": after, "asked_for": next_visits.asked_for(after), **refused}
    if schedule is not None and has_hours(schedule):
        context["picking"] = next_visits.picking(after, schedule, wanted, request.user.zone)
        context["last_day"] = next_visits.last_day(schedule, request.user.zone)
    return render(request, "appointments/booking/next.html", context, status=status)
