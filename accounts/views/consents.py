"""What a patient agrees to: read, given, withdrawn."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.consents import consent_state, consent_states
from accounts.forms import ConsentForm
from accounts.models import ConsentKind, Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from accounts.services import give_consent, withdraw_consent


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.PATIENT)
def consent(request: SignedInRequest) -> HttpResponse:
    """Read the consent text for care, and agree to it: where the API sends people who have not yet."""
    state = consent_state(request.user, ConsentKind.CARE)
    form = ConsentForm(request.POST or None, initial={"version": state.version})
    if request.method == "POST" and form.is_valid():
        try:
            give_consent(user=request.user, kind=state.kind, version=form.cleaned_data["version"])
        except ValidationError as error:
            messages.warning(request, " ".join(error.messages))
            return redirect("accounts:consent")
        messages.success(request, _("Thank you. You can send images now."))
        return redirect("home")
    return render(request, "accounts/consent.html", {"form": form, "given": state.is_given})


@never_cache
@require_safe
@role_required(Role.PATIENT)
def overview(request: SignedInRequest) -> HttpResponse:
    return render(request, "accounts/consents/overview.html", {"states": consent_states(request.user)})


@never_cache
@require_safe
@role_required(Role.PATIENT)
def text(request: SignedInRequest, kind: str) -> HttpResponse:
    """One text in full, what was answered to it so far, and the way to give or withdraw it."""
    return render(request, "accounts/consents/text.html", {"state": consent_state(request.user, _kind(kind))})


@require_POST
@role_required(Role.PATIENT)
def give(request: SignedInRequest, kind: str) -> HttpResponse:
    form = ConsentForm({"agree": "on", "version": request.POST.get("version")})
    version = form.cleaned_data["version"] if form.is_valid() else None
    try:
        # Only what stood on the page is agreed to: 0 is no version at all.
        give_consent(user=request.user, kind=_kind(kind), version=version or 0)
    except ValidationError as error:
        messages.warning(request, " ".join(error.messages))
    else:
        messages.success(request, _("Thank you. Your consent is recorded."))
    return redirect("accounts:consents-text", kind)


@require_POST
@role_required(Role.PATIENT)
def withdraw(request: SignedInRequest, kind: str) -> HttpResponse:
    state = consent_state(request.user, _kind(kind))
    if withdraw_consent(user=request.user, kind=state.kind):
        messages.success(request, _("Your consent is withdrawn.") + " " + state.without)
    return redirect("accounts:consents-text", kind)


def _kind(kind: str) -> ConsentKind:
    if kind not in ConsentKind.values:
        raise Http404
    return ConsentKind(kind)
