"""Forms of a doctor's hours. They parse; what is right is decided by appointments.hours."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.validators import time_zones
from appointments.forms.intervals import DayField
from appointments.hours import Decision
from appointments.models import LENGTHS, ExceptionKind, Schedule


def _zones() -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in sorted(time_zones())]


def _lengths() -> list[tuple[int, str]]:
    return [(length, _("%(count)s minutes") % {"count": length}) for length in LENGTHS]


def _number(most: int, *, least: int = 0, **kwargs: Any) -> forms.IntegerField:
    wrong = format_lazy(_("Write a whole number from {least} to {most}."), least=least, most=most)
    return forms.IntegerField(
        min_value=least,
        max_value=most,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), wrong),
        **kwargs,
    )


class TermsForm(forms.Form):
    """What a doctor asks of every visit."""

    lengths = forms.TypedMultipleChoiceField(
        label=_("Lengths that patients can choose"),
        choices=_lengths,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages=dict.fromkeys(
            ("required", "invalid_choice", "invalid_list"), _("Choose at least one length from the list.")
        ),
    )
    buffer_before = _number(120, label=_("Free minutes before each visit"))
    buffer_after = _number(120, label=_("Free minutes after each visit"))
    visits_a_day = _number(
        100,
        least=1,
        label=_("Most visits a day"),
        required=False,
        help_text=_("When so many are booked, the day shows no free times any more."),
    )
    notice_hours = _number(
        24 * 30,
        label=_("Hours of notice"),
        help_text=_("Nobody books a visit that begins sooner than that."),
    )
    horizon_days = _number(
        365,
        least=1,
        label=_("Days that can be booked ahead"),
        help_text=_("Patients see your free times until then."),
    )
    release_hours = _number(
        24 * 14,
        label=_("Hours before which kept times open to everybody"),
        help_text=_(
            "Hours that you keep for urgent cases are shown to patients with an urgent result only, "
            "until so many hours before."
        ),
    )
    confirms_by_hand = forms.BooleanField(
        label=_("I confirm each visit by hand"),
        required=False,
        help_text=_(
            "A request that you do not answer within 24 hours ends by itself, and its time is free again."
        ),
    )
    cancel_hours = _number(
        24 * 14,
        label=_("Hours until which patients cancel freely"),
        help_text=_("Who cancels later than so many hours before may still do so, but it is marked as late."),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone of your hours"),
        choices=_zones,
        help_text=_("“Monday at 9” means 9 o'clock there, in summer and in winter."),
        error_messages={"invalid_choice": _("This time zone is not known. Choose one from the list.")},
    )

    @classmethod
    def answers_of(cls, schedule: Schedule) -> dict[str, Any]:
        return {name: getattr(schedule, name) for name in cls.base_fields}


class ExceptionForm(forms.Form):
    """Days that are other than usual."""

    kind = forms.ChoiceField(
        label=_("What is different?"),
        choices=ExceptionKind.choices,
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose what is different."),
            "invalid_choice": _("Choose what is different."),
        },
    )
    first_day = DayField(label=_("First day"))
    last_day = DayField(
        label=_("Last day"), required=False, help_text=_("Leave it empty if it is a single day.")
    )
    note = forms.CharField(
        label=_("Note for yourself"),
        max_length=200,
        required=False,
        help_text=_("Patients never see it."),
    )

    def answers(self) -> dict[str, Any]:
        """A day alone is first and last."""
        return self.cleaned_data | {
            "last_day": self.cleaned_data["last_day"] or self.cleaned_data["first_day"]
        }

    def refuse(self, refusal: ValidationError, sentences: list[str]) -> None:
        """Put what the service refuses, and no row of hours has shown, to its field or above all."""
        if hasattr(refusal, "error_dict"):
            self.add_error(None, refusal)
        elif sentences:
            self.add_error(None, ValidationError(sentences))


class DecisionForm(forms.Form):
    """What becomes of the visits that a change leaves outside of the hours; see hours.Decision."""

    reason = forms.CharField(
        label=_("Why you cancel"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The patients of the cancelled visits read it."),
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.seen = _ids(data, "seen")
        self.cancelled = self.seen if data and data.get("cancel_all") else _ids(data, "cancel")

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if self.cancelled and not reason.strip():
            raise ValidationError(_("Say why: the patients read it."), code="reason")
        return reason

    def decision(self) -> Decision:
        return Decision(
            keep=self.seen - self.cancelled, cancel=self.cancelled, reason=self.cleaned_data["reason"]
        )


def _ids(data: QueryDict | None, name: str) -> frozenset[UUID]:
    found = set()
    for text in data.getlist(name) if data else ():
        with suppress(ValueError):
            found.add(UUID(text))
    return frozenset(found)


class PreviewForm(forms.Form):
    """For which length, and from which day on, the free times are looked at."""

    length = forms.TypedChoiceField(label=_("Length of the visit"), coerce=int, required=False)
    since = forms.DateField(input_formats=["%Y-%m-%d"], required=False)

    def __init__(self, data: QueryDict, *, lengths: Sequence[int]) -> None:
        super().__init__(data)
        choices = [(length, words) for length, words in _lengths() if length in lengths]
        self.fields["length"].choices = choices  # type: ignore[attr-defined]

    def answers(self) -> dict[str, Any]:
        """What was understood of the address; the rest is as if nothing had been asked."""
        self.is_valid()
        return {name: self.cleaned_data.get(name) or None for name in self.fields}
