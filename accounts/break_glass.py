"""Opening a patient's record in an emergency: for a reason, for a short time, and never in secret."""

from datetime import timedelta

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import BreakGlass, User
from accounts.models.relations import LONGEST_BREAK
from accounts.notifications import notify
from dermaplatform.addresses import absolute

log = structlog.get_logger(__name__)

SHORTEST_REASON = 10  # characters


def longest_minutes() -> int:
    """For how long an administrator may open a record at most."""
    wanted: int = settings.DERMA_BREAK_GLASS_MINUTES
    return min(wanted, int(LONGEST_BREAK.total_seconds() // 60))


def break_glass(*, admin: User, patient: User, reason: str, minutes: int) -> BreakGlass:
    """Open a patient's record to an administrator, and tell the patient. Raises ValidationError."""
    if not (admin.is_admin and admin.is_active):
        raise PermissionDenied
    if not patient.is_patient:
        raise ValidationError({"patient": _("Only a patient has a record to open.")})
    reason = reason.strip()
    if len(reason) < SHORTEST_REASON:
        raise ValidationError({"reason": _("Say in a sentence why. The patient will read it.")})
    if not 1 <= minutes <= longest_minutes():
        limit = _("Choose between 1 and %(most)s minutes.") % {"most": longest_minutes()}
        raise ValidationError({"minutes": limit})
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=admin.pk)  # two clicks at once
        if BreakGlass.objects.in_force().filter(admin=admin, patient=patient).exists():
            raise ValidationError({"patient": _("This record is open to you already.")})
        now = timezone.now()
        glass = BreakGlass(
            admin=admin, patient=patient, reason=reason, opened_at=now, until=now + timedelta(minutes=minutes)
        )
        glass.full_clean()
        glass.save()
        notify(patient, "record_opened_in_emergency", link=absolute("/settings/accesses/"))
    log.warning("glass_broken", break_glass=str(glass.public_id), admin=str(admin.public_id))
    return glass


def close_glass(*, glass: BreakGlass) -> bool:
    """End it early; False if it has ended already."""
    closed = BreakGlass.objects.in_force().filter(pk=glass.pk).update(closed_at=timezone.now())
    if closed:
        log.warning("glass_closed", break_glass=str(glass.public_id))
    return bool(closed)


def glass_of(admin: User, patient: User) -> BreakGlass | None:
    """What opens this patient's record to this administrator now."""
    if not admin.is_admin:
        return None
    return BreakGlass.objects.in_force().filter(admin=admin, patient=patient).order_by("-until").first()
