"""What a person is told on the pages, and by which way they want to be told what."""

import uuid

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User


class NoticeGroup(models.TextChoices):
    """What can be switched off. Whatever is in no group is about the account or its safety: it always comes."""

    VISITS = "visits", _("Visits: requests, answers, changes and offers")
    REMINDERS = "reminders", _("Reminders before a visit")
    SHARING = "sharing", _("Sharing: what patients open to you")


class Notice(models.Model):
    """One thing that a person was told on the pages. Its words are made when it is read.

    `params` hold no names, so that a notice to one person says nothing about another who is erased.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    recipient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=60)
    params = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    url = models.CharField(max_length=300, blank=True)  # the page it leads to, from the root of the site
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(fields=("recipient", "-created_at"), name="notice_of_person"),
            models.Index(fields=("recipient",), condition=models.Q(read_at=None), name="notice_unread"),
        ]
        constraints = [
            # Only a page of our own: nobody is led elsewhere.
            models.CheckConstraint(
                condition=models.Q(url="")
                | (models.Q(url__startswith="/") & ~models.Q(url__startswith="//")),
                name="notice_leads_to_our_pages",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class NotificationChoice(models.Model):
    """How a person wants to be told things of one group. Without a row: by both ways."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="notification_choices")
    group = models.CharField(max_length=10, choices=NoticeGroup)
    email = models.BooleanField(_("by email"), default=True)
    in_app = models.BooleanField(_("in Derma"), default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("user", "group"), name="notification_choice_once"),
            models.CheckConstraint(
                condition=models.Q(group__in=NoticeGroup.values), name="notification_choice_group_known"
            ),
        ]

    def __str__(self) -> str:
        return self.group
