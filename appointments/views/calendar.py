"""A person's visits in a calendar program of theirs."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from appointments import feeds
from appointments.forms.notices import FeedForm


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.PATIENT, Role.DOCTOR)
def calendar(request: SignedInRequest) -> HttpResponse:
    """Make an address, which is shown this once, in place of the one before."""
    form = FeedForm(request.POST if request.method == "POST" else None)
    address = ""
    if request.method == "POST" and form.is_valid():
        address = feeds.make(user=request.user, with_names=form.cleaned_data["with_names"])
    context = {"form": form, "feed": feeds.in_use(request.user), "address": address}
    return render(request, "appointments/calendar/calendar.html", context)


@require_POST
@role_required(Role.PATIENT, Role.DOCTOR)
def revoke(request: SignedInRequest) -> HttpResponse:
    """Stop the address. Twice is no error."""
    if feeds.revoke(user=request.user):
        messages.success(request, _("The address does not work any more."))
    else:
        messages.info(request, _("There was no address to revoke."))
    return redirect("appointments:calendar")


@never_cache
@require_safe
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """For calendar programs, which sign in with the address alone."""
    text = feeds.read(token)
    if text is None:
        raise Http404
    return HttpResponse(text, content_type="text/calendar; charset=utf-8")
