"""Who may open whose record, and who did."""

import uuid
from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from accounts.models.people import User


class Scope(models.TextChoices):
    RECORD = "record", _("The whole record")
    NAMED = "named", _("Some analyses")


class Source(models.TextChoices):
    SHARE = "share", _("Shared by the patient")
    VISIT = "visit", _("A visit")


class CareRelationQuerySet(models.QuerySet["CareRelation"]):
    def in_force(self) -> "CareRelationQuerySet":
        now = timezone.now()
        return self.filter(Q(until=None) | Q(until__gt=now), since__lte=now, revoked_at=None)

    def of(self, person: User) -> "CareRelationQuerySet":
        return self.filter(Q(patient=person) | Q(doctor=person))

    def visible_to(self, user: object) -> "CareRelationQuerySet":
        """The two between whom it is know of a relation: the patient for good, the doctor while it lasts."""
        if not isinstance(user, User):
            return self.none()
        return self.filter(patient=user) if user.is_patient else self.in_force().filter(doctor=user)

    def open_share(self, *, patient: User, doctor: User, scope: Scope) -> "CareRelation | None":
        """The share of a scope that nobody has stopped, whether or not its time is over."""
        return self.filter(
            patient=patient, doctor=doctor, scope=scope, source=Source.SHARE, revoked_at=None
        ).first()


class CareRelation(models.Model):
    """That a doctor may read a patient's record, or the named parts of it, for a time."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    patient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="care_relations")
    doctor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="patients_relations")
    scope = models.CharField(max_length=6, choices=Scope)
    source = models.CharField(max_length=5, choices=Source, default=Source.SHARE)
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = CareRelationQuerySet.as_manager()
    history = HistoricalRecords(related_name="versions")

    class Meta:
        ordering = ("-since", "-id")
        indexes = [models.Index(fields=("doctor", "patient"), name="relation_doctor_patient")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(patient=F("doctor")),
                name="relation_between_two",
                violation_error_message=_("A record cannot be shared with oneself."),
            ),
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gt=F("since")),
                name="relation_ends_after_it_begins",
                violation_error_message=_("The end must lie after the beginning."),
            ),
            models.CheckConstraint(condition=Q(scope__in=Scope.values), name="relation_scope_known"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="relation_source_known"),
            # One open share of a kind between two people: sharing again changes it.
            models.UniqueConstraint(
                fields=("patient", "doctor", "scope"),
                condition=Q(source=Source.SHARE, revoked_at=None),
                name="relation_one_open_share",
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def is_in_force(self) -> bool:
        now = timezone.now()
        return self.revoked_at is None and self.since <= now and (self.until is None or self.until > now)

    def named_items(self) -> set[uuid.UUID]:
        """What a relation of scope `named` opens; nothing by name for the whole record."""
        return {shared.item for shared in self.items.all()}


class SharedItem(models.Model):
    """One named thing that a relation of scope `named` opens, by the public id that upper apps gave it."""

    relation = models.ForeignKey(CareRelation, on_delete=models.CASCADE, related_name="items")
    item = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("relation", "item"), name="shared_item_once")]

    def __str__(self) -> str:
        return str(self.item)


class BreakGlassQuerySet(models.QuerySet["BreakGlass"]):
    def in_force(self) -> "BreakGlassQuerySet":
        now = timezone.now()
        return self.filter(opened_at__lte=now, until__gt=now, closed_at=None)


LONGEST_BREAK = timedelta(hours=24)


class BreakGlass(models.Model):
    """That an administrator opened a patient's record in an emergency, and why."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    admin = models.ForeignKey(User, on_delete=models.PROTECT, related_name="glass_broken")
    patient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="glass_broken_for")
    reason = models.TextField(_("reason"), max_length=2000)
    opened_at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = BreakGlassQuerySet.as_manager()

    class Meta:
        verbose_name = _("emergency access")
        verbose_name_plural = _("emergency accesses")
        ordering = ("-opened_at", "-id")
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="break_glass_has_reason"),
            models.CheckConstraint(condition=~Q(admin=F("patient")), name="break_glass_not_own"),
            models.CheckConstraint(
                condition=Q(until__gt=F("opened_at"), until__lte=F("opened_at") + LONGEST_BREAK),
                name="break_glass_ends",
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


class Opened(models.TextChoices):
    """What somebody else opened of a patient's record."""

    PATIENTS = "patients", _("the list of patients, with your name")
    RECORD = "record", _("your record")
    PROFILE = "profile", _("your profile")
    ANALYSES = "analyses", _("the list of your analyses")
    ANALYSIS = "analysis", _("an analysis")
    IMAGE = "image", _("an image")
    VISIT = "visit", _("a visit")
    FILE = "file", _("a file of a visit")


class AccessEventQuerySet(models.QuerySet["AccessEvent"]):
    def visible_to(self, user: object) -> "AccessEventQuerySet":
        """A patient reads who opened their record; nobody else does."""
        return self.filter(patient=user) if isinstance(user, User) and user.is_patient else self.none()


class AccessEvent(models.Model):
    """One reading of a patient's record by somebody else. Triggers refuse to change or delete a row."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="accesses")
    patient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="accesses_to_record")
    opened = models.CharField(max_length=10, choices=Opened)
    item = models.UUIDField(null=True, blank=True)  # public id of what was opened
    relation = models.ForeignKey(
        CareRelation, on_delete=models.PROTECT, related_name="accesses", null=True, blank=True
    )
    break_glass = models.ForeignKey(
        BreakGlass, on_delete=models.PROTECT, related_name="accesses", null=True, blank=True
    )
    address = models.GenericIPAddressField(null=True, blank=True)

    objects = AccessEventQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-id")
        indexes = [models.Index(fields=("patient", "-at"), name="access_of_patient")]
        constraints = [
            models.CheckConstraint(condition=Q(opened__in=Opened.values), name="access_opened_known"),
        ]

    def __str__(self) -> str:
        return f"{self.opened} {self.at:%Y-%m-%d %H:%M}"


class AccessLogGate(models.Model):
    """A row here, never committed, opens the access log to the one function that pseudonymises it."""

    def __str__(self) -> str:
        return str(self.pk)
