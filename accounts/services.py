"""Everything that changes an account."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Consent, ConsentKind, User
from accounts.selectors import CONSENT_VERSIONS


def give_consent(*, user: User, kind: ConsentKind) -> Consent:
    """Record that `user` agrees to the present text. Giving the same consent twice changes nothing."""
    version = CONSENT_VERSIONS[kind]
    with transaction.atomic():
        in_force = Consent.objects.select_for_update().filter(user=user, kind=kind, withdrawn_at=None).first()
        if in_force and in_force.version == version:
            return in_force
        if in_force:
            in_force.withdrawn_at = timezone.now()
            in_force.save(update_fields=["withdrawn_at"])
        try:
            with transaction.atomic():
                return Consent.objects.create(user=user, kind=kind, version=version)
        except IntegrityError:  # the same click twice, at the same time
            return Consent.objects.get(user=user, kind=kind, withdrawn_at=None)
