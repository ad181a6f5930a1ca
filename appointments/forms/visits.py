"""Forms on the page of a visit."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from appointments.models import VisitNote
from appointments.notes import Words
from appointments.photos import LONGEST_WEEKS

_WORDS = ("diagnosis", "advice", "prescription", "follow_up_on", "private")


def _text(label: Any, *, rows: int = 4, length: int = 4000, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=length,
        widget=forms.Textarea(attrs={"rows": rows}),
        help_text=help_text,
    )


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label=_("Why"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("The patient reads it."),
        error_messages={"required": _("Say why: the patient reads it.")},
    )


class NoteForm(forms.Form):
    """What a doctor writes about a visit."""

    diagnosis = _text(_("Diagnosis"))
    advice = _text(_("Advice"))
    prescription = _text(_("Prescription"), rows=3)
    follow_up_on = forms.DateField(
        label=_("Next visit by"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": _("Give the day as year, month and day, such as 2030-01-31.")},
    )
    private = _text(_("For yourself"), rows=3, help_text=_("The patient never sees this."))
    # The last signed note that the doctor saw: the same form sent twice signs once.
    after = forms.CharField(required=False, max_length=36, widget=forms.HiddenInput)

    @staticmethod
    def words_of(note: VisitNote | None) -> dict[str, Any]:
        return {name: getattr(note, name) for name in _WORDS} if note else {}

    def words(self) -> Words:
        return Words(**{name: self.cleaned_data[name] for name in _WORDS})


class FileForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("A PDF, JPEG or PNG of up to 10 MB."),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": "application/pdf,image/jpeg,image/png"}),
        error_messages={"required": _("Choose a file first.")},
    )
    title = forms.CharField(
        label=_("What it is"),
        required=False,
        max_length=150,
        help_text=_("Empty: the name of the file."),
    )


class RatingForm(forms.Form):
    stars = forms.TypedChoiceField(
        label=_("Your rating"),
        coerce=int,
        choices=[
            ("5", _("5 stars: very good")),
            ("4", _("4 stars: good")),
            ("3", _("3 stars: all right")),
            ("2", _("2 stars: not good")),
            ("1", _("1 star: bad")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose between one and five stars.")},
    )
    comment = _text(_("Comment"), rows=3, length=1000, help_text=_("Your doctor reads it. Nobody else does."))


class PhotoForm(forms.Form):
    weeks = forms.IntegerField(
        label=_("In how many weeks"),
        min_value=1,
        max_value=LONGEST_WEEKS,
        initial=4,
        error_messages={
            "required": _("Choose between 1 and 52 weeks."),
            "invalid": _("Choose between 1 and 52 weeks."),
            "min_value": _("Choose between 1 and 52 weeks."),
            "max_value": _("Choose between 1 and 52 weeks."),
        },
    )
    note = forms.CharField(label=_("What to photograph"), required=False, max_length=300)
