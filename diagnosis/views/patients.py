"""Pages of doctors about their patients; an administrator with broken glass sees the same."""

from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access_log import record_access, record_accesses
from accounts.folding import Fold, fold
from accounts.forms.sharing import FindForm
from accounts.models import Opened, Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from accounts.selectors import is_verified_doctor
from diagnosis.models import Analysis
from diagnosis.patients import reading, visible_patients

PAGE_SIZE = 20


@never_cache
@require_safe
@role_required(Role.DOCTOR, Role.ADMIN)
def patients(request: SignedInRequest) -> HttpResponse:
    """Patients of whom something is open to this person, by name if asked (`?name=`)."""
    form = FindForm(request.GET)
    found = visible_patients(request.user)
    if form.is_valid():
        for word in fold(form.cleaned_data["name"]).split():
            found = found.alias(folded_name=Fold(F("name"))).filter(folded_name__contains=word)
    else:  # nobody is called so, and PostgreSQL takes no NUL in a query
        found = found.none()
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    record_accesses(request, page.object_list, Opened.PATIENTS)
    context = {
        "page": page,
        "name": form.data.get("name", ""),
        "may_have_patients": is_verified_doctor(request.user),
    }
    return render(request, "diagnosis/reader/patients.html", context)


@never_cache
@require_safe
@role_required(Role.DOCTOR, Role.ADMIN)
def patient(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """A patient's record, as far as it is open: the profile, and analyses, the newest first."""
    person = get_object_or_404(visible_patients(request.user), public_id=public_id)
    opened = reading(request.user, person)
    record_access(request, person, Opened.RECORD if opened.whole_record else Opened.ANALYSES)
    analyses = Analysis.objects.visible_to(request.user).filter(patient=person)
    page = Paginator(analyses, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "diagnosis/reader/patient.html", {"reading": opened, "page": page})
