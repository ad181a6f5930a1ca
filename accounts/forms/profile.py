from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import geography
from accounts.forms.doctors import DegreesField
from accounts.models import PatientProfile, User
from accounts.profiles import ANSWERS, NAME_IS_CHECKED, name_is_checked, patient_profile
from accounts.validators import OLDEST, time_zones


class DateInput(forms.DateInput):
    """The browser's own calendar, which knows no date after today."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        days = {"min": OLDEST.isoformat(), "max": timezone.localdate().isoformat()}
        return super().get_context(name, value, {**(attrs or {}), **days})


class NameForm(forms.Form):
    """What everybody says about themselves."""

    name = forms.CharField(
        label=_("Your name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data, initial={"name": user.name})
        if name_is_checked(user):
            self.fields["name"].disabled = True
            self.fields["name"].help_text = NAME_IS_CHECKED


class PatientForm(forms.ModelForm):  # type: ignore[type-arg]
    """The name, and what a doctor should know. Only the name is asked for; the rest can wait."""

    name = NameForm.base_fields["name"]
    latitude = DegreesField(limit=geography.LATITUDE_LIMIT, label=_("Latitude"))
    longitude = DegreesField(limit=geography.LONGITUDE_LIMIT, label=_("Longitude"))

    class Meta:
        model = PatientProfile
        fields = ANSWERS
        widgets = {
            "date_of_birth": DateInput,
            "allergies": forms.Textarea(attrs={"rows": 3}),
            "medication": forms.Textarea(attrs={"rows": 3}),
            "skin_cancer_history": forms.Textarea(attrs={"rows": 3}),
            "place": forms.TextInput(attrs={"autocomplete": "address-level2"}),
        }
        help_texts = {
            "sex": _("Some changes of the skin are more frequent in one sex."),
            "skin_type": _("How your skin takes the sun, without a tan from a studio or a bottle."),
            "allergies": _("Above all to medicines, plasters and anaesthetics."),
            "medication": _("What you take regularly; blood thinners matter before a small operation."),
            "skin_cancer_history": _(
                "Of yourself, your parents, brothers and sisters. When, where, and what."
            ),
            "place": _("Town or postcode, as you would say it to a doctor."),
        }

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data, instance=patient_profile(user), initial={"name": user.name})
        for name in ("sex", "skin_type"):
            self.fields[name].choices = [  # type: ignore[attr-defined]
                ("", _("Not said")),
                *[choice for choice in self.fields[name].choices if choice[0]],  # type: ignore[attr-defined]
            ]


def _zone_choices() -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in sorted(time_zones())]


class LanguageForm(forms.ModelForm):  # type: ignore[type-arg]
    """In which language and in which time somebody reads the pages."""

    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=lambda: [("", _("As the browser asks for")), *settings.LANGUAGES],
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=_zone_choices,
        help_text=_("Times on the pages and in mails are those of this place."),
        error_messages={"invalid_choice": _("This time zone is not known. Choose one from the list.")},
    )

    class Meta:
        model = User
        fields = ("language", "time_zone")
