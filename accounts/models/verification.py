"""How a person who says that they are a doctor comes to be treated as one."""

import uuid
from typing import Any

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User
from accounts.validators import licence_day


class ApplicationStatus(models.TextChoices):
    SUBMITTED = "submitted", _("Submitted")
    IN_REVIEW = "in_review", _("In review")
    MORE_ASKED = "more_asked", _("More information asked")
    VERIFIED = "verified", _("Verified")
    REJECTED = "rejected", _("Rejected")
    SUSPENDED = "suspended", _("Suspended")
    EXPIRED = "expired", _("Expired")
    REPLACED = "replaced", _("Replaced by a newer one")
    WITHDRAWN = "withdrawn", _("Withdrawn")


S = ApplicationStatus
PENDING = (S.SUBMITTED, S.IN_REVIEW, S.MORE_ASKED)
STANDING = (S.VERIFIED, S.SUSPENDED)

# From each status: where it may go.
TRANSITIONS: dict[ApplicationStatus, frozenset[ApplicationStatus]] = {
    S.SUBMITTED: frozenset({S.IN_REVIEW, S.VERIFIED, S.REJECTED, S.MORE_ASKED, S.WITHDRAWN}),
    S.IN_REVIEW: frozenset({S.VERIFIED, S.REJECTED, S.MORE_ASKED, S.WITHDRAWN}),
    S.MORE_ASKED: frozenset({S.SUBMITTED, S.REJECTED, S.WITHDRAWN}),
    S.VERIFIED: frozenset({S.SUSPENDED, S.EXPIRED, S.REPLACED, S.WITHDRAWN}),
    S.SUSPENDED: frozenset({S.VERIFIED, S.EXPIRED, S.REPLACED, S.REJECTED, S.WITHDRAWN}),
    S.REJECTED: frozenset(),
    S.EXPIRED: frozenset(),
    S.REPLACED: frozenset(),
    S.WITHDRAWN: frozenset(),
}
# These say something to the doctor that nobody could guess.
NEED_A_REASON = frozenset({S.REJECTED, S.MORE_ASKED, S.SUSPENDED})


def document_path(instance: "DoctorApplication", filename: str) -> str:
    """An unguessable name; the extension is the one of what was recognised, never of what was sent."""
    return f"documents/{timezone.now():%Y/%m}/{uuid.uuid4().hex}{instance.document_extension}"


class ApplicationQuerySet(models.QuerySet["DoctorApplication"]):
    def pending(self) -> "ApplicationQuerySet":
        return self.filter(status__in=PENDING)

    def in_force(self) -> "ApplicationQuerySet":
        """Verified, and the licence has not run out, whether or not the clockwork has noticed."""
        return self.filter(status=S.VERIFIED, licence_expires_on__gte=licence_day())


class DoctorApplication(models.Model):
    """A licence that a doctor shows, and what was decided about it. What is over is never reopened."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    doctor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="applications")
    licence_number = models.CharField(_("licence number"), max_length=50)
    licence_authority = models.CharField(_("issuing authority"), max_length=150)
    licence_country = models.CharField(_("country"), max_length=2)  # ISO 3166-1 alpha-2
    licence_expires_on = models.DateField(_("valid until"))
    document = models.FileField(_("document"), upload_to=document_path)
    document_type = models.CharField(max_length=20)  # content type, as recognised
    status = models.CharField(_("status"), max_length=12, choices=S, default=S.SUBMITTED)
    submitted_at = models.DateTimeField(_("submitted"), default=timezone.now)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        verbose_name = _("doctor's application")
        verbose_name_plural = _("doctors' applications")
        ordering = ("submitted_at", "id")
        constraints = [
            models.CheckConstraint(condition=Q(status__in=S.values), name="application_status_known"),
            # A doctor has one application under way, and one licence that counts.
            models.UniqueConstraint(
                fields=("doctor",), condition=Q(status__in=PENDING), name="application_one_pending"
            ),
            models.UniqueConstraint(
                fields=("doctor",), condition=Q(status__in=STANDING), name="application_one_standing"
            ),
            # Exactly what is over its review has a time of the decision.
            models.CheckConstraint(
                condition=Q(status__in=PENDING, decided_at=None)
                | (~Q(status__in=PENDING) & Q(decided_at__isnull=False)),
                name="application_decided_has_time",
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def document_extension(self) -> str:
        return {"application/pdf": ".pdf", "image/jpeg": ".jpg", "image/png": ".png"}[self.document_type]

    def move(self, to: ApplicationStatus, *, by: User | None, reason: str = "", **changes: Any) -> bool:
        """Go to status `to` if it still is where it was when read; False if not. Writes the event row.

        `by` is None for the clockwork. Who may do what is decided by the service.
        """
        source = S(self.status)
        if to not in TRANSITIONS[source]:
            raise ValueError(f"An application never goes from {source} to {to}.")
        if to in NEED_A_REASON and not reason.strip():
            raise ValueError(f"{to} needs a reason.")
        if to not in PENDING and self.decided_at is None:
            changes.setdefault("decided_at", timezone.now())
        with transaction.atomic():
            if not DoctorApplication.objects.filter(pk=self.pk, status=source).update(status=to, **changes):
                return False
            ApplicationEvent.objects.create(
                application=self, from_status=source, to_status=to, by=by, reason=reason.strip()
            )
        for field, value in {"status": to, **changes}.items():
            setattr(self, field, value)
        return True


class ApplicationEvent(models.Model):
    """One step of an application: who, when, why. Rows are only ever added."""

    application = models.ForeignKey(DoctorApplication, on_delete=models.PROTECT, related_name="events")
    from_status = models.CharField(max_length=12, blank=True)
    to_status = models.CharField(max_length=12, choices=S)
    by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="application_events", null=True, blank=True
    )  # empty: the clockwork
    at = models.DateTimeField(default=timezone.now)
    reason = models.TextField(max_length=2000, blank=True)

    class Meta:
        ordering = ("at", "id")
        constraints = [
            # A person is told why.
            models.CheckConstraint(
                condition=~Q(to_status__in=sorted(NEED_A_REASON)) | ~Q(reason=""),
                name="application_event_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"


class LicenceReminder(models.Model):
    """That a doctor was reminded, so that nobody is reminded twice."""

    application = models.ForeignKey(DoctorApplication, on_delete=models.CASCADE, related_name="reminders")
    days_before = models.PositiveSmallIntegerField()
    sent_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("application", "days_before"), name="licence_reminder_once")
        ]

    def __str__(self) -> str:
        return f"{self.days_before} days before"
