"""Writing for somebody who does not look right now: mails, and copies made by a worker."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils import timezone, translation

from accounts.models import User


@contextmanager
def as_read_by(user: User) -> Iterator[None]:
    """Texts in this person's language, times in their zone."""
    with translation.override(user.language or settings.LANGUAGE_CODE), timezone.override(user.zone):
        yield
