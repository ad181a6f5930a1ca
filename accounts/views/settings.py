from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.requests import SignedInRequest


@never_cache
@require_safe
@login_required
def index(request: SignedInRequest) -> HttpResponse:
    """The first page of the settings area: what there is to set."""
    return render(request, "accounts/settings/index.html")
