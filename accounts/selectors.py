"""What others may ask about accounts."""

from accounts.models import Consent, ConsentKind, User

# The version of each consent text in templates/accounts/consent_*.html; a new number asks everybody again.
CONSENT_VERSIONS = {ConsentKind.CARE: 1}


def has_consent(user: User, kind: ConsentKind) -> bool:
    """Whether the present version of this text is agreed to."""
    return Consent.objects.filter(
        user=user, kind=kind, version=CONSENT_VERSIONS[kind], withdrawn_at=None
    ).exists()
