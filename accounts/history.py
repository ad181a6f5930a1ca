"""Saving a row whose versions are kept, together with who changed it and why."""

from typing import Any

from django.db.models import Model

from accounts.models import User

_LONGEST = 100  # characters that a version has for its reason


def save_version(instance: Model, *, by: User | None, why: str, **options: Any) -> None:
    """Save `instance`; its new version names `by` (None: nobody, as by the clockwork) and `why`."""
    setattr(instance, "_history_user", by)  # noqa: B010  (django-simple-history reads both, untyped)
    setattr(instance, "_change_reason", why[:_LONGEST])  # noqa: B010
    instance.save(**options)
