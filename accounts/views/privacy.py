"""A copy of one's data, and its erasure."""

from datetime import date
from uuid import UUID

from allauth.decorators import rate_limit
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from accounts import erasure, exporting
from accounts.forms.erasure import EraseForm
from accounts.models import DataExport, ErasureReceipt, User
from accounts.requests import SignedInRequest
from dermaplatform.files import private_file

_SHOWN = 5


@never_cache
@require_safe
@login_required
def overview(request: SignedInRequest) -> HttpResponse:
    return render(request, "accounts/privacy/overview.html", _context(request.user))


def _context(user: User) -> dict[str, object]:
    exports = list(DataExport.objects.visible_to(user)[:_SHOWN])
    return {"exports": exports, "waiting": next((export for export in exports if export.is_waiting), None)}


@require_POST
@login_required
def request_export(request: SignedInRequest) -> HttpResponse:
    exporting.request_export(user=request.user)
    return redirect("accounts:privacy")


@never_cache
@require_safe
def export_state(request: HttpRequest) -> HttpResponse:
    """The part of the page that changes by itself; 204 while it looks as the page (`?seen=`) shows it."""
    if not isinstance(request.user, User):
        htmx = request.headers.get("HX-Request")
        return HttpResponseClientRefresh() if htmx else redirect_to_login(request.get_full_path())
    context = _context(request.user)
    waiting = context["waiting"]
    if isinstance(waiting, DataExport) and request.GET.get("seen") == f"{waiting.status}-{waiting.progress}":
        return HttpResponse(status=204)
    return render(request, "accounts/privacy/exports.html", {**context, "swapped": True})


@require_safe
@login_required
def export_file(request: SignedInRequest, public_id: UUID) -> HttpResponseBase:
    exports = DataExport.objects.visible_to(request.user).downloadable()
    export = get_object_or_404(exports, public_id=public_id)
    name = f"derma-{export.created_at:%Y-%m-%d}.zip"
    return private_file(export.file, "application/zip", save_as=name, max_age=0)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@rate_limit(action="reauthenticate")  # type: ignore[untyped-decorator]
def erase(request: SignedInRequest) -> HttpResponse:
    """What would go and what would stay; and, with the password, do it."""
    form = EraseForm(request.POST if request.method == "POST" else None, user=request.user)
    if form.is_valid():
        try:
            receipt = erasure.erase(person=User.objects.get(pk=request.user.pk))
        except erasure.ErasureRefused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            logout(request)
            return redirect("accounts:erasure-receipt", receipt.public_id)
    context = {"form": form, "preview": erasure.preview(request.user)}
    return render(request, "accounts/privacy/erase.html", context, status=422 if form.is_bound else 200)


@never_cache
@require_safe
def receipt(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Readable by whoever has its address, which nobody can guess; it does not say whose it is."""
    found = get_object_or_404(ErasureReceipt, public_id=public_id)
    kept = [row | {"until": date.fromisoformat(row["until"])} for row in found.kept]
    response = render(request, "accounts/privacy/receipt.html", {"receipt": found, "kept": kept})
    response.headers["X-Robots-Tag"] = "noindex"
    return response
