"""What people would have found in their mailboxes by now."""

from django.core import mail
from django.core.mail import EmailMessage

from accounts.models import MailStatus, OutgoingMail
from accounts.tasks import send_mail


def sent() -> list[EmailMessage]:
    """Let the worker send what waits; all messages that have gone out, the latest last."""
    for pk in OutgoingMail.objects.filter(status=MailStatus.WAITING).values_list("pk", flat=True):
        send_mail(pk)
    return list(mail.outbox)
