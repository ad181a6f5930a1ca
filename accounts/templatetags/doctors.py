"""What pages and mails about doctors use."""

import datetime
from uuid import UUID

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts import licence_words
from accounts.countries import country_name
from accounts.directory import Times
from accounts.geography import map_url
from accounts.models import DoctorProfile
from accounts.registries import FreeTime
from accounts.spoken import language_name

register = template.Library()
register.filter(country_name)
register.filter(language_name)
register.filter(licence_words.state_headline)
register.filter(licence_words.state_sentence)
register.filter(licence_words.mail_subject)
register.filter(licence_words.mail_sentence)
register.filter(licence_words.step_word)


@register.filter
def map_of(profile: DoctorProfile) -> str:
    """The link to a public map, or nothing for a practice without coordinates."""
    if profile.latitude is None or profile.longitude is None:
        return ""
    return map_url(profile.latitude, profile.longitude)


@register.filter
def kilometres(distance: float) -> str:
    """A distance as people say it. A searcher's place is rounded: below a kilometre nothing is known."""
    if distance < 1:
        return _("less than 1 km away")
    if distance < 10:
        return _("%(km)s km away") % {"km": number_format(distance, 1)}
    return _("%(km)s km away") % {"km": number_format(distance, 0, force_grouping=True)}


@register.filter
def free_time_of(times: Times, profile: DoctorProfile) -> datetime.datetime | None:
    return times.next.get(profile.user.public_id)


@register.filter
def choices_of(times: Times, profile: DoctorProfile) -> list[FreeTime]:
    """The times that can be chosen at once, for an urgent result."""
    return times.choices.get(profile.user.public_id, [])


@register.filter
def rating_of(ratings: dict[UUID, tuple[float, int]], profile: DoctorProfile) -> tuple[float, int] | None:
    return ratings.get(profile.user.public_id) if ratings else None
