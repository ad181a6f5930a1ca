from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.forms import ConsentForm
from accounts.models import ConsentKind
from accounts.requests import SignedInRequest
from accounts.selectors import has_consent
from accounts.services import give_consent


@login_required
def consent(request: SignedInRequest) -> HttpResponse:
    """Read the consent text for care, and agree to it."""
    form = ConsentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        give_consent(user=request.user, kind=ConsentKind.CARE)
        messages.success(request, _("Thank you. You can send images now."))
        return redirect("home")
    given = has_consent(request.user, ConsentKind.CARE)
    return render(request, "accounts/consent.html", {"form": form, "given": given})
