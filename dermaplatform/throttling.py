"""How often somebody may ask: by account and by address, counted in the cache that all processes share."""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from dermaplatform import problems
from dermaplatform.addresses import client_address
from dermaplatform.caches import counters

if TYPE_CHECKING:  # these load the throttles themselves
    from rest_framework.views import APIView

P = ParamSpec("P")
API = "api"
UPLOAD = "upload"
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Rate:
    """So many in so many seconds."""

    amount: int
    seconds: int

    @classmethod
    @cache
    def parse(cls, text: str) -> "Rate":
        """`60/10m` is sixty in ten minutes; ValueError if it is not written so."""
        found = re.fullmatch(r"([1-9]\d*)/(\d*)([smh])", text)
        if not found:
            raise ValueError(f"A rate is written like 60/10m, not {text!r}.")
        return cls(int(found[1]), int(found[2] or 1) * _SECONDS[found[3]])


def wait_for(action: str, **subjects: str | int | None) -> int:
    """Count this `action` for each subject (`account`, `address`); the seconds to wait, 0 if it may be done.

    Time is cut into windows as long as the rate's, and what is counted is what happens within one.
    """
    now = time.time()
    until: dict[str, float] = {}
    limits: dict[str, int] = {}
    for kind, subject in subjects.items():
        written = settings.DERMA_RATES.get(action, {}).get(kind)
        if subject is None or not written:
            continue
        rate = Rate.parse(written)
        window = int(now // rate.seconds)
        key = f"rate:{action}:{kind}:{subject}:{window}"
        until[key] = (window + 1) * rate.seconds
        limits[key] = rate.amount
    if not until:
        return 0
    counted = counters().count(until)
    return max((math.ceil(until[key] - now) for key in until if counted[key] > limits[key]), default=0)


def network_of(request: HttpRequest) -> str | None:
    """Whom an address is counted as: with IPv6 a household has a whole /64 of them."""
    address = client_address(request)
    if address and isinstance(ip_address(address), IPv6Address):
        return str(ip_network(f"{address}/64", strict=False))
    return address


def _account(request: HttpRequest | Request) -> int | None:
    return request.user.pk if request.user.is_authenticated else None


class AccountThrottle(BaseThrottle):
    """How often one account may use the API. Addresses are counted by LimitByAddress, signed in or not."""

    action = API

    def allow_request(self, request: Request, view: "APIView") -> bool:
        self._wait = wait_for(self.action, account=_account(request))
        return not self._wait

    def wait(self) -> float:
        return self._wait


class UploadThrottle(AccountThrottle):
    """How often images may be sent, by the API and the page together."""

    action = UPLOAD

    def allow_request(self, request: Request, view: "APIView") -> bool:
        self._wait = wait_for(UPLOAD, account=_account(request), address=network_of(request))
        return not self._wait


def limited(
    action: str,
) -> Callable[
    [Callable[Concatenate[HttpRequest, P], HttpResponse]],
    Callable[Concatenate[HttpRequest, P], HttpResponse],
]:
    """A page whose forms may be sent so often; reading it costs nothing."""

    def decorator(
        view: Callable[Concatenate[HttpRequest, P], HttpResponse],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @wraps(view)
        def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method == "POST" and (
                wait := wait_for(action, account=_account(request), address=network_of(request))
            ):
                return problems.too_many_requests(request, wait=wait)
            return view(request, *args, **kwargs)

        return checked

    return decorator


class LimitByAddress:
    """Middleware: how often one address may use the API, counted before anything is looked up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if problems.is_api(request) and (wait := wait_for(API, address=network_of(request))):
            return problems.too_many_requests(request, wait=wait)
        response = self.get_response(request)
        if response.status_code == 429 and not response.has_header("Retry-After"):
            response["Retry-After"] = str(problems.USUAL_WAIT)  # allauth's own limits do not say
        return response
