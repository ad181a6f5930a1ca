"""The home page of everybody."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import verification
from accounts.access_log import record_accesses
from accounts.models import Opened, User
from accounts.selectors import is_verified_doctor
from diagnosis import presentation
from diagnosis.models import Analysis
from diagnosis.patients import visible_patients

ON_HOME = 3


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first page, which depends on who looks."""
    user = request.user
    if not isinstance(user, User):
        return render(request, "home/anonymous.html", {"sample": presentation.bars(presentation.SAMPLE)})
    if user.is_patient:
        analyses = Analysis.objects.visible_to(user)
        context: dict[str, Any] = {"recent": analyses[:ON_HOME], "todos": presentation.todos(analyses)}
    elif user.is_doctor:
        context = _of_doctor(request, user)
    else:
        context = {"waiting": verification.waiting_count()}
    return render(request, f"home/{user.role}.html", context)


def _of_doctor(request: HttpRequest, doctor: User) -> dict[str, Any]:
    """Who shared lately; before verification, what there is to do for it."""
    if not is_verified_doctor(doctor):
        return {
            "pending": verification.pending_application(doctor),
            "latest": verification.visible_applications(doctor).order_by("-submitted_at", "-pk").first(),
        }
    patients = list(visible_patients(doctor)[:ON_HOME])
    record_accesses(request, patients, Opened.PATIENTS)
    return {"verified": True, "patients": patients}
