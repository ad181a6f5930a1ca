"""What a person was told, and how they want to be told."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import notices as services
from accounts.forms.notices import ChoicesForm
from accounts.requests import SignedInRequest

NOTICES_ON_PAGE = 30


@never_cache
@require_safe
@login_required
def notices(request: SignedInRequest) -> HttpResponse:
    """The latest first; what is not read yet is marked."""
    page = Paginator(services.of(request.user), NOTICES_ON_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "told": services.told(page), "unread": services.unread(request.user)}
    return render(request, "accounts/notices/list.html", context)


@require_POST
@login_required
def notice(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Mark one as read, and go to what it is about (`stay`: do not go)."""
    found = services.read(user=request.user, public_id=public_id)
    if found is None:
        raise Http404
    leads_on = found.url and "stay" not in request.POST
    return redirect(found.url if leads_on else "accounts:notices")


@require_POST
@login_required
def read_all(request: SignedInRequest) -> HttpResponse:
    services.read_all(user=request.user)
    messages.success(request, _("All notices are marked as read."))
    return redirect("accounts:notices")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def notifications(request: SignedInRequest) -> HttpResponse:
    """By which ways this person wants to be told what."""
    posted = request.method == "POST"
    form = ChoicesForm(request.POST if posted else None, choices=services.choices_of(request.user))
    if posted and form.is_valid():
        try:
            services.choose(user=request.user, chosen=form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Your choice is saved."))
            return redirect("accounts:notifications")
    return render(
        request, "accounts/notices/choices.html", {"form": form}, status=422 if form.errors else 200
    )
