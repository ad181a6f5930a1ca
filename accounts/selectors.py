"""What others may ask about accounts."""

from accounts.models import Consent, ConsentKind, DoctorApplication, User

# The version of each consent text in templates/accounts/consents/; a new number asks everybody again.
CONSENT_VERSIONS = {ConsentKind.CARE: 1, ConsentKind.RESEARCH: 1}


def has_consent(user: User, kind: ConsentKind) -> bool:
    """Whether the present version of this text is agreed to."""
    return Consent.objects.filter(
        user=user, kind=kind, version=CONSENT_VERSIONS[kind], withdrawn_at=None
    ).exists()


def is_verified_doctor(user: User) -> bool:
    """Whether this is a doctor whose licence was verified and has not run out."""
    return (
        user.is_active
        and user.is_doctor
        and DoctorApplication.objects.in_force().filter(doctor=user).exists()
    )
