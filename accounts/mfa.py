"""The second factor: doctors and administrators have one before they see anything that is not their own."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import ResolverMatch, reverse
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.notifications import notify
from dermaplatform.addresses import absolute

# Recovery codes stand in for a factor that was lost; they are none by themselves.
SECOND_FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]

# What is open without a second factor: the way in, the way to a second factor, what is public, and what
# doctors say about themselves. Everything that is not named here is closed.
OPEN_VIEWS = frozenset(
    {
        "about",
        "health",
        "schema",
        "api-docs",
        "account_change_password",
        "account_confirm_email",
        "account_email",
        "account_email_verification_sent",
        "account_inactive",
        "account_login",
        "account_logout",
        "account_reauthenticate",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key",
        "account_reset_password_from_key_done",
        "account_set_password",
        "account_signup",
        "accounts:doctor-signup",
        "accounts:settings",
        "accounts:profile",
        "accounts:privacy",
        "accounts:export",
        "accounts:export-state",
        "accounts:export-file",
        "accounts:erasure",
        "accounts:erasure-receipt",
        "accounts:language",
        "accounts:time-zone",
        "accounts:practice",
        "accounts:licence",
        "accounts:licence-apply",
        "accounts:licence-answer",
        "accounts:licence-withdraw",
        "accounts:doctors",
        "accounts:doctor",
        "accounts:doctor-photo",
        "admin:login",
        "admin:logout",
        "api-me",
        "api-export-list",
        "api-export-detail",
        "api-export-file",
        "api-doctor-list",
        "api-doctor-detail",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "mfa_authenticate",
        "mfa_index",
        "mfa_list_webauthn",
        "mfa_login_webauthn",
        "mfa_reauthenticate",
        "mfa_reauthenticate_webauthn",
        "usersessions_list",
    }
)
# A doctor opens no document but their own; an administrator opens everybody's.
OPEN_TO_DOCTORS = frozenset({"accounts:licence-document"})
# Signing in and managing the own account, as apps do it.
_HEADLESS = "headless:"


def needs_second_factor(user: object) -> bool:
    """Whether this person may see other people's data, and therefore has to have a second factor."""
    return bool(settings.DERMA_REQUIRE_MFA) and isinstance(user, User) and not user.is_patient


def lacks_second_factor(user: object) -> bool:
    return needs_second_factor(user) and not is_mfa_enabled(user, SECOND_FACTORS)


def is_closed(user: object, match: ResolverMatch | None) -> bool:
    """Whether this view stays shut for this person until they have a second factor."""
    return not is_open_to_all(match) and not _is_their_own(user, match) and lacks_second_factor(user)


def is_open_to_all(match: ResolverMatch | None) -> bool:
    name = match.view_name if match else ""
    return name in OPEN_VIEWS or name.startswith(_HEADLESS)


def _is_their_own(user: object, match: ResolverMatch | None) -> bool:
    name = match.view_name if match else ""
    return name in OPEN_TO_DOCTORS and isinstance(user, User) and user.is_doctor


def refuse_app(user: object, request: HttpRequest) -> None:
    """Raise the problem `mfa_required` if an app asks for what is closed."""
    from dermaplatform.problems import Problem  # needs REST framework's views, and they an authentication

    if is_closed(user, request.resolver_match):
        raise Problem(
            status=403,
            code="mfa_required",
            detail=_("Doctors and administrators need a second factor at sign-in before they see this."),
            setup_url=request.build_absolute_uri(reverse("mfa_index")),
        )


@receiver(authenticator_added, dispatch_uid="accounts.end_sessions_without_second_factor")
def end_sessions_without_second_factor(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Whoever signed in before there was a second factor did so without it, and has to sign in again."""
    for session in UserSession.objects.filter(user=user).exclude(session_key=request.session.session_key):
        session.end()


@transaction.atomic
def remove_second_factor(*, user: User) -> None:
    """For somebody who has lost theirs: they sign in with the password and set up a new one, and are told."""
    Authenticator.objects.filter(user=user).delete()
    for session in UserSession.objects.filter(user=user):
        session.end()
    notify(user, "second_factor_removed", link=absolute(reverse("mfa_index")))
