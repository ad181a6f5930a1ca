"""Times and zones as pages about visits say them."""

import datetime
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from appointments.models import Appointment, Schedule
from appointments.picking import own_hold

register = template.Library()


@register.filter
def day_words(day: datetime.date | datetime.datetime) -> str:
    """ "Friday, November 27, 2026"; of a moment in the present zone."""
    if isinstance(day, datetime.datetime):
        day = timezone.localtime(day).date()
    return _("%(weekday)s, %(date)s") % {
        "weekday": date_format(day, "l"),
        "date": date_format(day, "DATE_FORMAT"),
    }


@register.filter
def short_day(moment: datetime.datetime) -> str:
    """ "Today", "Tomorrow", or "Fri, Nov. 27, 2026", in the present zone."""
    day = timezone.localtime(moment).date()
    away = (day - timezone.localdate()).days
    if away in (0, 1):
        return _("Tomorrow") if away else _("Today")
    return _("%(weekday)s, %(date)s") % {
        "weekday": date_format(day, "D"),
        "date": date_format(day, "DATE_FORMAT"),
    }


@register.filter
def when(moment: datetime.datetime) -> SafeString:
    """Day and time of a visit in the present zone, for people and for machines."""
    local = timezone.localtime(moment)
    words = _("%(day)s, %(time)s") % {"day": day_words(moment), "time": date_format(local, "TIME_FORMAT")}
    return format_html('<time datetime="{}">{}</time>', local.isoformat(timespec="minutes"), words)


@register.filter
def clock(moment: datetime.datetime, zone: ZoneInfo | None = None) -> str:
    """The time of day; where the clock shows it twice on that day, with the offset that tells which."""
    local = moment.astimezone(zone or timezone.get_current_timezone())
    words = date_format(local, "TIME_FORMAT")
    return f"{words} ({_offset(local)})" if _is_doubled(local) else words


def _is_doubled(local: datetime.datetime) -> bool:
    naive = local.replace(fold=0), local.replace(fold=1)
    return naive[0].utcoffset() > naive[1].utcoffset()  # type: ignore[operator]


def _offset(local: datetime.datetime) -> str:
    """How far a zone is from UTC at that moment, as "UTC+2"."""
    minutes = round((local.utcoffset() or datetime.timedelta(0)).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "−" if minutes < 0 else "+"  # noqa: RUF001  (a minus is no hyphen)
    return "UTC" + (f"{sign}{hours}" + (f":{rest:02}" if rest else "") if minutes else "")


@register.filter
def zone_words(zone: ZoneInfo, moment: datetime.datetime | None = None) -> str:
    """A zone as people say it: "Zurich (Europe, UTC+1)"."""
    offset = _offset((moment or timezone.now()).astimezone(zone))
    area, _slash, city = zone.key.replace("_", " ").rpartition("/")
    if not area:
        return zone.key if zone.key == offset else f"{zone.key} ({offset})"
    return f"{city} ({area}, {offset})"


@register.filter
def at_the_doctors(moment: datetime.datetime, visit: Appointment) -> str:
    """The time on the doctor's clock where it shows another than the reader's; else nothing."""
    schedule: Schedule | None = getattr(visit.doctor, "schedule", None)
    if schedule is None:  # the doctor's account was erased
        return ""
    zone = ZoneInfo(schedule.time_zone)
    if moment.astimezone(zone).utcoffset() == timezone.localtime(moment).utcoffset():
        return ""
    local = moment.astimezone(zone)
    return _("%(day)s, %(time)s in %(zone)s") % {
        "day": day_words(local.date()),
        "time": date_format(local, "TIME_FORMAT"),
        "zone": zone_words(zone, moment),
    }


@register.simple_tag
def present_zone() -> ZoneInfo:
    """The zone in which the page shows times."""
    return ZoneInfo(timezone.get_current_timezone_name())


@register.simple_tag
def held_by(person: object) -> Appointment | None:
    """The time that this person holds at the moment."""
    return own_hold(person)


@register.filter
def seconds_left(moment: datetime.datetime) -> int:
    return max(0, int((moment - timezone.now()).total_seconds()))


@register.filter
def minutes_left(moment: datetime.datetime) -> int:
    """Begun minutes count: nothing that still runs has none left."""
    return -(-seconds_left(moment) // 60)
