"""What is true of every page because of who looks at it."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import ngettext
from django_htmx.http import HttpResponseClientRedirect

from accounts import idle, mfa
from accounts.models import User

GetResponse = Callable[[HttpRequest], HttpResponse]
# Where somebody wanted to go before they were sent to set up a second factor.
WANTED = "wanted_before_second_factor"


class OwnLanguageAndZone:
    """Texts in the person's language and times in their zone, where they have chosen one."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not isinstance(user, User):
            return self.get_response(request)
        with timezone.override(user.zone):
            if not user.language:
                return self.get_response(request)
            with translation.override(user.language):
                response = self.get_response(request)
                response.headers.setdefault("Content-Language", user.language)
                return response


class IdleTimeout:
    """Sign doctors and administrators out when nobody has used the session for a while, and say so."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if idle.is_watched(request.user):
            if idle.is_idle(request.session):
                return self._sign_out(request)
            idle.note_use(request.session)
        return self.get_response(request)

    def _sign_out(self, request: HttpRequest) -> HttpResponse:
        logout(request)
        minutes = settings.DERMA_IDLE_MINUTES
        sentence = ngettext(
            "You were signed out because nothing was done for %(minutes)d minute. Please sign in again.",
            "You were signed out because nothing was done for %(minutes)d minutes. Please sign in again.",
            minutes,
        )
        messages.info(request, sentence % {"minutes": minutes})
        return _go(request, redirect_to_login(_where(request)).url)


class SecondFactor:
    """Send doctors and administrators without a second factor to the page where they set one up."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        if not mfa.is_closed(request.user, request.resolver_match):
            if not mfa.is_open_to_all(request.resolver_match):
                request.session.pop(WANTED, None)  # they have arrived
            return None
        request.session[WANTED] = _where(request)
        return _go(request, reverse("mfa_index"))


def _where(request: HttpRequest) -> str:
    """The page to come back to: what was to be sent is not sent again by itself."""
    return request.get_full_path() if request.method == "GET" and not _is_htmx(request) else "/"


def _is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _go(request: HttpRequest, address: str) -> HttpResponse:
    """Lead the whole page there, not only the part of it that htmx asked for."""
    return HttpResponseClientRedirect(address) if _is_htmx(request) else redirect(address)
