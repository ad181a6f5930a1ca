"""What a value about a person must be. Each refuses in one sentence for the person."""

import datetime
from functools import cache
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

_PLACES = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)
OLDEST = datetime.date(1900, 1, 1)


@cache
def time_zones() -> frozenset[str]:
    """The IANA names that this machine knows, without the historical ones that name no place."""
    return frozenset(name for name in available_timezones() if name == "UTC" or name.startswith(_PLACES))


def validate_time_zone(name: str) -> None:
    if name not in time_zones():
        raise ValidationError(_("This time zone is not known. Choose one from the list."), code="time_zone")


def validate_birth_date(date: datetime.date) -> None:
    somewhere = timezone.now() + datetime.timedelta(hours=14)  # it is tomorrow already
    if date > somewhere.date():
        raise ValidationError(_("The date of birth lies in the future."), code="future")
    if date < OLDEST:
        raise ValidationError(_("The date of birth cannot be before 1900."), code="too_old")


def licence_day() -> datetime.date:
    """The day by which licences run out: the same for every reader, whatever their time zone."""
    return timezone.now().date()


def validate_not_expired(date: datetime.date) -> None:
    if date < licence_day():
        raise ValidationError(_("This licence has expired already."), code="expired")
