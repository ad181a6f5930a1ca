"""What doctors say about urgent results, and what people choose for their calendars."""

from django import forms
from django.utils.translation import gettext_lazy as _

from appointments.follow_up import LONGEST_WORD


class WordForm(forms.Form):
    word = forms.CharField(
        label=_("Why it needs no visit"),
        max_length=LONGEST_WORD,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For example: seen in my practice on Monday. It stays with the result."),
        error_messages={
            "required": _("Say why it needs no visit."),
            "max_length": _("Write at most %(limit_value)d characters."),
        },
    )


class FeedForm(forms.Form):
    """`with_names` is offered to doctors alone: it is about their patients."""

    with_names = forms.BooleanField(
        label=_("With the names of patients"),
        required=False,
        help_text=_("Then everybody who can read your calendar reads the names, and so does its provider."),
    )
