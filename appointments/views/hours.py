"""A doctor's hours: the week, terms, exceptions, and what patients see of them."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access_log import record_accesses
from accounts.models import Opened, Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from accounts.selectors import is_verified_doctor
from appointments import hours
from appointments.forms.hours import DecisionForm, ExceptionForm, PreviewForm, TermsForm
from appointments.forms.intervals import (
    ExceptionHoursForm,
    Intervals,
    RuleForm,
    edited_hours,
    edited_week,
    was_edited,
)
from appointments.models import Schedule, ScheduleException, schedule_of
from appointments.preview import preview_of
from appointments.templatetags.hours import days_of

# Fields of the question about visits; everything else that was sent is carried over it.
_OF_QUESTION = frozenset({"csrfmiddlewaretoken", "decided", "seen", "cancel", "cancel_all", "reason"})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.DOCTOR)
def week(request: SignedInRequest) -> HttpResponse:
    """The hours of every week. Buttons add, take away and copy rows; only the last one saves."""
    schedule = schedule_of(request.user)
    if request.method != "POST":
        present = [RuleForm.answers_of_rule(rule) for rule in hours.rules_of(schedule)]
        return _week_page(request, schedule, Intervals.of(RuleForm, present))
    rows = Intervals.posted(RuleForm, request.POST)
    if was_edited(request.POST):
        rows, told, focus = edited_week(rows, request.POST)
        return _week_page(request, schedule, rows, told=told, focus=focus, unsaved=True)
    refusals: list[str] = []
    if rows.is_valid():
        rules = [row.rule() for row in rows.rows]
        change = partial(hours.set_week, schedule=schedule, rules=rules, by=request.user)
        try:
            return _settled(request, schedule, change, "appointments:hours", _("Your week is saved."))
        except ValidationError as refusal:
            refusals = rows.refuse(refusal)
    return _week_page(request, schedule, rows, refusals=refusals, unsaved=True, status=422)


def _week_page(
    request: SignedInRequest,
    schedule: Schedule,
    rows: Intervals[RuleForm],
    *,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    context = _common(request, schedule) | {"rows": rows, "days": days_of(rows)} | more
    return render(request, "appointments/hours/week.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.DOCTOR)
def terms(request: SignedInRequest) -> HttpResponse:
    """Lengths, buffers, notice and all that holds for every visit."""
    schedule = schedule_of(request.user)
    form = TermsForm(
        request.POST if request.method == "POST" else None, initial=TermsForm.answers_of(schedule)
    )
    if form.is_valid():
        change = partial(hours.set_terms, schedule=schedule, by=request.user, **form.cleaned_data)
        try:
            return _settled(request, schedule, change, "appointments:hours-terms", _("Saved."))
        except ValidationError as refusal:
            form.add_error(None, refusal)
    context = _common(request, schedule) | {"form": form}
    status = 422 if form.is_bound else 200
    return render(request, "appointments/hours/terms.html", context, status=status)


@never_cache
@require_safe
@role_required(Role.DOCTOR)
def exceptions(request: SignedInRequest) -> HttpResponse:
    """Days off, extra hours and changed days that are not over yet."""
    schedule = schedule_of(request.user)
    coming = schedule.exceptions.filter(last_day__gte=hours.today_of(schedule))
    context = _common(request, schedule) | {"exceptions": coming}
    return render(request, "appointments/hours/exceptions.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.DOCTOR)
def exception_add(request: SignedInRequest) -> HttpResponse:
    """Days that are other than usual."""
    schedule = schedule_of(request.user)
    if request.method != "POST":
        return _exception_page(request, schedule, ExceptionForm(), Intervals.of(ExceptionHoursForm, [{}]))
    form, rows = ExceptionForm(request.POST), Intervals.posted(ExceptionHoursForm, request.POST)
    if was_edited(request.POST):
        rows, told = edited_hours(rows, request.POST)
        as_typed = ExceptionForm(initial={name: form[name].value() for name in form.fields})
        return _exception_page(request, schedule, as_typed, rows, told=told)
    if all([form.is_valid(), rows.is_valid()]):
        filled = [row for row in rows.rows if not row.is_empty]
        change = partial(
            hours.add_exception,
            **form.answers(),
            schedule=schedule,
            hours=[row.hours() for row in filled],
            by=request.user,
        )
        try:
            return _settled(request, schedule, change, "appointments:hours-exceptions", _("Saved."))
        except ValidationError as refusal:
            form.refuse(refusal, rows.refuse(refusal, filled))
    return _exception_page(request, schedule, form, rows, status=422)


def _exception_page(
    request: SignedInRequest,
    schedule: Schedule,
    form: ExceptionForm,
    rows: Intervals[ExceptionHoursForm],
    *,
    status: int = 200,
    told: str = "",
) -> HttpResponse:
    context = _common(request, schedule) | {"form": form, "rows": rows, "told": told}
    return render(request, "appointments/hours/exception_add.html", context, status=status)


@never_cache
@require_POST
@role_required(Role.DOCTOR)
def exception_remove(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """These days are as usual again."""
    schedule = schedule_of(request.user)
    exception = get_object_or_404(ScheduleException, schedule=schedule, public_id=public_id)
    change = partial(hours.remove_exception, exception=exception, by=request.user)
    told = _("These days are as usual again.")
    try:
        return _settled(request, schedule, change, "appointments:hours-exceptions", told)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("appointments:hours-exceptions")


@never_cache
@require_safe
@role_required(Role.DOCTOR)
def preview(request: SignedInRequest) -> HttpResponse:
    """The free times of the coming weeks as patients see them."""
    schedule = schedule_of(request.user)
    form = PreviewForm(request.GET, lengths=schedule.lengths)
    context = _common(request, schedule) | {"form": form, "preview": preview_of(schedule, **form.answers())}
    return render(request, "appointments/hours/preview.html", context)


# What the pages have in common


def _common(request: SignedInRequest, schedule: Schedule) -> dict[str, Any]:
    return {"schedule": schedule, "can_be_booked": is_verified_doctor(request.user)}


def _settled(
    request: SignedInRequest, schedule: Schedule, change: Callable[..., object], done: str, told: str
) -> HttpResponse:
    """Make the change and go on; or ask first what becomes of the visits that are in the way.

    Raises the ValidationError of what is refused for another reason.
    """
    form = DecisionForm(request.POST if "decided" in request.POST else None)
    try:
        change(decision=form.decision() if form.is_valid() else None)
    except hours.VisitsInTheWay as found:
        record_accesses(request, [visit.patient for visit in found.visits], Opened.PATIENTS)
        context = _common(request, schedule) | {
            "form": form,
            "visits": found.visits,
            "back": done,
            "carried": [
                (name, value)
                for name, values in request.POST.lists()
                if name not in _OF_QUESTION
                for value in values
            ],
        }
        return render(request, "appointments/hours/visits.html", context, status=409)
    messages.success(request, told)
    return redirect(done)
