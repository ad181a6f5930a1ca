"""What pages of the settings area ask: where they are, how safe sign-in is, what a device is called."""

import re
from typing import TypedDict

from django import template
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts import mfa
from accounts.middleware import WANTED
from accounts.models import User
from accounts.places import places_of

register = template.Library()


class ShownPlace(TypedDict):
    title: str
    about: str
    icon: str
    url: str
    here: bool


class SecondFactorState(TypedDict):
    needed: bool
    lacking: bool
    wanted: str


@register.simple_tag(takes_context=True)
def settings_places(context: template.Context) -> list[ShownPlace]:
    """The places of the settings area for who is signed in; `here` marks the one that the page belongs to."""
    request: HttpRequest = context["request"]
    if not isinstance(request.user, User):
        return []
    match = request.resolver_match
    view_name = match.view_name if match else ""
    return [
        {
            "title": str(place.title),
            "about": str(place.about),
            "icon": place.icon,
            "url": url,
            "here": place.holds(view_name),
        }
        for place, url in places_of(request.user)
    ]


@register.simple_tag(takes_context=True)
def second_factor(context: template.Context) -> SecondFactorState:
    """Whether a second factor is needed and lacking, and the page that somebody was kept from."""
    request: HttpRequest = context["request"]
    return {
        "needed": mfa.needs_second_factor(request.user),
        "lacking": mfa.lacks_second_factor(request.user),
        "wanted": request.session.get(WANTED, ""),
    }


_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def _first(marks: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for mark, name in marks if mark in user_agent), "")


@register.filter
def device(user_agent: str) -> str:
    """A browser's name for itself in words, such as "Firefox on Windows"."""
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("A browser or an app")


@register.filter
def is_phone(user_agent: str) -> bool:
    return bool(re.search(r"iPhone|Android|Mobile", user_agent))
