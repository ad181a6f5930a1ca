from collections.abc import Callable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse

from dermaplatform import problems

# A picture is taken by the device's own camera app, which is no matter of this policy.
_PERMISSIONS = "geolocation=(self), camera=(), microphone=(), payment=(), usb=(), display-capture=()"


class SafeByDefault:
    """Nothing that a person saw stays behind in a cache, and no page may use what we do not need.

    A view that says otherwise of its answer is heard.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if problems.is_api(request) or settings.SESSION_COOKIE_NAME in request.COOKIES:
            response.headers.setdefault("Cache-Control", "no-store, private")
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        return response


class OwnNotFound:
    """What is not there is told in our own words with DEBUG too, because the demo has it on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 404 and request.resolver_match is None:
            return problems.not_found(request)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return problems.not_found(request, error) if isinstance(error, Http404) else None
