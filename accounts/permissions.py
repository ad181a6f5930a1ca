from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import Role, User
from accounts.requests import SignedInRequest

P = ParamSpec("P")


def role_required(
    *roles: Role,
) -> Callable[
    [Callable[Concatenate[SignedInRequest, P], HttpResponse]],
    Callable[Concatenate[HttpRequest, P], HttpResponse],
]:
    """A page for these roles: anonymous visitors sign in first, others get 403."""

    def decorator(
        view: Callable[Concatenate[SignedInRequest, P], HttpResponse],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @wraps(view)
        def checked(request: Any, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.user.role not in roles:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return login_required(checked)

    return decorator


class IsPatient(BasePermission):
    """Endpoints for patients."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User) and request.user.is_patient


class IsDoctor(BasePermission):
    """Endpoints for doctors, verified or not: what they say about themselves."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User) and request.user.is_doctor


class HasVisits(BasePermission):
    """Endpoints for those who meet: patients and doctors."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User) and (request.user.is_patient or request.user.is_doctor)


class ReadsRecords(BasePermission):
    """Endpoints for doctors and administrators; what they find there, relations and emergencies open."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User) and (request.user.is_doctor or request.user.is_admin)
