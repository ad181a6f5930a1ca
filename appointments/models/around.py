"""Around visits: waiting for an earlier one, notes, what comes after, calendars, urgent results."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from appointments.models.appointments import Appointment
from diagnosis.models import Analysis


class WaitStatus(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    OFFERED = "offered", _("An earlier time is offered")
    TAKEN = "taken", _("Taken")
    LEFT = "left", _("Left")


# On the list, whether or not something is offered right now.
ON_LIST = (WaitStatus.WAITING, WaitStatus.OFFERED)


class WaitlistQuerySet(models.QuerySet["WaitlistEntry"]):
    def visible_to(self, user: object) -> "WaitlistQuerySet":
        """Who waits knows it; nobody else does."""
        return self.filter(patient=user) if isinstance(user, User) else self.none()

    def on_list(self) -> "WaitlistQuerySet":
        return self.filter(status__in=ON_LIST)


class WaitlistEntry(models.Model):
    """“Tell me when something earlier is free.” First come, first offered."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    patient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="waits")
    doctor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="waiting_patients")
    # The visit that an earlier time would replace; without one, any time before `before` will do.
    appointment = models.ForeignKey(
        Appointment, on_delete=models.PROTECT, related_name="waits", null=True, blank=True
    )
    length = models.PositiveSmallIntegerField()  # minutes
    before = models.DateTimeField()
    status = models.CharField(max_length=7, choices=WaitStatus, default=WaitStatus.WAITING)
    offer = models.ForeignKey(
        Appointment, on_delete=models.PROTECT, related_name="offered_to", null=True, blank=True
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = WaitlistQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "id")
        constraints = [
            models.CheckConstraint(condition=Q(status__in=WaitStatus.values), name="wait_status_known"),
            models.CheckConstraint(
                condition=~Q(status=WaitStatus.OFFERED) | Q(offer__isnull=False),
                name="wait_offered_has_offer",
            ),
            # A person waits once for a doctor.
            models.UniqueConstraint(
                fields=("patient", "doctor"),
                condition=Q(status__in=("waiting", "offered")),
                name="wait_once",
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


class VisitNote(models.Model):
    """What a doctor writes about a visit: a private draft until signed, then the patient's summary for good.

    A signed note is never changed (triggers refuse it); another one that `amends` it says what is different.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    appointment = models.ForeignKey(Appointment, on_delete=models.PROTECT, related_name="notes")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="visit_notes")
    amends = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="amendments", null=True, blank=True
    )
    diagnosis = models.TextField(_("diagnosis"), max_length=4000, blank=True)
    advice = models.TextField(_("advice"), max_length=4000, blank=True)
    prescription = models.TextField(_("prescription"), max_length=4000, blank=True)
    follow_up_on = models.DateField(_("next visit by"), null=True, blank=True)
    private = models.TextField(_("for yourself"), max_length=4000, blank=True)  # the patient never sees it
    updated_at = models.DateTimeField(default=timezone.now)
    signed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("signed_at", "id")
        constraints = [
            # One draft at a time.
            models.UniqueConstraint(
                fields=("appointment",), condition=Q(signed_at=None), name="visit_note_one_draft"
            ),
            # Something is said in what is signed.
            models.CheckConstraint(
                condition=Q(signed_at=None) | ~Q(diagnosis="") | ~Q(advice=""),
                name="visit_note_says_something",
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


class NoteGate(models.Model):
    """A row here, never committed, lets signed notes go: for the one function that erases them."""

    def __str__(self) -> str:
        return str(self.pk)


def visit_file_path(instance: "VisitFile", filename: str) -> str:
    return f"visits/{timezone.now():%Y/%m}/{uuid.uuid4().hex}"


class VisitFile(models.Model):
    """A document that one of the two put to a visit: re-encoded or checked, never public."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    appointment = models.ForeignKey(Appointment, on_delete=models.PROTECT, related_name="files")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="visit_files")
    title = models.CharField(_("title"), max_length=150)
    file = models.FileField(upload_to=visit_file_path)
    content_type = models.CharField(max_length=20)  # as recognised
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return str(self.public_id)


class PhotoRequest(models.Model):
    """A doctor asks for a new picture of a spot by a day; a new analysis answers it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    appointment = models.ForeignKey(Appointment, on_delete=models.PROTECT, related_name="photo_requests")
    patient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="photo_requests")
    doctor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="photos_requested")
    due_on = models.DateField(_("by"))
    note = models.CharField(_("what to photograph"), max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    reminded_at = models.DateTimeField(null=True, blank=True)
    analysis = models.ForeignKey(
        Analysis, on_delete=models.PROTECT, related_name="answers_requests", null=True, blank=True
    )
    closed_at = models.DateTimeField(null=True, blank=True)  # without an analysis: withdrawn

    class Meta:
        ordering = ("due_on", "id")

    def __str__(self) -> str:
        return str(self.public_id)


class Rating(models.Model):
    """What a patient says of a completed visit, once."""

    appointment = models.OneToOneField(Appointment, on_delete=models.PROTECT, related_name="rating")
    stars = models.PositiveSmallIntegerField(_("stars"))
    comment = models.TextField(_("comment"), max_length=1000, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(stars__gte=1, stars__lte=5), name="rating_of_five")]

    def __str__(self) -> str:
        return str(self.stars)


class ReminderKind(models.TextChoices):
    DAY = "day", _("a day before")
    HOUR = "hour", _("an hour before")


class Channel(models.TextChoices):
    EMAIL = "email", _("Email")
    IN_APP = "in_app", _("In Derma")


class Reminder(models.Model):
    """That somebody was reminded of a visit at that time, so that nobody is reminded twice."""

    appointment = models.ForeignKey(Appointment, on_delete=models.PROTECT, related_name="reminders")
    kind = models.CharField(max_length=4, choices=ReminderKind)
    start = models.DateTimeField()
    recipient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="visit_reminders")
    channel = models.CharField(max_length=6, choices=Channel)
    sent_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("appointment", "kind", "start", "recipient", "channel"), name="reminder_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.start:%Y-%m-%d %H:%M}"


class CalendarFeed(models.Model):
    """A private address of one's visits for a calendar program. Only the hash of its token is kept."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="calendar_feeds")
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the token
    with_names = models.BooleanField(_("with patients' names"), default=False)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("user",), condition=Q(revoked_at=None), name="calendar_feed_one_in_use"
            )
        ]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d}"


class UrgentFollowUp(models.Model):
    """That nothing has come of an urgent result yet: closed by a booking or by a doctor's word."""

    analysis = models.OneToOneField(Analysis, on_delete=models.PROTECT, related_name="follow_up")
    noticed_at = models.DateTimeField(default=timezone.now)  # when the patient was reminded
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="follow_ups_closed", null=True, blank=True
    )
    appointment = models.ForeignKey(
        Appointment, on_delete=models.PROTECT, related_name="follow_ups_closed", null=True, blank=True
    )
    word = models.CharField(_("why it needs no visit"), max_length=500, blank=True)

    class Meta:
        ordering = ("noticed_at", "id")
        constraints = [
            # Closed by a booking, or by a doctor's word.
            models.CheckConstraint(
                condition=Q(closed_at=None)
                | Q(appointment__isnull=False)
                | (Q(closed_by__isnull=False) & ~Q(word="")),
                name="follow_up_closed_by_something",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(closed_at__gte=F("noticed_at")), name="follow_up_in_order"
            ),
        ]

    def __str__(self) -> str:
        return str(self.analysis)
