"""What hours cannot be, each with its sentence. `params["row"]` says which of several it is."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from appointments.availability import exceptional_of
from appointments.models import DAY, LENGTHS, ExceptionKind, Place, ScheduleException, Weekday
from appointments.slots import Exceptional, Hours, Rule

MOST_INTERVALS = 100  # of a week, and of an exception
FURTHEST = timedelta(days=3 * 366)  # an exception is not entered for later than that


def clock(minutes: int) -> str:
    """Minutes since midnight as people read them; the end of a day is 24:00."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def refuse_rules(rules: Sequence[Rule]) -> None:
    _refuse_many(rules)
    for number, rule in enumerate(rules):
        if rule.weekday not in Weekday.values:
            raise ValidationError(_("Choose a day of the week."), code="weekday", params={"row": number})
        _refuse_interval(rule.hours, number)
        if rule.valid_from and rule.valid_until and rule.valid_until < rule.valid_from:
            raise ValidationError(
                _("The last day must not lie before the first."), code="validity", params={"row": number}
            )
    for number, one in enumerate(rules):
        for other in rules[:number]:
            if one.weekday == other.weekday and _at_once(one, other) and _overlap(one.hours, other.hours):
                raise ValidationError(
                    _("On %(day)s, %(one)s and %(other)s overlap. Change one of them, or join them."),
                    code="overlap",
                    params={
                        "day": Weekday(one.weekday).label,
                        "one": span(other.hours),
                        "other": span(one.hours),
                        "row": number,
                    },
                )


def _refuse_many(intervals: Sequence[object]) -> None:
    if len(intervals) > MOST_INTERVALS:
        raise ValidationError(
            _("These are more than %(most)s intervals. Join some of them."),
            code="too_many",
            params={"most": MOST_INTERVALS},
        )


def _refuse_interval(hours: Hours, number: int) -> None:
    if hours.place not in Place.values:
        raise ValidationError(_("Choose a place from the list."), code="place", params={"row": number})
    if not 0 <= hours.begins < hours.ends <= DAY:
        raise ValidationError(
            _("The end must lie after the beginning, on the same day. Midnight is the latest end."),
            code="ends_before_begins",
            params={"row": number},
        )


def refuse_hours(kind: str, hours: Sequence[Hours]) -> None:
    _refuse_many(hours)
    if not hours:
        raise ValidationError(_("Say from when to when you are open."), code="no_hours")
    for number, one in enumerate(hours):
        _refuse_interval(one, number)
        for other in hours[:number]:
            if _overlap(one, other):
                raise ValidationError(
                    _("%(one)s and %(other)s overlap. Change one of them, or join them."),
                    code="overlap",
                    params={"one": span(other), "other": span(one), "row": number},
                )


def refuse_days(kind: str, first_day: date, last_day: date, *, today: date) -> None:
    if kind not in ExceptionKind.values:
        raise ValidationError({"kind": ValidationError(_("Choose what is different."), code="kind")})
    if last_day < first_day:
        raise ValidationError(
            {"last_day": ValidationError(_("The last day must not lie before the first."), code="days")}
        )
    if last_day < today:
        raise ValidationError(
            {"last_day": ValidationError(_("These days are over. Choose days to come."), code="past")}
        )
    if last_day > today + FURTHEST:
        raise ValidationError(
            {"last_day": ValidationError(_("This lies too far ahead: at most three years."), code="too_far")}
        )


def refuse_overlap(added: Sequence[Exceptional], present: Iterable[ScheduleException]) -> None:
    """Two openings of one kind do not lie over each other; what is closed may be closed twice."""
    for number, one in enumerate(added):
        for other in map(exceptional_of, present):
            if one.kind == other.kind != ExceptionKind.OFF and _meet(one, other):
                raise ValidationError(
                    _("%(one)s overlaps %(other)s, which you entered before for some of these days."),
                    code="overlap",
                    params={"one": span(one.hours), "other": span(other.hours), "row": number},
                )


def _meet(one: Exceptional, other: Exceptional) -> bool:
    same_days = one.first_day <= other.last_day and other.first_day <= one.last_day
    return same_days and _overlap(one.hours, other.hours)


def known_lengths(lengths: object) -> list[int]:
    if (
        not isinstance(lengths, Collection)
        or not lengths
        or not all(isinstance(length, int) and length in LENGTHS for length in lengths)
    ):
        raise ValidationError(
            {"lengths": ValidationError(_("Choose at least one length from the list."), code="lengths")}
        )
    return sorted(set(lengths))


def _at_once(one: Rule, other: Rule) -> bool:
    """Whether there are days on which both hold."""
    first = max(one.valid_from or date.min, other.valid_from or date.min)
    last = min(one.valid_until or date.max, other.valid_until or date.max)
    return first <= last


def _overlap(one: Hours, other: Hours) -> bool:
    return one.begins < other.ends and other.begins < one.ends


def span(hours: Hours) -> str:
    return f"{clock(hours.begins)}–{clock(hours.ends)}"  # noqa: RUF001
