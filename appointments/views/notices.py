"""Urgent results that nothing has come of yet."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access_log import record_access, record_accesses
from accounts.models import Opened, Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from appointments import follow_up as services
from appointments.forms.notices import WordForm

PAGE_SIZE = 20


@never_cache
@require_safe
@role_required(Role.DOCTOR, Role.ADMIN)
def follow_ups(request: SignedInRequest) -> HttpResponse:
    """Whose result waits, and how long; doctors are led to it, administrators are not."""
    page = Paginator(services.open_for(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    record_accesses(request, [row.analysis.patient for row in page], Opened.PATIENTS)
    return render(request, "appointments/notices/follow_ups.html", {"page": page})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.DOCTOR)
def close(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Say why a result needs no visit."""
    follow_up = get_object_or_404(services.open_for(request.user), analysis__public_id=public_id)
    record_access(request, follow_up.analysis.patient, Opened.PATIENTS)
    posted = request.method == "POST"
    form = WordForm(request.POST if posted else None)
    if posted and form.is_valid():
        try:
            services.close(follow_up=follow_up, by=request.user, word=form.cleaned_data["word"])
        except ValidationError as error:
            form.add_error(None, error.messages[0])
        else:
            messages.success(request, _("Closed, with your word."))
            return redirect("appointments:follow-ups")
    context = {"form": form, "follow_up": follow_up}
    return render(request, "appointments/notices/close.html", context, status=422 if form.errors else 200)
