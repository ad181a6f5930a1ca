"""The way of a mail: a row first, claimed under a lease, sent, tried again, given up after a day.

A worker that dies after the mail server took a message and before the row says so sends it a second time,
under the same Message-ID, by which mail programs recognise it.
"""

import re
from datetime import timedelta
from email.mime.text import MIMEText
from email.utils import parseaddr
from smtplib import SMTPRecipientsRefused, SMTPResponseException

import structlog
from celery import Task
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.utils import timezone

from accounts.models import MailStatus, OutgoingMail, User
from dermaplatform.bell import ring
from dermaplatform.leases import Leases

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=2)  # longer than the task that sends may run, so it is never renewed
GIVE_UP_AFTER = timedelta(days=1)
FORGET_AFTER = timedelta(days=90)
_LONGEST_PAUSE = timedelta(hours=1)
_BLANK = {"address": "", "subject": "", "text": "", "html": "", "calendar": ""}

leases = Leases(
    OutgoingMail, waiting=MailStatus.WAITING, running=MailStatus.SENDING, length=lambda: LEASE, rings=200
)


def enqueue(
    *,
    kind: str,
    address: str,
    subject: str,
    text: str,
    html: str,
    recipient: User | None = None,
    calendar: str = "",
) -> OutgoingMail:
    """Write a mail into the outbox, as a part of the present transaction. It is sent after the commit.

    `calendar` is attached for calendar programs: iCalendar with a METHOD.
    """
    from accounts.tasks import send_mail

    with transaction.atomic():
        mail = OutgoingMail.objects.create(
            recipient=recipient,
            kind=kind,
            address=address,
            subject=" ".join(subject.split())[:200],
            text=text,
            html=html,
            calendar=calendar,
        )
        ring(send_mail, mail.pk)
    return mail


def claim(mail_id: int) -> OutgoingMail | None:
    """Take a due mail under a new lease; None if it is not there, not due, or somebody else's."""
    return leases.claim(mail_id)


def deliver(mail: OutgoingMail) -> None:
    """Hand a mail to the mail server; OSError if it does not take it."""
    message = EmailMultiAlternatives(
        mail.subject,
        mail.text,
        to=[mail.address],
        headers={"Message-ID": _message_id(mail), "Auto-Submitted": "auto-generated"},
    )
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    if mail.calendar:
        message.attach(_calendar_part(mail.calendar))
    message.send()


def _calendar_part(calendar: str) -> MIMEText:
    """Calendar programs look for the method in the header too (RFC 6047)."""
    part = MIMEText(calendar, "calendar", "utf-8")
    if method := re.search(r"^METHOD:([A-Z]+)\s*$", calendar, re.M):
        part.set_param("method", method[1])
    part.add_header("Content-Disposition", "attachment", filename="visit.ics")
    return part


def _message_id(mail: OutgoingMail) -> str:
    """The same for every attempt at one mail."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{mail.created_at:%Y%m%d%H%M%S%f}.{mail.pk}@{domain}>"


def finish(mail: OutgoingMail) -> bool:
    """It is gone: keep that it was, not what it said. False if the lease was lost meanwhile."""
    return leases.end(mail, MailStatus.SENT, sent_at=timezone.now(), log="", **_BLANK)


def give_back(mail: OutgoingMail, *, error: str) -> bool:
    """End a claim without success: wait ever longer and try again, or give up after a day."""
    now = timezone.now()
    if now - mail.created_at >= GIVE_UP_AFTER:
        log.error("mail_given_up", mail=mail.pk, kind=mail.kind, error=error)
        return leases.end(mail, MailStatus.GIVEN_UP, log=error[:300], **_BLANK)
    return leases.end(mail, MailStatus.WAITING, log=error[:300], not_before=now + pause(mail.attempts))


def pause(attempts: int) -> timedelta:
    """How long to wait after this many attempts: half a minute, one, two, four… at most an hour."""
    return min(timedelta(seconds=15 * 2 ** min(attempts, 10)), _LONGEST_PAUSE)


def what_went_wrong(error: BaseException) -> str:
    """For operators: the kind of error and the server's code. Its words would repeat the address."""
    if isinstance(error, SMTPRecipientsRefused):
        codes = sorted({code for code, _words in error.recipients.values()})
    else:
        codes = [error.smtp_code] if isinstance(error, SMTPResponseException) else []
    return " ".join([type(error).__name__, *map(str, codes)])


def sweep(task: Task) -> None:
    """Take back what was abandoned, ring again for what waits too long, forget what is long over."""
    leases.take_back(give_back)
    leases.ring_overdue(task)
    forget_old()


def forget_old() -> None:
    """Drop the rows of mails that have long been over."""
    over = OutgoingMail.objects.filter(status__in=[MailStatus.SENT, MailStatus.GIVEN_UP])
    over.filter(not_before__lt=timezone.now() - FORGET_AFTER).delete()
