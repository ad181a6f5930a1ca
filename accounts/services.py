"""Everything that changes an account."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Consent, ConsentKind, User
from accounts.selectors import CONSENT_VERSIONS


def give_consent(*, user: User, kind: ConsentKind, version: int | None = None) -> Consent:
    """Record that `user` agrees to the present text. Giving the same consent twice changes nothing.

    `version` is that of the text that was read; ValidationError if another has taken its place since.
    """
    present = CONSENT_VERSIONS[kind]
    if version not in (None, present):
        raise ValidationError(
            _("The text has changed in the meantime. Please read the new one; nothing was recorded."),
            code="outdated",
        )
    with transaction.atomic():
        present_ones = Consent.objects.select_for_update(no_key=True).filter(withdrawn_at=None)
        in_force = present_ones.filter(user=user, kind=kind).first()
        if in_force and in_force.version == present:
            return in_force
        if in_force:
            in_force.withdrawn_at = timezone.now()
            in_force.save(update_fields=["withdrawn_at"])
        try:
            with transaction.atomic():
                return Consent.objects.create(user=user, kind=kind, version=present)
        except IntegrityError:  # the same click twice, at the same time
            return Consent.objects.get(user=user, kind=kind, withdrawn_at=None)


def withdraw_consent(*, user: User, kind: ConsentKind) -> bool:
    """End a consent, of whatever version; False if there is none. What was done with it before stays."""
    in_force = Consent.objects.filter(user=user, kind=kind, withdrawn_at=None)
    return bool(in_force.update(withdrawn_at=timezone.now()))
