"""A doctor's day and week."""

import datetime
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access_log import record_access, record_accesses
from accounts.models import Opened, Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from accounts.selectors import is_verified_doctor
from appointments import agenda, steps, visits
from appointments.agenda import Day
from appointments.forms.visits import DeclineForm
from diagnosis.patients import reading


@never_cache
@require_safe
@role_required(Role.DOCTOR)
def day(request: SignedInRequest) -> HttpResponse:
    """The visits of a day (`?day=`), the next one open, beside the requests that wait."""
    wanted = _day_of(request)
    [shown] = agenda.days(request.user, wanted, 1)
    waiting = list(agenda.requests_waiting(request.user))
    record_accesses(request, (visit.patient for visit in [*shown.visits, *waiting]), Opened.PATIENTS)
    context = {
        "day": shown,
        "today": timezone.localdate(),
        "before": wanted - timedelta(days=1),
        "after": wanted + timedelta(days=1),
        "waiting": waiting,
        "decline_form": DeclineForm(auto_id=False),
        "practises": is_verified_doctor(request.user),
        "next_day": None if shown.visits else agenda.next_day(request.user, wanted),
    }
    return render(request, "appointments/visits/day.html", context | _next(request, shown))


def _next(request: SignedInRequest, shown: Day) -> dict[str, Any]:
    """The next visit of the day, opened: that is a look at it."""
    appointment = agenda.next_of(shown)
    if appointment is None or not visits.is_open_to(appointment, request.user):
        return {"next": appointment}
    record_access(request, appointment.patient, Opened.VISIT, appointment.public_id)
    return {
        "next": appointment,
        "next_is_open": True,
        "reading": reading(request.user, appointment.patient),
        "attached": visits.attached(appointment, request.user),
        "room": visits.room(appointment),
        "steps": steps.possible(appointment),
    }


@never_cache
@require_safe
@role_required(Role.DOCTOR)
def week(request: SignedInRequest) -> HttpResponse:
    """Monday to Sunday of the week of a day (`?day=`)."""
    monday = agenda.monday_of(_day_of(request))
    days = agenda.days(request.user, monday, 7)
    record_accesses(request, (visit.patient for shown in days for visit in shown.visits), Opened.PATIENTS)
    context = {
        "days": days,
        "today": timezone.localdate(),
        "before": monday - timedelta(days=7),
        "after": monday + timedelta(days=7),
        "last": monday + timedelta(days=6),
    }
    return render(request, "appointments/visits/week.html", context)


def _day_of(request: HttpRequest) -> datetime.date:
    """The day that is asked for, or today. The calendar ends somewhere: nobody looks there."""
    try:
        wanted = datetime.date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        return timezone.localdate()
    return wanted if 2000 <= wanted.year <= 2200 else timezone.localdate()
