"""What mails and notices use."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts import notices
from accounts.models import User

register = template.Library()


@register.filter
def in_zone(moment: datetime) -> str:
    """Day, time and zone of a moment: "March 3, 2027, 10:00 (CET)"."""
    local = timezone.localtime(moment)
    return _("%(day)s, %(time)s (%(zone)s)") % {
        "day": date_format(local, "DATE_FORMAT"),
        "time": date_format(local, "TIME_FORMAT"),
        "zone": _zone(local),
    }


def _zone(local: datetime) -> str:
    """The zone's letters; where it has only a number, with UTC before it."""
    name = local.tzname() or ""
    return f"UTC{name[:3]}" + (f":{name[3:]}" if name[3:] else "") if name[:1] in "+-" else name


@register.simple_tag
def unread_notices(user: User) -> int:
    return notices.unread(user)
