from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import User


class EraseForm(forms.Form):
    """The last step before everything goes: that it is meant, and that it is really this person."""

    understood = forms.BooleanField(
        label=_("I understand that this cannot be undone"),
        error_messages={"required": _("Tick this box if you want to go on. Nothing was erased.")},
    )
    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        error_messages={"required": _("Write your password. Nothing was erased.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not get_adapter().reauthenticate(self.user, password):
            raise ValidationError(_("This is not your password. Nothing was erased."), code="incorrect")
        return password
