from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.forms.profile import DateInput
from accounts.models import ConsentKind, PatientProfile, Sex
from accounts.selectors import CONSENT_VERSIONS
from accounts.validators import validate_birth_date
from diagnosis import wording

# Questions of the profile that help with a picture.
ABOUT_PATIENT = ("date_of_birth", "sex")
ACCEPT = "image/jpeg,image/png,image/webp,image/heic,image/heif"


class NewAnalysisForm(forms.Form):
    """A picture from gallery or camera, two questions, and what is missing: consent, age and sex."""

    image = forms.FileField(
        label=_("Choose a picture"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ACCEPT}),
    )
    camera = forms.FileField(
        label=_("Take a picture"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": "image/*", "capture": "environment"}),
    )
    image_type = forms.ChoiceField(
        label=_("How was the picture taken?"),
        choices=wording.image_type_choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one of the two.")},
    )
    body_site = forms.ChoiceField(
        label=_("Where on the body is the spot?"),
        choices=lambda: [("", _("Choose a place")), *wording.body_site_choices()],
        error_messages={"required": _("Choose the place; “Not sure, or elsewhere” is an answer too.")},
    )
    consent = forms.BooleanField(
        label=_("I agree that my pictures are stored, examined by a computer and reviewed by doctors."),
        error_messages={"required": _("Without your consent we may not look at the picture.")},
    )
    # Of the text on the page; a page that stood open for long may show an old one.
    version = forms.IntegerField(
        widget=forms.HiddenInput, required=False, initial=lambda: CONSENT_VERSIONS[ConsentKind.CARE]
    )

    date_of_birth = forms.DateField(
        label=_("Date of birth"), required=False, widget=DateInput, validators=[validate_birth_date]
    )
    sex = forms.ChoiceField(
        label=_("Sex at birth"), required=False, choices=[("", _("Not said")), *Sex.choices]
    )

    def __init__(
        self, *args: Any, asks_consent: bool, profile: PatientProfile | None = None, **kwargs: Any
    ) -> None:
        """`profile` is what the patient has said before: nothing is asked twice."""
        super().__init__(*args, **kwargs)
        if not asks_consent:
            del self.fields["consent"], self.fields["version"]
        for name in ABOUT_PATIENT:
            if profile is None or getattr(profile, name):
                del self.fields[name]

    @property
    def questions_about_patient(self) -> list[forms.BoundField]:
        return [self[name] for name in ABOUT_PATIENT if name in self.fields]

    @property
    def about_patient(self) -> dict[str, Any]:
        """What the patient has now said about themselves; what was left empty stays open."""
        return {name: self.cleaned_data[name] for name in ABOUT_PATIENT if self.cleaned_data.get(name)}

    def ask_consent_again(self, error: ValidationError) -> None:
        """Show the text that is in force now, which nobody has agreed to yet, and say why."""
        answers: dict[str, Any] = {name: value for name, value in self.data.items() if name != "consent"}
        self.data = answers | {"version": CONSENT_VERSIONS[ConsentKind.CARE]}
        self.add_error("consent", error)

    @property
    def max_bytes(self) -> int:
        size: int = settings.DERMA_MAX_UPLOAD_BYTES
        return size

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload = cleaned.get("image") or cleaned.get("camera")
        if upload is None and not self.has_error("image"):
            self.add_error("image", _("Choose a picture, or take one."))
        cleaned["upload"] = upload
        return cleaned
