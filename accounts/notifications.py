"""The one way to write to a person about their account."""

from typing import Any

from django.template import Context, Engine
from django.template.loader import render_to_string

from accounts.mailing import enqueue
from accounts.models import OutgoingMail, User
from accounts.reading import as_read_by
from dermaplatform.addresses import absolute


def notify(user: User, kind: str, **context: Any) -> OutgoingMail | None:
    """Put the mail `templates/email/<kind>/` to this person into the outbox, in the present transaction.

    It is written in the person's language and time zone, and says nothing clinical: a mail is a postcard.
    Values of `context` are plain; `name` and `site` are there. None for an account that is switched off.
    """
    if not user.is_active:
        return None
    values = {"name": user.name, "site": absolute("/"), **context}
    with as_read_by(user):
        return enqueue(
            kind=kind,
            recipient=user,
            address=user.email,
            subject=as_text(f"email/{kind}/subject.txt", values),
            text=as_text(f"email/{kind}/text.txt", values),
            html=render_to_string(f"email/{kind}/body.html", values),
        )


def as_text(template: str, values: dict[str, Any]) -> str:
    """A template as plain text: nothing is escaped, whatever its author forgot."""
    return Engine.get_default().get_template(template).render(Context(values, autoescape=False)).strip()
