"""What the law gives people: a copy of everything, and its erasure."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User
from dermaplatform.leases import LeasedRow, exactly_running_is_leased


class ExportStatus(models.TextChoices):
    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Being prepared")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Expired")


def export_path(instance: "DataExport", filename: str) -> str:
    return f"exports/{uuid.uuid4().hex}.zip"


class DataExportQuerySet(models.QuerySet["DataExport"]):
    def visible_to(self, user: object) -> "DataExportQuerySet":
        """Whoever it is about, and nobody else."""
        return self.filter(user=user) if isinstance(user, User) else self.none()

    def waiting(self) -> "DataExportQuerySet":
        return self.filter(status__in=[ExportStatus.QUEUED, ExportStatus.RUNNING])

    def downloadable(self) -> "DataExportQuerySet":
        """Ready, and its time is not over, whether or not the sweep has noticed."""
        return self.filter(status=ExportStatus.READY, expires_at__gt=timezone.now())


class DataExport(LeasedRow):
    """A copy of everything that is kept about a person; the job that makes it, and its file for 7 days."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="exports")
    status = models.CharField(max_length=8, choices=ExportStatus, default=ExportStatus.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0)  # per cent
    file = models.FileField(upload_to=export_path, blank=True)
    size = models.PositiveBigIntegerField(default=0)  # bytes
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    log = models.TextField(blank=True)  # for operators

    objects = DataExportQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [
            # One is being prepared for a person at a time.
            models.UniqueConstraint(
                fields=("user",), condition=Q(status__in=["queued", "running"]), name="export_one_waiting"
            ),
            exactly_running_is_leased("running", name="export_running_is_leased"),
            models.CheckConstraint(
                condition=(Q(status="ready") & ~Q(file="") & Q(expires_at__isnull=False))
                | (~Q(status="ready") & Q(file="")),
                name="export_ready_has_file",
            ),
            models.CheckConstraint(condition=Q(progress__lte=100), name="export_progress_is_a_share"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def is_waiting(self) -> bool:
        return self.status in (ExportStatus.QUEUED, ExportStatus.RUNNING)

    @property
    def is_downloadable(self) -> bool:
        return bool(
            self.status == ExportStatus.READY and self.expires_at and self.expires_at > timezone.now()
        )


class ErasureReceipt(models.Model):
    """What was erased and what had to be kept, without saying whose it was. The person keeps its address."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField(default=timezone.now)
    erased = models.JSONField(default=list)  # rows of {"what": ..., "count": ...}
    kept = models.JSONField(default=list)  # rows of {"what": ..., "count": ..., "until": ..., "why": ...}

    def __str__(self) -> str:
        return str(self.public_id)
