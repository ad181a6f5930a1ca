"""What pages of a doctor's hours show: times of the day, how long, a day as a bar."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template
from django.utils.translation import gettext as _

from appointments.forms.intervals import Intervals, RuleForm
from appointments.hours_checks import clock
from appointments.models import DAY, Weekday

register = template.Library()
register.filter(clock)


@dataclass(frozen=True)
class DayOfWeek:
    """A day of the week with its rows, and with what can be drawn of them."""

    number: int
    name: str
    rows: list[RuleForm]

    @property
    def bars(self) -> list[tuple[int, int, bool]]:
        """From where, how wide, and whether for urgent cases, in minutes; what is wrong is not drawn."""
        found = []
        for row in self.rows:
            begins, ends = minutes(row["begins"].value()), minutes(row["ends"].value())
            if begins is not None and ends is not None and begins < (ends or DAY):
                found.append((begins, (ends or DAY) - begins, bool(row["for_urgent"].value())))
        return found

    @property
    def lasts(self) -> int:
        return sum(width for _from, width, _urgent in self.bars)

    @property
    def others(self) -> list[tuple[int, str]]:
        return [(number, str(label)) for number, label in Weekday.choices if number != self.number]


def days_of(rows: Intervals[RuleForm]) -> list[DayOfWeek]:
    return [
        DayOfWeek(
            number, str(label), [row for row in rows.rows if str(row["weekday"].value()) == str(number)]
        )
        for number, label in Weekday.choices
    ]


def minutes(shown: Any) -> int | None:
    """A time as it was typed."""
    try:
        moment = datetime.strptime(str(shown), "%H:%M")  # noqa: DTZ007 - a time of any day
    except ValueError:
        return None
    return moment.hour * 60 + moment.minute


@register.filter
def duration(lasts: int) -> str:
    """Minutes in words."""
    hours, rest = divmod(lasts, 60)
    if not rest:
        return _("%(hours)s h") % {"hours": hours}
    if not hours:
        return _("%(minutes)s min") % {"minutes": rest}
    return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": rest}
