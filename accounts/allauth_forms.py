"""allauth's forms in the words and the spelling of our pages."""

from typing import Any

from allauth.account import forms
from django.utils.translation import gettext_lazy as _

_LABELS = {
    "remember": _("Stay signed in on this device"),
    "oldpassword": _("Current password"),
    "password1": _("New password"),
    "password2": _("New password again"),
}


class _OwnWords:
    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in _LABELS.items():
            if name in self.fields:
                self.fields[name].label = label


class LoginForm(_OwnWords, forms.LoginForm):  # type: ignore[misc]
    pass


class ChangePasswordForm(_OwnWords, forms.ChangePasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordKeyForm(_OwnWords, forms.ResetPasswordKeyForm):  # type: ignore[misc]
    pass
