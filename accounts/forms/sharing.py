"""Forms of patients about what they open to whom."""

import datetime
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Scope
from accounts.registries import Shareable
from accounts.relations import LONGEST_SHARE


class EndField(forms.DateField):
    """The last day of a share, as the moment in which it ends; empty: until it is stopped."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def __init__(self, **options: Any) -> None:
        super().__init__(
            label=_("Last day"),
            required=False,
            help_text=_("Leave it empty to share until you stop it."),
            error_messages={"invalid": _("Give the day as year, month and day, such as 2030-01-31.")},
            **options,
        )

    def clean(self, value: Any) -> Any:
        day = super().clean(value)
        if day is None:
            return None
        if day < timezone.localdate():
            raise forms.ValidationError(_("This day is over. Choose today or a later day."), code="past")
        if day >= timezone.localdate() + LONGEST_SHARE:
            raise forms.ValidationError(_("This day is too far away."), code="too_far")
        morning_after = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time.min)
        return timezone.make_aware(morning_after)


def last_day(until: datetime.datetime | None) -> datetime.date | None:
    """The last day of a share that ends then, in the present time zone."""
    return timezone.localtime(until - datetime.timedelta(microseconds=1)).date() if until else None


class FindForm(forms.Form):
    """By which name to look for somebody; read from the address."""

    name = forms.CharField(
        label=_("Name of the doctor"),
        max_length=150,
        required=False,
        widget=forms.SearchInput(attrs={"autocomplete": "off"}),
    )


class ShareForm(forms.Form):
    """What to share: everything, or some things by name; and until when."""

    scope = forms.ChoiceField(
        label=_("What the doctor may see"),
        choices=[
            (Scope.NAMED, _("Only the analyses that I choose")),
            (Scope.RECORD, _("My whole record: every analysis, later ones too, and my profile")),
        ],
        widget=forms.RadioSelect,
        initial=Scope.NAMED,
        error_messages={"required": _("Choose one of the two.")},
    )
    items = forms.TypedMultipleChoiceField(
        label=_("Analyses"), required=False, coerce=UUID, widget=forms.CheckboxSelectMultiple
    )
    until = EndField()

    def __init__(self, *args: Any, things: Iterable[Shareable], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.things = list(things)
        self.fields["items"].choices = [(str(thing.item), thing.title) for thing in self.things]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("scope") == Scope.NAMED and not cleaned.get("items") and not self.has_error("items"):
            self.add_error("items", _("Choose at least one analysis, or share the whole record."))
        return cleaned

    @property
    def chosen(self) -> set[str]:
        """What is ticked, when the page is shown again as well."""
        return {str(item) for item in self["items"].value() or []}


class EndForm(forms.Form):
    until = EndField()
