"""Forms of the directory, and of doctors about themselves."""

import datetime
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import documents, geography
from accounts.countries import country_choices
from accounts.directory import IN_PERSON, VIDEO, Search
from accounts.models import DoctorApplication, DoctorProfile, Speciality
from accounts.practice import Practice
from accounts.spoken import language_choices
from accounts.validators import licence_day, validate_not_expired
from accounts.verification import Licence

EARLIEST = "earliest"
_DOCUMENTS = "application/pdf,image/jpeg,image/png"
_PHOTOS = "image/jpeg,image/png"
_CHOOSE_AGAIN = _("Choose this file again: a browser does not keep it.")


def _any(choices: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [("", _("Any")), *choices]


class DegreesField(forms.CharField):
    """Degrees as people type them, with a point or a comma."""

    def __init__(self, *, limit: int, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            max_length=40,
            widget=forms.TextInput(attrs={"inputmode": "text", "autocomplete": "off", "size": "10"}),
            **kwargs,
        )
        self.limit = limit

    def clean(self, value: Any) -> Decimal | None:
        text = super().clean(value)
        return geography.read_degrees(text, self.limit) if text else None


def _degrees_fields() -> tuple[DegreesField, DegreesField]:
    return (
        DegreesField(label=_("Latitude"), limit=geography.LATITUDE_LIMIT),
        DegreesField(label=_("Longitude"), limit=geography.LONGITUDE_LIMIT),
    )


class _WithPlace(forms.Form):
    """Both coordinates or neither, said at the one that is missing."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for missing, given in (("latitude", "longitude"), ("longitude", "latitude")):
            if (
                cleaned.get(given) is not None
                and cleaned.get(missing) is None
                and not self.has_error(missing)
            ):
                self.add_error(missing, geography.BOTH_OR_NEITHER)
        return cleaned


class SearchForm(_WithPlace):
    """What to look for in the directory; it is read from the address, so a search can be kept and shared."""

    name = forms.CharField(label=_("Name"), max_length=100, required=False)
    speciality = forms.ChoiceField(
        label=_("Speciality"), choices=lambda: _any(Speciality.choices), required=False
    )
    language = forms.ChoiceField(
        label=_("Language"), choices=lambda: _any(language_choices()), required=False
    )
    way = forms.ChoiceField(
        label=_("How"),
        choices=lambda: _any([(VIDEO, _("By video")), (IN_PERSON, _("In person"))]),
        required=False,
    )
    latitude, longitude = _degrees_fields()
    # Only for who comes with an urgent result; without a place it is the order anyhow.
    order = forms.CharField(required=False, widget=forms.HiddenInput)

    @property
    def wants_earliest(self) -> bool:
        return self.cleaned_data.get("order") == EARLIEST

    @property
    def near(self) -> geography.Position | None:
        latitude, longitude = self.cleaned_data.get("latitude"), self.cleaned_data.get("longitude")
        if latitude is None or longitude is None:
            return None
        return geography.Position.near(latitude, longitude)

    def search(self) -> Search:
        """What was understood; a field with an error does not narrow."""
        plain = {name: self.cleaned_data.get(name, "") for name in ("name", "speciality", "language", "way")}
        return Search(**plain, near=self.near)

    @property
    def place_is_exact(self) -> bool:
        """Whether the address of the page says more precisely than we keep where somebody is."""
        place = self.near
        return place is not None and (
            (self.data["latitude"], self.data["longitude"]) != (str(place.latitude), str(place.longitude))
        )


class _DocumentField(forms.FileField):
    """A document as it was recognised by its content."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.FileInput(attrs={"accept": _DOCUMENTS})
        super().__init__(
            label=_("Document"),
            help_text=_("A PDF, JPEG or PNG of up to 10 MB that shows your name, the number and the date."),
            allow_empty_file=True,
            widget=widget,
            **kwargs,
        )

    def clean(self, data: Any, initial: Any = None) -> documents.ReceivedDocument | None:
        upload = super().clean(data, initial)
        if not upload:
            return None
        try:
            return documents.examine_document(upload)
        except documents.FileRefused as refusal:
            raise ValidationError(refusal.sentence, code=refusal.code) from refusal


class LicenceForm(forms.Form):
    """A licence as a doctor hands it in."""

    licence_number = forms.CharField(
        label=_("Licence number"),
        max_length=50,
        help_text=_("As it stands on the document."),
        error_messages={"required": _("Write the number of your licence.")},
    )
    licence_authority = forms.CharField(
        label=_("Issuing authority"),
        max_length=150,
        help_text=_("The chamber, council or office that gave it to you."),
        error_messages={"required": _("Write who gave you the licence.")},
    )
    licence_country = forms.ChoiceField(
        label=_("Country"),
        choices=lambda: [("", _("Choose a country")), *country_choices()],
        error_messages={"required": _("Choose the country of the authority.")},
    )
    licence_expires_on = forms.DateField(
        label=_("Valid until"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "required": _("Write the last day on which the licence is valid."),
            "invalid": _("Write the date as year-month-day, such as 2030-12-31."),
        },
    )
    document = _DocumentField(
        error_messages={"required": _("Choose the file with your licence.")},
    )

    def clean_licence_expires_on(self) -> datetime.date:
        date: datetime.date = self.cleaned_data["licence_expires_on"]
        validate_not_expired(date)
        return date

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors and cleaned.get("document"):
            self.add_error("document", _CHOOSE_AGAIN)
        return cleaned

    def licence(self) -> Licence:
        return Licence(
            number=self.cleaned_data["licence_number"],
            authority=self.cleaned_data["licence_authority"],
            country=self.cleaned_data["licence_country"],
            expires_on=self.cleaned_data["licence_expires_on"],
        )

    @classmethod
    def answers_of(cls, application: DoctorApplication | None) -> dict[str, Any]:
        """What is known already and need not be typed again."""
        names = ("licence_number", "licence_authority", "licence_country", "licence_expires_on")
        if application is None:
            return {}
        answers = {name: getattr(application, name) for name in names}
        if application.licence_expires_on < licence_day() or application.decided_at:
            del answers["licence_expires_on"]  # another licence has another date
        return answers


class AnswerForm(LicenceForm):
    """What administrators asked for: words, corrections, another document."""

    message = forms.CharField(
        label=_("Your answer"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 5}),
        error_messages={"required": _("Write a sentence for the person who reads it.")},
    )
    document = _DocumentField(required=False)
    field_order = ("message",)


class PracticeForm(_WithPlace):
    """What a doctor shows to the public."""

    title = forms.CharField(label=_("Title"), max_length=50, required=False, help_text=_("As in “Dr. med.”"))
    photo = forms.FileField(
        label=_("Photo"),
        required=False,
        allow_empty_file=True,
        help_text=_("A JPEG or PNG of you. Its middle is shown as a square."),
        widget=forms.FileInput(attrs={"accept": _PHOTOS}),
    )
    without_photo = forms.BooleanField(label=_("Show no photo"), required=False)
    specialities = forms.MultipleChoiceField(
        label=_("Specialities"),
        choices=Speciality.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    languages = forms.MultipleChoiceField(
        label=_("Languages that you speak with patients"),
        choices=language_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    accepts_in_person = forms.BooleanField(label=_("I see patients in my practice"), required=False)
    accepts_video = forms.BooleanField(label=_("I see patients by video"), required=False)
    clinic_name = forms.CharField(label=_("Name of the practice"), max_length=150, required=False)
    clinic_address = forms.CharField(
        label=_("Address"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    latitude, longitude = _degrees_fields()
    fee = forms.CharField(
        label=_("Fee"), max_length=200, required=False, help_text=_("In words: “80 CHF for a visit”.")
    )
    biography = forms.CharField(
        label=_("About you"), max_length=3000, required=False, widget=forms.Textarea(attrs={"rows": 8})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = set(self["languages"].value() or [])
        # What is chosen already stands at the top of a long list.
        languages = cast(forms.MultipleChoiceField, self.fields["languages"])
        languages.choices = sorted(language_choices(), key=lambda row: row[0] not in chosen)

    @classmethod
    def answers_of(cls, profile: DoctorProfile) -> dict[str, Any]:
        plain = {name: getattr(profile, name) for name in cls.base_fields if hasattr(profile, name)}
        for name in ("latitude", "longitude"):
            if plain[name] is not None:
                plain[name] = f"{plain[name].normalize():f}"
        return plain | {
            "photo": None,
            "specialities": [row.code for row in profile.specialities.all()],
            "languages": [row.code for row in profile.languages.all()],
        }

    def clean_photo(self) -> bytes | None:
        upload = self.cleaned_data["photo"]
        if not upload:
            return None
        try:
            return documents.examine_photo(upload)
        except documents.FileRefused as refusal:
            raise ValidationError(refusal.sentence, code=refusal.code) from refusal

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.errors and cleaned.get("photo"):
            self.add_error("photo", _CHOOSE_AGAIN)
        return cleaned

    def practice(self) -> Practice:
        answers = dict(self.cleaned_data)
        if answers.pop("without_photo") and answers["photo"] is None:
            answers["photo"] = b""
        for name in ("latitude", "longitude"):
            if answers[name] is not None:
                answers[name] = round(answers[name], 6)
        return Practice(**answers)
