"""A person's visits in a calendar program of theirs."""

import hashlib

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from appointments import feeds
from appointments.forms.notices import FeedForm
from dermaplatform import problems
from dermaplatform.throttling import API, network_of, wait_for


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


@cache_control(private=True, no_cache=True)
@require_safe
def feed(request: HttpRequest, token: str) -> HttpResponseBase:
    """For calendar programs, which sign in with the address alone. 304 while nothing has changed."""
    if wait := wait_for(API, address=network_of(request)):
        return problems.too_many_requests(request, wait=wait)
    text = feeds.read(token)
    if text is None:  # the same for an address that never was
        said = _("This calendar address is not in use: it was revoked or replaced. Make another in Derma.")
        return HttpResponse(said, status=404, content_type="text/plain; charset=utf-8")
    etag = quote_etag(hashlib.sha256(text.encode()).hexdigest())
    response = HttpResponse(text, content_type="text/calendar; charset=utf-8", headers={"ETag": etag})
    return get_conditional_response(request, etag=etag, response=response) or response
