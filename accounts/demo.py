"""Demo mode: accounts with a known password, and mail links on the page. Impossible without DEBUG."""

from collections.abc import Callable, Iterable
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from accounts.models import ConsentKind, Notice, OutgoingMail, Role, User
from accounts.services import give_consent

PASSWORD = "demo-derma-2026"  # noqa: S105  (public on purpose)
ACCOUNTS = (
    ("alice@example.org", "Alice Sommer", Role.PATIENT),
    ("bob@example.org", "Bob Keller", Role.PATIENT),
    ("chen@example.org", "Mei Chen", Role.DOCTOR),
    ("diaz@example.org", "Rafael Díaz", Role.DOCTOR),
    ("eve@example.org", "Eve Marlow", Role.ADMIN),
)
_LINKS = "demo_links"

# Apps above this one add what they show in the demo: called with nothing, safe to call again.
loaders: list[Callable[[], None]] = []


def load() -> Iterable[User]:
    """Create or restore the demo accounts and what upper apps add; ImproperlyConfigured outside the demo."""
    if not (settings.DEMO and settings.DEBUG):
        raise ImproperlyConfigured("Demo data can be loaded in demo mode only (DEBUG=1 DEMO=1).")
    from accounts import demo_people  # needs everything, and this module is needed by the sign-in

    last_mail = OutgoingMail.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    last_notice = Notice.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    users = [_account(email, name, role) for email, name, role in ACCOUNTS]
    demo_people.load()
    for loader in loaders:
        loader()
    OutgoingMail.objects.filter(pk__gt=last_mail).delete()  # nobody has to be told of what is made up
    Notice.objects.filter(pk__gt=last_notice).delete()
    return users


def _account(email: str, name: str, role: Role) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, PASSWORD, name=name, role=role)
    EmailAddress.objects.update_or_create(
        user=user, email=email, defaults={"verified": True, "primary": True}
    )
    if role == Role.PATIENT:
        give_consent(user=user, kind=ConsentKind.CARE)
    return user


def keep_link(request: HttpRequest | None, link: str | None) -> None:
    """Remember the link of a mail for the next page of the same visitor."""
    if request is not None and link and hasattr(request, "session"):
        request.session[_LINKS] = [link]


def context(request: HttpRequest) -> dict[str, Any]:
    """Template context: `demo`, and in demo mode the accounts and the links of the last mail."""
    if not settings.DEMO:
        return {"demo": False}
    return {
        "demo": True,
        "demo_password": PASSWORD,
        "demo_accounts": [
            {"email": email, "name": name, "role_label": role.label} for email, name, role in ACCOUNTS
        ],
        "demo_links": request.session.get(_LINKS, []) if hasattr(request, "session") else [],
    }
