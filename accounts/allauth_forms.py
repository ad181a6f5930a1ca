"""allauth's forms in the words and the spelling of our pages."""

from typing import Any

from allauth.account import forms
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import DoctorProfile, Role, User

_LABELS = {
    "remember": _("Stay signed in on this device"),
    "oldpassword": _("Current password"),
    "password1": _("New password"),
    "password2": _("New password again"),
    "code": _("Code from the app, or a recovery code"),
    "passwordless": _("Sign in with this passkey alone, without a password"),
    "name": _("Name of the passkey"),
}
_HELP = {
    "passwordless": _("Your device then asks for your finger, your face or its PIN."),
    "name": _("So that you know it among others, such as “My phone”."),
}


class _OwnWords:
    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label = _LABELS.get(name, field.label)
            field.help_text = _HELP.get(name, field.help_text)


class LoginForm(_OwnWords, forms.LoginForm):  # type: ignore[misc]
    pass


class ChangePasswordForm(_OwnWords, forms.ChangePasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordKeyForm(_OwnWords, forms.ResetPasswordKeyForm):  # type: ignore[misc]
    pass


class CodeForm(_OwnWords, AuthenticateForm):  # type: ignore[misc]
    pass


class CodeAgainForm(_OwnWords, ReauthenticateForm):  # type: ignore[misc]
    pass


class ActivateAppForm(ActivateTOTPForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("Code that the app shows")
        self.fields["code"].widget.attrs["inputmode"] = "numeric"


class AddPasskeyForm(_OwnWords, AddWebAuthnForm):  # type: ignore[misc]
    pass


class EditPasskeyForm(_OwnWords, EditWebAuthnForm):  # type: ignore[misc]
    pass


class DoctorSignupForm(forms.SignupForm):  # type: ignore[misc]
    """Sign-up of somebody who says that they are a doctor. What that opens is decided by verification."""

    def custom_signup(self, request: HttpRequest, user: User) -> None:
        super().custom_signup(request, user)
        user.role = Role.DOCTOR
        user.save(update_fields=["role"])
        DoctorProfile.objects.get_or_create(user=user)
