"""Erasing a person: what goes, what the retention rule keeps, and what is left, which is nobody.

The row of the user stays, because clinical rows and the access log point at it, but without anything that
says who it was. Files are deleted after the commit; one that is missed then is swept away later.
"""

import re
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts import mailing, registries
from accounts.models import ErasureReceipt, OutgoingMail, Role, User
from accounts.notifications import as_text
from accounts.reading import as_read_by
from accounts.registries import Kept
from dermaplatform.addresses import absolute

log = structlog.get_logger(__name__)

_NOBODY = "erased.invalid"  # a domain that never exists (RFC 2606)


class ErasureRefused(Exception):
    """It cannot be done right now; `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass
class Preview:
    """What an erasure would do: what goes, by kind with its number; what is kept; why it cannot be now."""

    erased: dict[str, int] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)


def preview(person: User) -> Preview:
    found = Preview(obstacles=_obstacles(person))
    erased: Counter[str] = Counter()
    for erasure in registries.erasures:
        going, kept = erasure.preview(person)
        erased.update(going)
        found.kept += kept
    found.erased = {what: count for what, count in erased.items() if count}
    return found


def erase(*, person: User) -> ErasureReceipt:
    """Erase a person for good. Raises ErasureRefused, and then nothing has happened.

    Whoever calls this has asked for the password.
    """
    addresses = _addresses(person)
    sessions = _sessions_about(person, addresses)  # reading them all takes a while: nobody waits for that
    with transaction.atomic():
        _wait_for_others(person)
        if obstacles := _obstacles(person):
            raise ErasureRefused(" ".join(obstacles))
        erased: Counter[str] = Counter()
        kept: list[Kept] = []
        files: list[str] = []
        for erasure in reversed(registries.erasures):  # upper apps first: their rows hold on to ours
            going, staying, names = erasure.erase(person)
            erased.update(going)
            kept += staying
            files += names
        _erase_sign_in(person, addresses, sessions)
        _erase_admin_log(person)
        receipt = _write_receipt(erased, kept)
        _say_goodbye(person, receipt)
        _make_nobody(person)
        transaction.on_commit(lambda: delete_files(files))
    log.info("person_erased", receipt=str(receipt.public_id), files=len(files))
    return receipt


def erased_people() -> QuerySet[User]:
    """The rows that are left of people who were erased."""
    return User.objects.filter(email__endswith=f"@{_NOBODY}")


def erase_lapsed() -> None:
    """Erase what was kept of people who have gone, once its time is over."""
    for erase_of_app in registries.lapsed:
        with transaction.atomic():
            names = erase_of_app()
            transaction.on_commit(lambda names=names: delete_files(names))  # type: ignore[misc]


def delete_files(names: Iterable[str]) -> None:
    """Delete files of the media folder; one that cannot be deleted now is left to the sweep."""
    for name in names:
        try:
            default_storage.delete(name)
        except OSError as error:
            log.error("file_not_deleted", error=type(error).__name__)


def _wait_for_others(person: User) -> None:
    """Two administrators who leave at the same moment go one after the other, and the second one stays.

    The strongest lock, which nothing else takes: it waits for rows about this person that are being written
    just now, so that they are erased as well.
    """
    rows = Q(pk=person.pk) | Q(role=Role.ADMIN) if person.is_admin else Q(pk=person.pk)
    list(User.objects.select_for_update().filter(rows).order_by("pk"))


def _obstacles(person: User) -> list[str]:
    found = [sentence for erasure in registries.erasures if (sentence := erasure.obstacle(person))]
    others = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=person.pk)
    if person.is_admin and not others.exists():
        found.append(
            _(
                "You are the only administrator. Make somebody else an administrator first: "
                "otherwise nobody could help."
            )
        )
    return found


def _addresses(person: User) -> set[str]:
    """Those that are surely this person's: anybody may add a stranger's, as long as nobody confirms it."""
    known = EmailAddress.objects.filter(user=person, verified=True).values_list("email", flat=True)
    return {address.lower() for address in [person.email, *known]}


def _sessions_about(person: User, addresses: set[str]) -> list[str]:
    """Keys of this person's sessions, and of those without anybody that name them: half-finished sign-ins."""
    named = re.compile("|".join(rf"(?<![\w.+-]){re.escape(address)}(?![\w-])" for address in addresses), re.I)
    found = []
    for session in Session.objects.iterator():
        content = session.get_decoded()
        who = content.get(SESSION_KEY)
        if who == str(person.pk) or (who is None and named.search(repr(content))):
            found.append(session.session_key)
    return found


def _erase_sign_in(person: User, addresses: set[str], sessions: list[str]) -> None:
    """Everything by which somebody could sign in, and every mail that is still on its way."""
    Session.objects.filter(session_key__in=sessions).delete()
    UserSession.objects.filter(user=person).delete()
    Authenticator.objects.filter(user=person).delete()
    EmailConfirmation.objects.filter(email_address__user=person).delete()
    EmailAddress.objects.filter(user=person).delete()
    mails = Q(recipient=person)
    for address in addresses:
        mails |= Q(address__iexact=address)
    OutgoingMail.objects.filter(mails).delete()


def _erase_admin_log(person: User) -> None:
    """The admin's own log repeats names; its rows stay, with who did what kind of thing and when."""
    pages = Q(content_type=ContentType.objects.get_for_model(User), object_id=str(person.pk))
    LogEntry.objects.filter(pages).update(object_repr="-", change_message="")


def _write_receipt(erased: Counter[str], kept: list[Kept]) -> ErasureReceipt:
    return ErasureReceipt.objects.create(
        erased=[{"what": what, "count": count} for what, count in erased.items() if count],
        kept=[
            {"what": row.what, "count": row.count, "until": row.until.isoformat(), "why": row.why}
            for row in kept
        ],
    )


def _say_goodbye(person: User, receipt: ErasureReceipt) -> None:
    """The last mail belongs to nobody, so it can still be sent; what it says is blanked when it is gone."""
    link = absolute(reverse("accounts:erasure-receipt", args=[receipt.public_id]))
    values = {"link": link, "site": absolute("/")}
    with as_read_by(person):
        mailing.enqueue(
            kind="erased",
            address=person.email,
            subject=as_text("email/erased/subject.txt", values),
            text=as_text("email/erased/text.txt", values),
            html=render_to_string("email/erased/body.html", values),
        )


def _make_nobody(person: User) -> None:
    """What is left: a row that others point at. It cannot sign in, and nothing says who it was."""
    with translation.override(settings.LANGUAGE_CODE):
        person.name = _("Erased account")
    person.email = f"{uuid.uuid4().hex}@{_NOBODY}"
    person.public_id = uuid.uuid4()
    person.language, person.time_zone = "", "UTC"
    person.is_active = False
    person.last_login = None
    person.date_joined = timezone.now()
    person.set_unusable_password()
    person.save()
