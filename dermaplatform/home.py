"""The home page of everybody: the one page that speaks of all rooms of the house."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import verification
from accounts.access_log import record_accesses
from accounts.models import Opened, User
from accounts.selectors import is_verified_doctor
from appointments import agenda, photos, visits
from diagnosis import presentation
from diagnosis.models import Analysis
from diagnosis.patients import visible_patients

ON_HOME = 3
REQUESTS_ON_HOME = 10


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first page, which depends on who looks."""
    user = request.user
    if not isinstance(user, User):
        return render(request, "home/anonymous.html", {"sample": presentation.bars(presentation.SAMPLE)})
    if user.is_patient:
        context = _of_patient(user)
    elif user.is_doctor:
        context = _of_doctor(request, user)
    else:
        context = {"waiting": verification.waiting_count()}
    return render(request, f"home/{user.role}.html", context)


def _of_patient(patient: User) -> dict[str, Any]:
    """The next visit, what there is to do, the last results."""
    analyses = Analysis.objects.visible_to(patient)
    following = visits.coming(patient).first()
    return {
        "next": following,
        "countdown": visits.countdown(following) if following else "",
        "recent": analyses[:ON_HOME],
        "todos": presentation.todos(analyses),
        "photo_requests": photos.open_requests(patient),
        "follow_ups": visits.follow_ups(patient),
    }


def _of_doctor(request: HttpRequest, doctor: User) -> dict[str, Any]:
    """Today and who waits, then who shared lately; before verification, what there is to do for it."""
    if not is_verified_doctor(doctor):
        return {
            "pending": verification.pending_application(doctor),
            "latest": verification.visible_applications(doctor).order_by("-submitted_at", "-pk").first(),
        }
    [today] = agenda.days(doctor, timezone.localdate(), 1)
    waiting = list(agenda.requests_waiting(doctor)[:REQUESTS_ON_HOME])
    patients = list(visible_patients(doctor)[:ON_HOME])
    listed = [visit.patient for visit in (*today.visits, *waiting)]
    record_accesses(request, [*patients, *listed], Opened.PATIENTS)
    return {"verified": True, "patients": patients, "today": today, "waiting": waiting}
