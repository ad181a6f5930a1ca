from allauth.account.views import SignupView

from accounts.allauth_forms import DoctorSignupForm


class DoctorSignupView(SignupView):  # type: ignore[misc]
    """Apply as a doctor. The role is a matter of this address, never of what is sent to it."""

    template_name = "account/signup_doctor.html"
    form_class = DoctorSignupForm


doctor_signup = DoctorSignupView.as_view()
