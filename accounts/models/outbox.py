"""Mail that is to go out: written with what it tells of, sent by a worker, tried again until it is gone."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User
from dermaplatform.leases import LeasedRow, exactly_running_is_leased


class MailStatus(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    GIVEN_UP = "given_up", _("Given up")


class OutgoingMail(LeasedRow):
    """One message. Address and text are blanked once it is sent: the mail server has them then."""

    recipient = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="mails", null=True, blank=True
    )  # empty: a mail to an address without an account
    kind = models.CharField(max_length=60)
    address = models.EmailField(max_length=254, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    calendar = models.TextField(blank=True)  # an attachment for calendar programs (iCalendar with a METHOD)
    status = models.CharField(max_length=8, choices=MailStatus, default=MailStatus.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    log = models.CharField(max_length=300, blank=True)  # for operators: the server's last answer

    class Meta:
        ordering = ("created_at", "id")
        indexes = [models.Index(fields=("status", "not_before"), name="outgoing_mail_due")]
        constraints = [
            exactly_running_is_leased("sending", name="mail_sending_is_leased"),
            # Nothing private stays behind in what is over.
            models.CheckConstraint(
                condition=Q(status__in=["waiting", "sending"])
                | Q(address="", subject="", text="", html="", calendar=""),
                name="mail_over_is_blank",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
