"""Errors of the API as problem details (RFC 9457), each with a stable `code`."""

import math
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response

CONTENT_TYPE = "application/problem+json"
USUAL_WAIT = 60  # seconds; what somebody is told who came too often, if nothing better is known

_CODES = {
    400: "invalid",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    429: "throttled",
    500: "internal_error",
}


class Problem(exceptions.APIException):
    """An error that an endpoint raises on purpose. `extra` adds members to the problem document."""

    def __init__(self, *, status: int, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.extra = extra


def problem(*, status: int, code: str | None = None, detail: str = "", **extra: Any) -> dict[str, Any]:
    """The problem document."""
    code = code or _CODES.get(status, "error")
    return {
        "type": f"urn:derma:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **extra,
    }


def _flatten(detail: Any, field: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        return [
            row
            for key, value in detail.items()
            for row in _flatten(value, f"{field}.{key}" if field else str(key))
        ]
    if isinstance(detail, list):
        return [row for value in detail for row in _flatten(value, field)]
    code = detail.code if isinstance(detail, exceptions.ErrorDetail) else "invalid"
    return [{"field": "" if field == "non_field_errors" else field, "code": str(code), "detail": str(detail)}]


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: every error that it knows becomes a problem document; others go on to `server_error`."""
    from rest_framework.views import set_rollback  # DRF's views load the throttles, which load this module

    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    status = error.status_code
    if isinstance(error, Problem):
        body = problem(status=status, code=str(error.get_codes()), detail=str(error.detail), **error.extra)
    elif isinstance(error, exceptions.ValidationError):
        errors = _flatten(error.detail)
        body = problem(status=status, detail=" ".join(row["detail"] for row in errors), errors=errors)
    else:
        body = problem(status=status, detail=str(error.detail))
    return Response(body, status=status, headers=headers, content_type=CONTENT_TYPE)


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/_allauth/"))


def _respond(request: HttpRequest, status: int, detail: str = "", **context: Any) -> HttpResponse:
    if is_api(request):
        return JsonResponse(problem(status=status, detail=detail), status=status, content_type=CONTENT_TYPE)
    return render(request, f"{status}.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _respond(request, 400, "The request could not be understood.")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _respond(request, 403, "You do not have permission for this.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _respond(request, 404, "Not found.")


def too_many_requests(
    request: HttpRequest, exception: Exception | None = None, *, wait: int = USUAL_WAIT
) -> HttpResponse:
    """Somebody has to wait, so many seconds. allauth calls this too, without knowing how many."""
    detail = f"Too many requests. Try again in {wait} seconds."
    response = _respond(request, 429, detail, minutes=math.ceil(wait / 60))
    response["Retry-After"] = str(wait)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    return _respond(request, 500, "Something went wrong on our side. Nothing that was saved is lost.")
