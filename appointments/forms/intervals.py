"""Rows of hours in a form, which buttons add, take away and copy before anything is saved."""

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from appointments.hours_checks import MOST_INTERVALS, clock
from appointments.models import DAY, Place, Weekday
from appointments.slots import Hours, Rule


class DayField(forms.DateField):
    """A day in the browser's own calendar."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            input_formats=["%Y-%m-%d"],
            widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            error_messages={
                "required": gettext_lazy("Choose a day."),
                "invalid": gettext_lazy("Write the date as year-month-day, such as 2030-12-31."),
            },
            **kwargs,
        )


class ClockField(forms.TimeField):
    """A time of the day in the browser's own input, as minutes since midnight."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            input_formats=["%H:%M"],
            widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            error_messages={
                "required": gettext_lazy("Write a time."),
                "invalid": gettext_lazy("Write the time as hours and minutes, such as 09:30."),
            },
            **kwargs,
        )

    def clean(self, value: Any) -> int | None:
        shown: datetime.time | None = super().clean(value)
        return None if shown is None else shown.hour * 60 + shown.minute


class IntervalForm(forms.Form):
    """From when to when; midnight as the end is that of the coming night."""

    begins = ClockField(label=gettext_lazy("From"))
    ends = ClockField(label=gettext_lazy("To"))
    place = forms.ChoiceField(
        label=gettext_lazy("Place"),
        choices=Place.choices,
        initial=Place.CLINIC,
        error_messages={"invalid_choice": gettext_lazy("Choose a place from the list.")},
    )
    for_urgent = forms.BooleanField(label=gettext_lazy("Kept for urgent cases"), required=False)

    @property
    def day_name(self) -> str:
        return ""

    def hours(self) -> Hours:
        answers = self.cleaned_data
        return Hours(answers["begins"], answers["ends"] or DAY, answers["place"], answers["for_urgent"])

    @classmethod
    def answers_of(cls, hours: Hours) -> dict[str, Any]:
        return {
            "begins": clock(hours.begins),
            "ends": clock(hours.ends % DAY),
            "place": hours.place,
            "for_urgent": hours.for_urgent,
        }


class RuleForm(IntervalForm):
    """The same every week on one day."""

    weekday = forms.TypedChoiceField(
        label=gettext_lazy("Day"), choices=Weekday.choices, coerce=int, widget=forms.HiddenInput
    )
    valid_from = DayField(label=gettext_lazy("First day"), required=False)
    valid_until = DayField(label=gettext_lazy("Last day"), required=False)

    @property
    def has_validity(self) -> bool:
        return bool(self["valid_from"].value() or self["valid_until"].value() or self._days_are_wrong)

    @property
    def _days_are_wrong(self) -> bool:
        return self.is_bound and not {"valid_from", "valid_until"}.isdisjoint(self.errors)

    @property
    def day_name(self) -> str:
        day = _weekday(self["weekday"].value())
        return "" if day is None else str(Weekday(day).label)

    def rule(self) -> Rule:
        answers = self.cleaned_data
        return Rule(answers["weekday"], self.hours(), answers["valid_from"], answers["valid_until"])

    @classmethod
    def answers_of_rule(cls, rule: Rule) -> dict[str, Any]:
        return cls.answers_of(rule.hours) | {
            "weekday": rule.weekday,
            "valid_from": rule.valid_from,
            "valid_until": rule.valid_until,
        }


class ExceptionHoursForm(IntervalForm):
    """An interval of such days; all of it may stay empty."""

    begins = ClockField(label=gettext_lazy("From"), required=False)
    ends = ClockField(label=gettext_lazy("To"), required=False)

    @property
    def is_empty(self) -> bool:
        return self.cleaned_data.get("begins") is None and self.cleaned_data.get("ends") is None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for missing, given in (("begins", "ends"), ("ends", "begins")):
            alone = cleaned.get(given) is not None and cleaned.get(missing) is None
            if alone and not self.has_error(missing):
                self.add_error(missing, _("Write a time."))
        return cleaned


Row = TypeVar("Row", bound=IntervalForm)
Answers = dict[str, Any]


class Intervals(Generic[Row]):
    """Rows of one kind in a form of a page. The field `row` names their prefixes, in order."""

    def __init__(self, row_class: type[Row], rows: Sequence[Row]) -> None:
        self.row_class = row_class
        self.rows = list(rows)

    @classmethod
    def of(cls, row_class: type[Row], answers: Iterable[Answers]) -> "Intervals[Row]":
        """Not sent yet, so nothing is wrong with it."""
        return cls(
            row_class,
            [
                row_class(initial=answer, prefix=f"i{number}", use_required_attribute=False)
                for number, answer in enumerate(answers)
            ],
        )

    @classmethod
    def posted(cls, row_class: type[Row], data: QueryDict) -> "Intervals[Row]":
        prefixes = list(dict.fromkeys(data.getlist("row")))[: MOST_INTERVALS + 1]
        return cls(
            row_class, [row_class(data, prefix=prefix, use_required_attribute=False) for prefix in prefixes]
        )

    def typed(self) -> list[Answers]:
        """What stands in the fields, right or wrong."""
        return [{name: row[name].value() for name in row.fields} for row in self.rows]

    def is_valid(self) -> bool:
        return all([row.is_valid() for row in self.rows])  # noqa: C419 - each says what is wrong with it

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        """What is wrong: the id of the field, its name with the day, and the sentence."""
        return [
            (field.id_for_label, ", ".join(filter(None, (row.day_name, str(field.label)))), str(sentence))
            for row in self.rows
            if row.is_bound
            for field in row
            for sentence in field.errors
        ]

    def refuse(self, refusal: ValidationError, rows: Sequence[Row] | None = None) -> list[str]:
        """Put what a service refuses to the row that it names; the sentences that belong to no row."""
        number = (getattr(refusal, "params", None) or {}).get("row")
        if number is None:
            return refusal.messages
        field = "valid_until" if refusal.code == "validity" else "ends"
        row = (self.rows if rows is None else rows)[number]
        row.add_error(field, ValidationError(refusal.messages[0], code=refusal.code))
        return []

    def changed(self, change: Callable[[list[Answers]], list[Answers]]) -> "Intervals[Row]":
        """The same rows as they are typed, changed, and not judged yet."""
        return self.of(self.row_class, change(self.typed()))


def was_edited(data: QueryDict) -> bool:
    """Whether a button that only changes the rows was pressed, and not the one that saves."""
    return not data.keys().isdisjoint({"add_hours", "take_away", "copy_day"})


def edited_week(rows: Intervals[RuleForm], data: QueryDict) -> tuple[Intervals[RuleForm], str, int | None]:
    """The rows after a button, what happened in words, and the weekday at which to go on, if any."""
    if "take_away" in data:
        gone = [row for row in rows.rows if row.prefix == data.get("take_away")]
        day = _weekday(gone[0]["weekday"].value()) if gone else None
        return _without(rows, data.get("take_away")), _("Taken away. Save the week when it is right."), day
    day = _weekday(data.get("add_hours", data.get("copy_day")))
    if day is None:
        return rows.changed(list), "", None
    if "add_hours" in data:
        return _one_more(rows, lambda answers: _proposed(answers, day)), _("Added."), None
    to = [number for number in Weekday.values if f"to-{day}-{number}" in data and number != day]
    if not to:
        return rows.changed(list), _("Tick the days that should have the same hours first."), day
    days = ", ".join(str(Weekday(number).label) for number in to)
    told = _("%(day)s is copied to %(days)s. Save the week when it is right.")
    return (
        rows.changed(lambda answers: _copied(answers, day, to)),
        told % {"day": Weekday(day).label, "days": days},
        day,
    )


def edited_hours(
    rows: Intervals[ExceptionHoursForm], data: QueryDict
) -> tuple[Intervals[ExceptionHoursForm], str]:
    """The same for the hours of an exception."""
    if "take_away" in data:
        return _without(rows, data.get("take_away")), _("Taken away.")
    return _one_more(rows, lambda answers: {}), _("Added.")


def _without(rows: Intervals[Row], prefix: str | None) -> Intervals[Row]:
    left: Intervals[Row] = Intervals(rows.row_class, [row for row in rows.rows if row.prefix != prefix])
    return left.changed(list)


def _one_more(rows: Intervals[Row], proposed: Callable[[list[Answers]], Answers]) -> Intervals[Row]:
    """With another row, in which to go on typing."""
    longer = rows.changed(lambda answers: [*answers, proposed(answers)])
    longer.rows[-1].fields["begins"].widget.attrs["autofocus"] = True
    return longer


def _proposed(answers: list[Answers], day: int) -> Answers:
    """A first interval is proposed; of a further one only the place is known."""
    before = [answer for answer in answers if _weekday(answer["weekday"]) == day]
    if not before:
        return {"weekday": day, "begins": "09:00", "ends": "12:00"}
    return {"weekday": day, "place": before[-1]["place"]}


def _copied(answers: list[Answers], source: int, to: Sequence[int]) -> list[Answers]:
    kept = [answer for answer in answers if _weekday(answer["weekday"]) not in to]
    model = [answer for answer in answers if _weekday(answer["weekday"]) == source]
    return kept + [answer | {"weekday": day} for day in to for answer in model]


def _weekday(typed: Any) -> int | None:
    return int(typed) if str(typed) in {str(number) for number in Weekday.values} else None
