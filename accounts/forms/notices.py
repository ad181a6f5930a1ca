"""How a person wants to be told things."""

from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import NoticeGroup
from accounts.notices import Way

WAYS = ((Way.EMAIL, _("By email")), (Way.IN_APP, _("In Derma, at the bell")))


class ChoicesForm(forms.Form):
    """The ways for each group; none ticked: not at all."""

    def __init__(self, *args: Any, choices: Mapping[NoticeGroup, Collection[Way]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for group, ways in choices.items():
            self.fields[group.value] = forms.MultipleChoiceField(
                label=group.label,
                choices=WAYS,
                required=False,
                widget=forms.CheckboxSelectMultiple,
                initial=[way.value for way in ways],
                error_messages={"invalid_choice": _("There is no such way. Choose from the list.")},
            )
