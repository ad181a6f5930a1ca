"""The places of the settings area, in the order a person would look for them."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, User

EVERYBODY = frozenset(Role)
PATIENTS = frozenset({Role.PATIENT})
DOCTORS = frozenset({Role.DOCTOR})


@dataclass(frozen=True)
class Place:
    """A page of the settings area. `within`: beginnings of the names of further views that belong to it."""

    view: str
    title: str | Promise
    about: str | Promise
    icon: str
    roles: frozenset[Role] = EVERYBODY
    within: tuple[str, ...] = ()

    def holds(self, view_name: str) -> bool:
        return view_name == self.view or view_name.startswith(self.within)


PLACES = (
    Place("accounts:profile", _("Profile"), _("Your name, and what a doctor should know"), "user"),
    Place(
        "accounts:practice",
        _("Practice"),
        _("What patients read about you"),
        "stethoscope",
        DOCTORS,
    ),
    Place(
        "accounts:licence",
        _("Licence"),
        _("Your application, and until when you are verified"),
        "shield",
        DOCTORS,
        within=("accounts:licence",),
    ),
    Place(
        "appointments:hours",
        _("Hours"),
        _("When patients can book you, and on what terms"),
        "clock",
        DOCTORS,
        within=("appointments:hours",),
    ),
    Place("account_email", _("Email"), _("The address that you sign in with"), "mail"),
    Place(
        "account_change_password",
        _("Password"),
        _("Choose a new one"),
        "key-round",
        within=("account_set_password",),
    ),
    Place(
        "mfa_index",
        _("Sign-in security"),
        _("An app, a passkey, and codes for the day you lose them"),
        "lock",
        within=("mfa_",),
    ),
    Place("usersessions_list", _("Devices"), _("Where you are signed in"), "monitor"),
    Place("accounts:language", _("Language and time zone"), _("How times and texts are shown"), "globe"),
    Place(
        "appointments:calendar",
        _("Calendar"),
        _("Your visits in a calendar program of yours"),
        "calendar",
        PATIENTS | DOCTORS,
    ),
    Place("accounts:notifications", _("Notifications"), _("What you are told, and by which way"), "bell"),
    Place(
        "accounts:consents",
        _("Consents"),
        _("What you have agreed to"),
        "circle-check",
        PATIENTS,
        within=("accounts:consents",),
    ),
    Place(
        "accounts:sharing",
        _("Sharing"),
        _("Which doctors may see what"),
        "share",
        PATIENTS,
        within=("accounts:sharing",),
    ),
    Place(
        "accounts:accesses",
        _("Who opened my record"),
        _("Every time somebody else has looked"),
        "eye",
        PATIENTS,
    ),
    Place(
        "accounts:privacy",
        _("My data"),
        _("Take a copy of everything, or erase it"),
        "archive",
        within=("accounts:privacy", "accounts:export", "accounts:erasure"),
    ),
)


def places_of(user: User) -> Iterator[tuple[Place, str]]:
    """The places for this person's role, each with its address."""
    for place in PLACES:
        if user.role in place.roles:
            yield place, reverse(place.view)
