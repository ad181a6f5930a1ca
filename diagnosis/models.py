"""An analysis is an uploaded image, the job that examines it, and the result.

What people read for a code stands in `wording`, not in the labels here.
"""

import uuid
from typing import Any

from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.access import open_to
from accounts.models import User
from dermaplatform.leases import NO_LEASE, LeasedRow, exactly_running_is_leased
from ml_models import taxonomy


class Status(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"


WAITING = (Status.QUEUED, Status.RUNNING)
FINISHED = (Status.DONE, Status.FAILED, Status.REJECTED)
# Such an analysis gives no result, so the same image may be sent again.
WITHOUT_RESULT = (Status.FAILED, Status.REJECTED)

# From each status: where it may go.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING}),
    Status.RUNNING: frozenset({Status.QUEUED, Status.DONE, Status.FAILED, Status.REJECTED}),
    Status.DONE: frozenset(),
    Status.FAILED: frozenset(),
    Status.REJECTED: frozenset(),
}


UNKNOWN_SITE = "unknown"

# Of such pictures the network has never seen any: its figures mean nothing, whatever they are.
STRANGE = frozenset(
    {taxonomy.Reason.PHONE_PHOTO, taxonomy.Reason.NOT_A_LESION, taxonomy.Reason.OUT_OF_DOMAIN}
)


class ImageType(models.TextChoices):
    DERMATOSCOPIC = taxonomy.ImageType.DERMATOSCOPIC.value
    PHONE = taxonomy.ImageType.PHONE.value


class Problem(models.TextChoices):
    """Why there is no result; the sentence for the person is in `wording.job_problem`."""

    NONE = ""
    UNDECODABLE = "undecodable"
    GAVE_UP = "gave_up"


class AnalysisQuerySet(models.QuerySet["Analysis"]):
    def visible_to(self, user: Any) -> "AnalysisQuerySet":
        """Who may see an analysis: the patient, and to whom the record or this analysis was opened."""
        return self.filter(open_to(user))

    def waiting(self) -> "AnalysisQuerySet":
        return self.filter(status__in=WAITING)


def image_path(instance: "Analysis", filename: str) -> str:
    """An unguessable name that says nothing about the person."""
    return f"images/{timezone.now():%Y/%m}/{uuid.uuid4().hex}.png"


def thumbnail_path(instance: "Analysis", filename: str) -> str:
    return f"thumbnails/{timezone.now():%Y/%m}/{uuid.uuid4().hex}.jpg"


class Analysis(LeasedRow):
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    patient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="analyses")

    # The image: what was received is decoded once and stored again without any metadata.
    image = models.FileField(upload_to=image_path)
    thumbnail = models.FileField(upload_to=thumbnail_path)
    sha256 = models.CharField(max_length=64)  # of the bytes received
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    image_type = models.CharField(max_length=20, choices=ImageType, default=ImageType.DERMATOSCOPIC)
    body_site = models.CharField(max_length=20, default=UNKNOWN_SITE)

    # The job.
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=20, choices=Problem, default=Problem.NONE, blank=True)
    log = models.TextField(blank=True)  # for operators, never shown to a patient

    # The result.
    release = models.CharField(max_length=100, blank=True)
    top = models.CharField(max_length=10, blank=True)
    probabilities = models.JSONField(null=True, blank=True)  # by class code, calibrated, sum 1
    urgency = models.CharField(max_length=20, blank=True)
    reasons = models.JSONField(default=list, blank=True)  # codes of taxonomy.Reason
    # What spoke for each class at each place of the centre square: rows of logits by class code. Only from a
    # release whose maps passed their test.
    activation = models.JSONField(null=True, blank=True)

    objects = AnalysisQuerySet.as_manager()

    class Meta:
        verbose_name = _("analysis")
        verbose_name_plural = _("analyses")
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(fields=("patient", "-created_at"), name="analysis_history"),
            models.Index(fields=("status", "not_before"), name="analysis_jobs"),
        ]
        constraints = [
            # A patient has one analysis of the same bytes, unless the earlier one gave no result.
            models.UniqueConstraint(
                fields=("patient", "sha256"),
                condition=~Q(status__in=WITHOUT_RESULT),
                name="analysis_image_once",
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="analysis_status_known"),
            exactly_running_is_leased(Status.RUNNING, name="analysis_running_is_leased"),
            # Exactly the finished ones have a time of finishing.
            models.CheckConstraint(
                condition=Q(status__in=FINISHED, finished_at__isnull=False)
                | (Q(status__in=WAITING) & Q(finished_at=None)),
                name="analysis_finished_has_time",
            ),
            # A result is whole, and only what is done has one.
            models.CheckConstraint(
                condition=(
                    Q(
                        status=Status.DONE,
                        probabilities__isnull=False,
                        urgency__in=[level.value for level in taxonomy.Urgency],
                    )
                    & Q(top__in=taxonomy.CODES)
                    & ~Q(release="")
                )
                | (~Q(status=Status.DONE) & Q(probabilities__isnull=True, urgency="", top="")),
                name="analysis_done_has_result",
            ),
            # Nothing is explained that has no result.
            models.CheckConstraint(
                condition=Q(status=Status.DONE) | Q(activation__isnull=True),
                name="analysis_explained_has_result",
            ),
            # Who has no result is told why.
            models.CheckConstraint(
                condition=(Q(status__in=WITHOUT_RESULT) & ~Q(problem=""))
                | (~Q(status__in=WITHOUT_RESULT) & Q(problem="")),
                name="analysis_problem_said",
            ),
            models.CheckConstraint(condition=Q(image_type__in=ImageType.values), name="analysis_type_known"),
            models.CheckConstraint(
                condition=Q(body_site__in=taxonomy.LOCALIZATIONS), name="analysis_site_known"
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    def get_absolute_url(self) -> str:
        return reverse("diagnosis:detail", args=[self.public_id])

    @property
    def is_waiting(self) -> bool:
        return self.status in WAITING

    @property
    def is_done(self) -> bool:
        return self.status == Status.DONE

    @property
    def withholds_probabilities(self) -> bool:
        """Whether figures would mislead, so that the patient's page has none."""
        return self.is_done and not STRANGE.isdisjoint(self.reasons)

    def move(self, to: Status, *, note: str = "", **changes: Any) -> bool:
        """Go to status `to` if this analysis still is where it was when it was read; False if it is not.

        While running, only the holder of the lease that was read may move it. Writes the event row.
        """
        source = Status(self.status)
        if to not in TRANSITIONS[source]:
            raise ValueError(f"An analysis never goes from {source} to {to}.")
        if source == Status.RUNNING:
            changes |= NO_LEASE
        if to in FINISHED:
            changes["finished_at"] = timezone.now()
        with transaction.atomic():
            unchanged = Analysis.objects.filter(pk=self.pk, status=source, lease_token=self.lease_token)
            if not unchanged.update(status=to, **changes):
                return False
            AnalysisEvent.objects.create(analysis=self, from_status=source, to_status=to, note=note)
        for field, value in {"status": to, **changes}.items():
            setattr(self, field, value)
        return True


class AnalysisEvent(models.Model):
    """One step of an analysis. Rows are only ever added."""

    analysis = models.ForeignKey(Analysis, on_delete=models.PROTECT, related_name="events")
    from_status = models.CharField(max_length=10, blank=True)
    to_status = models.CharField(max_length=10, choices=Status)
    at = models.DateTimeField(default=timezone.now)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"


class WorkerHeartbeat(models.Model):
    """The latest sign of life of one inference process, and whether it is fit to take jobs."""

    worker = models.CharField(max_length=200, unique=True)  # host and process id
    release = models.CharField(max_length=100, blank=True)
    refusal = models.CharField(max_length=300, blank=True)  # why it takes no jobs
    shadow = models.CharField(max_length=100, blank=True)
    shadow_refusal = models.CharField(max_length=300, blank=True)  # why it compares nothing
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.worker


class Slot(models.TextChoices):
    """What a release is chosen for."""

    ACTIVE = "active", _("answers patients")
    SHADOW = "shadow", _("runs along silently")


class ReleaseChange(models.Model):
    """One choice of a release. Rows are only ever added, and the highest number of a slot is in force."""

    slot = models.CharField(_("use"), max_length=10, choices=Slot)
    number = models.PositiveIntegerField(_("number"))
    release = models.CharField(_("release"), max_length=100, blank=True)  # a folder; empty: no shadow
    previous = models.CharField(_("before"), max_length=100, blank=True)
    reason = models.CharField(_("reason"), max_length=500)
    by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="release_changes", verbose_name=_("chosen by")
    )
    at = models.DateTimeField(_("chosen at"), default=timezone.now)

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases of the classifier")
        ordering = ("-at", "-id")
        constraints = [
            # Two choices at the same moment: one of them comes second, and is told.
            models.UniqueConstraint(fields=("slot", "number"), name="release_change_in_turn"),
            models.CheckConstraint(condition=Q(slot__in=Slot.values), name="release_slot_known"),
            # Patients are always answered by some release.
            models.CheckConstraint(
                condition=Q(slot=Slot.SHADOW) | ~Q(release=""), name="release_active_is_named"
            ),
            # A choice changes something, and says why.
            models.CheckConstraint(condition=~Q(release=models.F("previous")), name="release_changes"),
            models.CheckConstraint(condition=~Q(reason=""), name="release_has_reason"),
        ]

    def __str__(self) -> str:
        return self.release


class ShadowResult(models.Model):
    """One image as both releases judged it. It names neither the analysis nor the person nor the hour."""

    day = models.DateField(default=timezone.localdate)
    active = models.CharField(max_length=100)
    shadow = models.CharField(max_length=100)
    top = models.CharField(max_length=10)
    shadow_top = models.CharField(max_length=10)
    urgency = models.CharField(max_length=20)
    shadow_urgency = models.CharField(max_length=20)
    largest_difference = models.FloatField()  # of the probabilities of one class
    milliseconds = models.FloatField()  # in the engine, image to result
    shadow_milliseconds = models.FloatField()

    class Meta:
        indexes = [models.Index(fields=("active", "shadow"), name="shadow_pair")]
        constraints = [
            models.CheckConstraint(condition=~Q(active=models.F("shadow")), name="shadow_is_another"),
            models.CheckConstraint(
                condition=Q(top__in=taxonomy.CODES, shadow_top__in=taxonomy.CODES), name="shadow_top_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    urgency__in=[level.value for level in taxonomy.Urgency],
                    shadow_urgency__in=[level.value for level in taxonomy.Urgency],
                ),
                name="shadow_urgency_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.active} / {self.shadow}"
