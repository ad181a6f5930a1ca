"""Sessions of doctors and administrators end when nobody has used them for a while."""

import time

from allauth.headless.tokens.strategies.sessions import SessionTokenStrategy
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from accounts.models import User

_SEEN_AT = "seen_at"
# A session is written at most this often, in seconds; an hour of work costs 120 small writes.
_GRAIN = 30


def is_watched(user: object) -> bool:
    return settings.DERMA_IDLE_MINUTES > 0 and isinstance(user, User) and not user.is_patient


def is_idle(session: SessionBase) -> bool:
    """Whether a watched session was last used too long ago."""
    seen_at = session.get(_SEEN_AT)
    limit = settings.DERMA_IDLE_MINUTES * 60
    return seen_at is not None and 0 < limit < time.time() - seen_at


def note_use(session: SessionBase) -> None:
    if time.time() - session.get(_SEEN_AT, 0) >= _GRAIN:
        session[_SEEN_AT] = time.time()


class IdleTokenStrategy(SessionTokenStrategy):  # type: ignore[misc]
    """Session tokens of apps, on which the same rule falls as on browsers."""

    def lookup_session(self, session_token: str) -> SessionBase | None:
        session: SessionBase | None = super().lookup_session(session_token)
        if session is not None and is_idle(session):
            session.flush()
            return None
        return session
