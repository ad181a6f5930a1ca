"""How pages speak of visits."""

import datetime
import math

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from appointments.models import Appointment, Status
from appointments.templatetags.booking import day_words
from appointments.visits import countdown

register = template.Library()

register.filter("countdown", countdown)

# Icon and tone of a status; the word stands beside it.
_MARKS = {
    Status.HELD: ("clock", "u-soon"),
    Status.REQUESTED: ("clock", "u-soon"),
    Status.CONFIRMED: ("check", "u-routine"),
    Status.CHECKED_IN: ("user", "u-routine"),
    Status.COMPLETED: ("circle-check", "u-none"),
}


@register.filter
def seconds_until(moment: datetime.datetime) -> int:
    """Negative once it is over."""
    return math.ceil((moment - timezone.now()).total_seconds())


@register.filter
def zone_name(zone: str) -> str:
    return zone.replace("_", " ")


@register.filter
def visit_icon(appointment: Appointment) -> str:
    return _MARKS.get(Status(appointment.status), ("circle-alert", "u-none"))[0]


@register.filter
def visit_tone(appointment: Appointment) -> str:
    return _MARKS.get(Status(appointment.status), ("circle-alert", "u-none"))[1]


@register.filter
def clock_times(appointment: Appointment) -> SafeString:
    """From when to when, by the reader's clock."""
    start, end = timezone.localtime(appointment.start), timezone.localtime(appointment.end)
    return format_html(
        '<time datetime="{}">{}&ndash;{}</time>',
        start.isoformat(timespec="minutes"),
        date_format(start, "TIME_FORMAT"),
        date_format(end, "TIME_FORMAT"),
    )


@register.filter
def day_and_times(appointment: Appointment) -> SafeString:
    """The day with its weekday, and from when to when, by the reader's clock."""
    return format_html("{}, {}", day_words(appointment.start), clock_times(appointment))
