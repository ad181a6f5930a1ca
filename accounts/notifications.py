"""The one way to write to a person about their account."""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from django.template import Context, Engine
from django.template.loader import render_to_string

from accounts import notices
from accounts.mailing import enqueue
from accounts.models import OutgoingMail, User
from accounts.notices import Way
from accounts.reading import as_read_by
from dermaplatform.addresses import absolute

# Values that name somebody else: a mail is blanked when it is gone, a notice stays in a list.
_NOT_KEPT = frozenset({"link", "doctor"})


def notify(
    user: User, kind: str, *, calendar: str = "", by: Collection[Way] | None = None, **context: Any
) -> OutgoingMail | None:
    """Tell this person something, by the ways that they chose (or `by` these), in the present transaction.

    The mail `templates/email/<kind>/` goes into the outbox, written in the person's language and time zone;
    the notice waits on the pages and leads to `link`. Both say nothing clinical: a mail is a postcard. Values
    of `context` are plain; `name`, `site` and `zone` are there. `calendar` is attached to the mail. None
    without a mail; nothing at all for an account that is switched off.
    """
    if not user.is_active:
        return None
    chosen = notices.ways(user, kind) if by is None else by
    if Way.IN_APP in chosen:
        kept = {name: value for name, value in context.items() if name not in _NOT_KEPT}
        notices.put(user, kind, _path_of(context.get("link", "")), kept)
    if Way.EMAIL not in chosen:
        return None
    values = {"name": user.name, "site": absolute("/"), "zone": user.zone, **context}
    with as_read_by(user):
        return enqueue(
            kind=kind,
            recipient=user,
            address=user.email,
            subject=as_text(f"email/{kind}/subject.txt", values),
            text=as_text(f"email/{kind}/text.txt", values),
            html=render_to_string(f"email/{kind}/body.html", values),
            calendar=calendar,
        )


def _path_of(link: str) -> str:
    """The page of a link of ours, without the site it stands on."""
    parts = urlsplit(link)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def as_text(template: str, values: dict[str, Any]) -> str:
    """A template as plain text: nothing is escaped, whatever its author forgot."""
    return Engine.get_default().get_template(template).render(Context(values, autoescape=False)).strip()
