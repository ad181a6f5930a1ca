"""Forms of people who choose, book, move and cancel visits."""

import datetime
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.registries import Shareable
from appointments.picking import Wanted

_REASON_LIMIT = 1000
CARRIED = ("analysis", "follows")


class WantedForm(forms.Form):
    """What the address asks to see; what cannot be read is as if it were not there."""

    length = forms.IntegerField(required=False)
    month = forms.DateField(required=False, input_formats=["%Y-%m"])
    day = forms.DateField(required=False, input_formats=["%Y-%m-%d"])
    analysis = forms.UUIDField(required=False)
    follows = forms.UUIDField(required=False)

    def wanted(self) -> Wanted:
        self.full_clean()
        seen = self.cleaned_data
        carried = {name: str(seen[name]) for name in CARRIED if seen.get(name)}
        return Wanted(seen.get("length"), seen.get("month"), seen.get("day"), carried)


class ChooseForm(WantedForm):
    """One time of those that are shown."""

    start = forms.DateTimeField(
        error_messages={
            "required": _("Choose one of the times."),
            "invalid": _("This time cannot be read. Choose one of those that are shown."),
        }
    )
    length = forms.IntegerField(error_messages={"required": _("Choose how long the visit is.")})

    def clean_start(self) -> datetime.datetime:
        """At the ends of the calendar not every zone has a day to show."""
        start: datetime.datetime = self.cleaned_data["start"]
        if not 2000 <= start.year <= 2200:
            raise forms.ValidationError(
                _("This time is too far away. Choose one of those that are shown."), code="too_far"
            )
        return start


class BookForm(forms.Form):
    """What the doctor should know beforehand."""

    reason = forms.CharField(
        label=_("Why you come"),
        required=False,
        max_length=_REASON_LIMIT,
        help_text=_("In your own words: what you have noticed, and since when. Only the doctor reads it."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    analyses = forms.TypedMultipleChoiceField(
        label=_("Results to look at together"),
        required=False,
        coerce=UUID,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("Some of these analyses are not yours.")},
    )
    # A time to hold instead, and whether to look for another one.
    start = forms.DateTimeField(required=False)
    another = forms.BooleanField(required=False)

    def __init__(self, *args: Any, things: Iterable[Shareable], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.things = list(things)
        self.fields["analyses"].choices = [(str(thing.item), thing.title) for thing in self.things]  # type: ignore[attr-defined]

    @property
    def chosen(self) -> set[str]:
        """What is ticked, when the page is shown again as well."""
        return {str(item) for item in self["analyses"].value() or []}

    def draft(self) -> dict[str, Any]:
        """What was written, as plain values."""
        return {"reason": self.cleaned_data.get("reason", ""), "analyses": sorted(self.chosen)}


class CancelForm(forms.Form):
    """Why: a doctor says it, a patient may."""

    reason = forms.CharField(
        label=_("Why you cancel"), max_length=_REASON_LIMIT, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, is_doctor: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = is_doctor
        self.fields["reason"].help_text = (
            _("The patient reads this.") if is_doctor else _("The doctor reads this.")
        )
        self.fields["reason"].error_messages["required"] = _("Say why: the patient reads it.")
