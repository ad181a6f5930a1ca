"""What doctors say about when they work: the week, exceptions, terms. Bookings wait while it changes.

A change that leaves visits outside of the hours is not made before the doctor has said what becomes of them.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import ngettext

from accounts.models import User
from appointments import booking, slots
from appointments import hours_checks as checks
from appointments.availability import rule_of, terms_of
from appointments.models import (
    DAY,
    Actor,
    Appointment,
    ExceptionKind,
    Place,
    Schedule,
    ScheduleException,
    Status,
    WeeklyRule,
)
from appointments.signals import time_freed
from appointments.slots import Exceptional, Hours, Rule

# What `set_terms` sets.
TERMS = frozenset(
    {
        "time_zone",
        "lengths",
        "buffer_before",
        "buffer_after",
        "notice_hours",
        "horizon_days",
        "visits_a_day",
        "release_hours",
        "confirms_by_hand",
        "cancel_hours",
    }
)
WHOLE_DAY = Hours(0, DAY, Place.CLINIC)


@dataclass(frozen=True)
class Decision:
    """What becomes of the visits that a change leaves outside of the hours, by their public ids."""

    keep: frozenset[UUID] = frozenset()
    cancel: frozenset[UUID] = frozenset()
    reason: str = ""  # the patients of what is cancelled read it


class VisitsInTheWay(ValidationError):
    """The change would leave `visits` outside of the hours. Nothing was changed: decide, and call again."""

    def __init__(self, visits: list[Appointment]) -> None:
        self.visits = visits
        super().__init__(
            ngettext(
                "%(count)s visit would lie outside of the new hours. Say what becomes of it.",
                "%(count)s visits would lie outside of the new hours. Say what becomes of them.",
                len(visits),
            ),
            code="visits_in_the_way",
            params={"count": len(visits)},
        )


# The week


def rules_of(schedule: Schedule) -> list[Rule]:
    """The rules as plain values, in the order of the week; those that have ended left out."""
    today = today_of(schedule)
    return [
        rule_of(row) for row in schedule.rules.all() if row.valid_until is None or row.valid_until >= today
    ]


def set_week(
    *, schedule: Schedule, rules: Sequence[Rule], by: User, decision: Decision | None = None
) -> Schedule:
    """Replace the rules of the week; a rule that stays the same keeps its row and its id.

    Raises VisitsInTheWay, and ValidationError with one of the codes weekday, place, ends_before_begins,
    validity, overlap, too_many; `params["row"]` is the number of the rule.
    """
    checks.refuse_rules(rules)
    with _changing(schedule, by, decision) as locked:
        left = dict.fromkeys(rules)
        for row in locked.rules.all():
            if rule_of(row) in left:
                del left[rule_of(row)]
            else:
                row.delete()
        for rule in left:
            _rule_row(locked, rule).save()
    return schedule


def add_rule(*, schedule: Schedule, rule: Rule, by: User, decision: Decision | None = None) -> WeeklyRule:
    """One more rule. Raises what `set_week` raises."""
    present = rules_of(schedule)
    set_week(schedule=schedule, rules=[*present, rule], by=by, decision=decision)
    return next(row for row in WeeklyRule.objects.filter(schedule=schedule) if rule_of(row) == rule)


def remove_rule(*, rule: WeeklyRule, by: User, decision: Decision | None = None) -> None:
    """Take a rule out of the week. Raises VisitsInTheWay."""
    with _changing(rule.schedule, by, decision):
        WeeklyRule.objects.filter(pk=rule.pk).delete()  # or taken away before


def copied(rules: Iterable[Rule], source: int, to: Collection[int]) -> list[Rule]:
    """The week with the hours of the weekday `source` in the place of what the days in `to` had."""
    rules = list(rules)
    copies = [
        replace(rule, weekday=weekday)
        for weekday in sorted(set(to) - {source})
        for rule in rules
        if rule.weekday == source
    ]
    kept = [rule for rule in rules if rule.weekday == source or rule.weekday not in to]
    return sorted(kept + copies, key=lambda rule: (rule.weekday, rule.hours.begins))


def copy_day(
    *,
    schedule: Schedule,
    source: int,
    to: Collection[int],
    by: User,
    decision: Decision | None = None,
) -> Schedule:
    """Give other weekdays the hours of one. Raises what `set_week` raises."""
    return set_week(schedule=schedule, rules=copied(rules_of(schedule), source, to), by=by, decision=decision)


# Exceptions


def add_exception(
    *,
    schedule: Schedule,
    kind: str,
    first_day: date,
    last_day: date,
    by: User,
    hours: Sequence[Hours] = (),
    note: str = "",
    decision: Decision | None = None,
) -> list[ScheduleException]:
    """Other than usual on those days, both included: one row for each interval of `hours`.

    `off` without hours is closed all day. Raises VisitsInTheWay, and ValidationError with one of the codes
    kind, days, past, too_far, no_hours, place, ends_before_begins, overlap, too_many.
    """
    if kind == ExceptionKind.OFF and not hours:
        hours = (WHOLE_DAY,)
    checks.refuse_days(kind, first_day, last_day, today=today_of(schedule))
    checks.refuse_hours(kind, hours)
    added = [Exceptional(kind, first_day, last_day, one) for one in hours]
    rows = []
    with _changing(schedule, by, decision, closing=added if kind == ExceptionKind.OFF else ()) as locked:
        checks.refuse_overlap(added, locked.exceptions.all())
        for one in added:
            row = _exception_row(locked, one, note.strip())
            row.full_clean(exclude=["schedule"])
            row.save()
            rows.append(row)
    return rows


def remove_exception(*, exception: ScheduleException, by: User, decision: Decision | None = None) -> None:
    """Take an exception away: those days are as usual again. Raises VisitsInTheWay."""
    with _changing(exception.schedule, by, decision):
        ScheduleException.objects.filter(pk=exception.pk).delete()  # or taken away before


# Terms


def set_terms(*, schedule: Schedule, by: User, decision: Decision | None = None, **terms: Any) -> Schedule:
    """Change some of TERMS.

    Raises VisitsInTheWay, as another zone moves the hours, and ValidationError by field.
    """
    if unknown := terms.keys() - TERMS:
        raise TypeError(f"These are no terms: {sorted(unknown)}")
    if "lengths" in terms:
        terms["lengths"] = checks.known_lengths(terms["lengths"])
    with _changing(schedule, by, decision) as locked:
        for name, value in terms.items():
            setattr(locked, name, value)
        locked.full_clean(exclude=["doctor"])
        locked.save()
    schedule.refresh_from_db()
    return schedule


def today_of(schedule: Schedule) -> date:
    """The day on the doctor's clock."""
    return timezone.localdate(timezone=ZoneInfo(schedule.time_zone))


# Parts


@contextmanager
def _changing(
    schedule: Schedule, by: User, decision: Decision | None, *, closing: Sequence[Exceptional] = ()
) -> Iterator[Schedule]:
    """Around a change: bookings wait, then what became of the visits is settled, or nothing is changed."""
    if by.pk != schedule.doctor_id:
        raise PermissionDenied
    with transaction.atomic():
        locked = Schedule.objects.select_for_update(no_key=True).get(pk=schedule.pk)
        before = terms_of(_fresh(schedule))
        yield locked
        after = terms_of(_fresh(schedule))
        _settle(by, before, after, closing, decision or Decision())
        transaction.on_commit(lambda: time_freed.send(sender=Appointment, doctor_id=by.pk))


def _fresh(schedule: Schedule) -> Schedule:
    return Schedule.objects.prefetch_related("rules", "exceptions").get(pk=schedule.pk)


def _settle(
    doctor: User,
    before: slots.Terms,
    after: slots.Terms,
    closing: Sequence[Exceptional],
    decision: Decision,
) -> None:
    """Visits that fall out of the hours are kept or cancelled as decided; a time that is only held ends."""
    coming = Appointment.objects.filter(
        doctor=doctor,
        status__in=(Status.HELD, Status.REQUESTED, Status.CONFIRMED),
        start__gt=timezone.now(),
    ).select_related("patient", "doctor", "relation")
    outside = _outside(list(coming.order_by("start", "pk")), before, after, closing)
    visits = [visit for visit in outside if visit.status != Status.HELD]
    if any(visit.public_id not in decision.keep | decision.cancel for visit in visits):
        raise VisitsInTheWay(visits)
    _lock_patients(doctor, [visit.patient_id for visit in visits if visit.public_id in decision.cancel])
    for visit in outside:
        if visit.status == Status.HELD:
            visit.move(Status.EXPIRED, by=None, actor=Actor.CLOCK, note="the doctor's hours have changed")
        elif visit.public_id in decision.cancel:
            booking.cancel(appointment=visit, by=doctor, reason=decision.reason)


def _lock_patients(doctor: User, patients: list[int]) -> None:
    """After the doctor, and in one order: two doctors who close a day may share their patients."""
    people = User.objects.select_for_update(no_key=True)
    people.get(pk=doctor.pk)
    list(people.filter(pk__in=patients).order_by("pk"))


def _outside(
    visits: list[Appointment],
    before: slots.Terms,
    after: slots.Terms,
    closing: Sequence[Exceptional],
) -> list[Appointment]:
    """Those that lay in the hours before and do not now, and all that lie in what is closed by hand.

    A visit that was kept outside of the hours once is not asked about again and again.
    """
    if not visits:
        return []
    since, until = visits[0].start, max(visit.end for visit in visits)
    open_before, open_after = (slots.stretches(terms, since, until) for terms in (before, after))
    as_extra = tuple(replace(one, kind="extra") for one in closing)
    closed = slots.stretches(replace(after, rules=(), exceptions=as_extra), since, until)
    return [
        visit
        for visit in visits
        if not slots.covers(open_after, visit.start, visit.end, visit.place)
        and (
            slots.covers(open_before, visit.start, visit.end, visit.place)
            or any(one.start < visit.end and visit.start < one.end for one in closed)
        )
    ]


def _rule_row(schedule: Schedule, rule: Rule) -> WeeklyRule:
    return WeeklyRule(
        schedule=schedule,
        weekday=rule.weekday,
        valid_from=rule.valid_from,
        valid_until=rule.valid_until,
        **_fields(rule.hours),
    )


def _exception_row(schedule: Schedule, one: Exceptional, note: str) -> ScheduleException:
    return ScheduleException(
        schedule=schedule,
        kind=one.kind,
        first_day=one.first_day,
        last_day=one.last_day,
        note=note,
        **_fields(one.hours),
    )


def _fields(hours: Hours) -> dict[str, Any]:
    return {
        "begins": hours.begins,
        "ends": hours.ends,
        "place": hours.place,
        "for_urgent": hours.for_urgent,
    }
