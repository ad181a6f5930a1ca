"""The same request sent twice books once."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from appointments.booking.times import SlotTaken
from appointments.models import Appointment, IdempotencyKey

LONGEST_KEY = 200  # characters
REMEMBERED = timedelta(days=7)


def once(*, user: User, key: str, asked: Mapping[str, Any], make: Callable[[], Appointment]) -> Appointment:
    """What `make` makes, or what it made when this person sent the same `asked` under the same `key` before.

    `asked` is everything that the request asks for, as plain values. Without a key each request is new; what
    failed may be tried again. Raises what `make` raises, and ValidationError: idempotency_mismatch (the key
    was used for another request), idempotency_key (too long).
    """
    if not key:
        return make()
    if len(key) > LONGEST_KEY:
        raise ValidationError(
            _("A key has at most %(count)d characters."),
            code="idempotency_key",
            params={"count": LONGEST_KEY},
        )
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
    if made := _made(user, key, digest):
        return made
    try:
        with transaction.atomic():
            appointment = make()
            IdempotencyKey.objects.create(user=user, key=key, digest=digest, appointment=appointment)
    except (IntegrityError, SlotTaken, ValidationError):
        # The same request at the same moment: one of them was first, and the other made nothing.
        if made := _made(user, key, digest):
            return made
        raise
    return appointment


def _made(user: User, key: str, digest: str) -> Appointment | None:
    known = IdempotencyKey.objects.select_related("appointment").filter(user=user, key=key).first()
    if known is None:
        return None
    if known.digest != digest:
        raise ValidationError(
            _("This key was used for another request. Send a new one with a new key."),
            code="idempotency_mismatch",
        )
    return known.appointment


def forget_keys() -> int:
    """Delete keys that nobody sends any more; how many."""
    return IdempotencyKey.objects.filter(created_at__lt=timezone.now() - REMEMBERED).delete()[0]
