"""What a person agreed to."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User


class ConsentKind(models.TextChoices):
    CARE = "care", _("Analysis and review of my images")
    RESEARCH = "research", _("Use of my images for research and training")


class Consent(models.Model):
    """That a person agreed to one version of a text. Never changed but for the time of withdrawal."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="consents")
    kind = models.CharField(max_length=20, choices=ConsentKind)
    version = models.PositiveSmallIntegerField()
    given_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-given_at",)
        constraints = [
            # One consent of a kind is in force for a person at a time.
            models.UniqueConstraint(
                fields=("user", "kind"),
                condition=models.Q(withdrawn_at=None),
                name="consent_one_in_force",
            ),
            # Nothing is withdrawn before it was given.
            models.CheckConstraint(
                condition=models.Q(withdrawn_at=None) | models.Q(withdrawn_at__gte=models.F("given_at")),
                name="consent_withdrawn_after_given",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.version}"
