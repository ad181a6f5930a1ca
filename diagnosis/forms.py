from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from diagnosis import wording

ACCEPT = "image/jpeg,image/png,image/webp,image/heic,image/heif"


class NewAnalysisForm(forms.Form):
    """A picture from gallery or camera, two questions, and consent where it is not given yet."""

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

    def __init__(self, *args: Any, asks_consent: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asks_consent:
            del self.fields["consent"]

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
