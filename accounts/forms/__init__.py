"""Forms about people, one module a subject."""

from accounts.forms.consents import ConsentForm
from accounts.forms.signup import SignupForm

__all__ = ["ConsentForm", "SignupForm"]
