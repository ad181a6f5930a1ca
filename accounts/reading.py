"""Writing for one person: mails, copies made by a worker, and what an app reads."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils import timezone, translation

from accounts.models import User


@contextmanager
def as_read_by(user: User) -> Iterator[None]:
    """Texts in this person's language, times in their zone; they do not look right now."""
    with translation.override(user.language or settings.LANGUAGE_CODE), timezone.override(user.zone):
        yield


@contextmanager
def as_seen_by(user: User) -> Iterator[None]:
    """The same while they look: without a language of their own, the one that they ask for stays."""
    with translation.override(user.language or translation.get_language()), timezone.override(user.zone):
        yield
