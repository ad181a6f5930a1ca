"""A visit from the moment its time is held to what became of it."""

import uuid
from datetime import timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import CareRelation, User
from appointments.constraints import NoOverlap
from appointments.models.schedule import Place
from diagnosis.models import Analysis


class Status(models.TextChoices):
    HELD = "held", _("Held for you")
    REQUESTED = "requested", _("Requested")
    CONFIRMED = "confirmed", _("Confirmed")
    CHECKED_IN = "checked_in", _("Checked in")
    COMPLETED = "completed", _("Completed")
    NO_SHOW = "no_show", _("Did not come")
    CANCELLED_BY_PATIENT = "cancelled_by_patient", _("Cancelled by the patient")
    CANCELLED_BY_DOCTOR = "cancelled_by_doctor", _("Cancelled by the doctor")
    DECLINED = "declined", _("Declined")
    EXPIRED = "expired", _("Expired")


S = Status
# What takes up the time of both; the rest never happened.
OCCUPYING = (S.HELD, S.REQUESTED, S.CONFIRMED, S.CHECKED_IN, S.COMPLETED, S.NO_SHOW)
# What ends by itself unless somebody does something.
PASSING = (S.HELD, S.REQUESTED)
# A visit that is still to come or going on.
BOOKED = (S.REQUESTED, S.CONFIRMED, S.CHECKED_IN)
CANCELLED = (S.CANCELLED_BY_PATIENT, S.CANCELLED_BY_DOCTOR, S.DECLINED, S.EXPIRED)


class Actor(models.TextChoices):
    PATIENT = "patient"
    DOCTOR = "doctor"
    CLOCK = "clock"  # the clockwork, and the erasure of a person


P, D, C = Actor.PATIENT, Actor.DOCTOR, Actor.CLOCK
# As what a visit begins, and who may begin it.
BEGINNINGS: dict[Status, frozenset[Actor]] = {
    S.HELD: frozenset({P, C}),  # the clockwork keeps a time for the waiting list
    S.CONFIRMED: frozenset({D}),  # the next visit, which the doctor books for the patient
}
# From each status: where it may go, and who may do it.
TRANSITIONS: dict[Status, dict[Status, frozenset[Actor]]] = {
    S.HELD: {
        S.REQUESTED: frozenset({P}),
        S.CONFIRMED: frozenset({P}),
        S.EXPIRED: frozenset({P, C}),
    },
    S.REQUESTED: {
        S.CONFIRMED: frozenset({D}),
        S.DECLINED: frozenset({D}),
        S.CANCELLED_BY_PATIENT: frozenset({P, C}),
        S.EXPIRED: frozenset({C}),
    },
    S.CONFIRMED: {
        S.REQUESTED: frozenset({P}),  # moved by the patient, where the doctor confirms by hand
        S.CHECKED_IN: frozenset({D}),
        S.NO_SHOW: frozenset({D}),
        S.CANCELLED_BY_PATIENT: frozenset({P, C}),
        S.CANCELLED_BY_DOCTOR: frozenset({D, C}),
    },
    S.CHECKED_IN: {
        S.COMPLETED: frozenset({D, C}),  # by the clockwork, a day after its end
        S.NO_SHOW: frozenset({D}),
    },
    S.COMPLETED: {},
    S.NO_SHOW: {},
    S.CANCELLED_BY_PATIENT: {},
    S.CANCELLED_BY_DOCTOR: {},
    S.DECLINED: {},
    S.EXPIRED: {},
}


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def visible_to(self, user: object) -> "AppointmentQuerySet":
        """The two who meet; a doctor does not see that somebody holds a time for a moment."""
        if not isinstance(user, User):
            return self.none()
        if user.is_patient:
            return self.filter(patient=user)
        return self.filter(doctor=user).exclude(Q(status=S.HELD) | Q(status=S.EXPIRED, booked_at=None))

    def booked(self) -> "AppointmentQuerySet":
        return self.filter(status__in=BOOKED)

    def coming(self) -> "AppointmentQuerySet":
        return self.booked().filter(end__gt=timezone.now()).order_by("start", "pk")

    def occupying(self) -> "AppointmentQuerySet":
        return self.filter(status__in=OCCUPYING)

    def stale(self) -> "AppointmentQuerySet":
        """Holds and requests whose time to be answered is over."""
        return self.filter(status__in=PASSING, expires_at__lte=timezone.now())


class Appointment(models.Model):
    """One visit. Moving it to another time keeps the row, its id and its place in people's calendars."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    patient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="visits")
    doctor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="consultations")
    start = models.DateTimeField()
    end = models.DateTimeField()
    # The same with the doctor's buffers, as they were when it was booked.
    blocked_from = models.DateTimeField()
    blocked_until = models.DateTimeField()
    place = models.CharField(max_length=6, choices=Place)
    status = models.CharField(max_length=20, choices=S, default=S.HELD)
    expires_at = models.DateTimeField(null=True, blank=True)  # of a hold or a request
    offered = models.BooleanField(default=False)  # a hold that the waitlist made
    urgent = models.BooleanField(default=False)  # booked from an urgent result
    reason = models.TextField(_("reason"), max_length=1000, blank=True)  # the patient's words
    ended_because = models.TextField(max_length=1000, blank=True)  # why it was cancelled or declined
    late = models.BooleanField(default=False)  # cancelled later than the doctor's terms allow
    flagged = models.CharField(max_length=20, blank=True)  # what both should look at: `doctor_stopped`
    sequence = models.PositiveIntegerField(default=0)  # of the calendar entry; grows with each change
    room = models.UUIDField(default=uuid.uuid4, editable=False)  # name of the video room
    relation = models.OneToOneField(
        CareRelation, on_delete=models.PROTECT, related_name="visit", null=True, blank=True
    )
    follows = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="followed_by", null=True, blank=True
    )
    created_at = models.DateTimeField(default=timezone.now)
    booked_at = models.DateTimeField(null=True, blank=True)

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        ordering = ("-start", "-id")
        indexes = [
            models.Index(fields=("doctor", "start"), name="appointment_of_doctor"),
            models.Index(fields=("patient", "start"), name="appointment_of_patient"),
            models.Index(fields=("status", "expires_at"), name="appointment_passing"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=S.values), name="appointment_status_known"),
            models.CheckConstraint(condition=Q(place__in=Place.values), name="appointment_place_known"),
            models.CheckConstraint(condition=~Q(patient=F("doctor")), name="appointment_between_two"),
            # A visit ends after it begins, and lies inside of what it blocks.
            models.CheckConstraint(
                condition=Q(end__gt=F("start"), blocked_from__lte=F("start"), blocked_until__gte=F("end")),
                name="appointment_ends_after_start",
            ),
            # Exactly what passes by itself has a time for that.
            models.CheckConstraint(
                condition=Q(status__in=PASSING, expires_at__isnull=False)
                | (~Q(status__in=PASSING) & Q(expires_at=None)),
                name="appointment_passing_expires",
            ),
            # Exactly what was more than a hold has a time of booking.
            models.CheckConstraint(
                condition=Q(status=S.HELD, booked_at=None)
                | Q(status=S.EXPIRED)
                | (~Q(status__in=(S.HELD, S.EXPIRED)) & Q(booked_at__isnull=False)),
                name="appointment_booked_has_time",
            ),
            # A person holds one time, beside what the waitlist offers.
            models.UniqueConstraint(
                fields=("patient",), condition=Q(status=S.HELD, offered=False), name="appointment_one_hold"
            ),
            # Nobody sees two patients, or two doctors, at once.
            NoOverlap(
                owner="doctor",
                start="blocked_from",
                end="blocked_until",
                status="status",
                occupying=OCCUPYING,
                name="appointment_doctor_free",
                violation_error_code="slot_taken",
                violation_error_message=_("This time has just been taken."),
            ),
            NoOverlap(
                owner="patient",
                start="start",
                end="end",
                status="status",
                occupying=OCCUPYING,
                name="appointment_patient_free",
                violation_error_code="patient_busy",
                violation_error_message=_("You have another visit at this time."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    def get_absolute_url(self) -> str:
        return reverse("appointments:visit", args=[self.public_id])

    @property
    def minutes(self) -> int:
        return (self.end - self.start) // timedelta(minutes=1)

    @property
    def is_coming(self) -> bool:
        return self.status in BOOKED and self.end > timezone.now()

    def begin(self, *, by: User | None, actor: Actor) -> None:
        """Save the new row, and the event of its beginning.

        Raises ValueError for what the table of beginnings does not know, and IntegrityError.
        """
        status = S(self.status)
        if actor not in BEGINNINGS.get(status, frozenset()):
            raise ValueError(f"{actor} never begins a visit as {status}.")
        with transaction.atomic():
            self.save(force_insert=True)
            AppointmentEvent.objects.create(appointment=self, to_status=status, by=by, actor=actor)

    def may(self, to: Status, actor: Actor) -> bool:
        """Whether this actor may take it there from where it is."""
        return actor in TRANSITIONS[S(self.status)].get(to, frozenset())

    def move(self, to: Status, *, by: User | None, actor: Actor, note: str = "", **changes: Any) -> bool:
        """Go to status `to` if it still is where it was when read; False if not. Writes the event row.

        Raises ValueError for what the table of transitions does not know. `changes` are fields.
        """
        source = S(self.status)
        if not self.may(to, actor):
            raise ValueError(f"{actor} never takes a visit from {source} to {to}.")
        if to not in PASSING:
            changes.setdefault("expires_at", None)
        with transaction.atomic():
            if not Appointment.objects.filter(pk=self.pk, status=source).update(status=to, **changes):
                return False
            AppointmentEvent.objects.create(
                appointment=self, from_status=source, to_status=to, by=by, actor=actor, note=note
            )
        for field, value in {"status": to, **changes}.items():
            setattr(self, field, value)
        return True


class AppointmentEvent(models.Model):
    """One step of a visit: who, when, why; a new time too. Rows are only ever added."""

    appointment = models.ForeignKey(Appointment, on_delete=models.PROTECT, related_name="events")
    from_status = models.CharField(max_length=20, blank=True)
    to_status = models.CharField(max_length=20, choices=S)
    by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="appointment_events", null=True, blank=True
    )
    actor = models.CharField(max_length=7, choices=Actor)
    at = models.DateTimeField(default=timezone.now)
    note = models.CharField(max_length=1000, blank=True)
    # Where the visit lay before it was moved.
    start_before = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"


class AttachedAnalysis(models.Model):
    """An analysis that the patient wants to talk about at a visit."""

    appointment = models.ForeignKey(Appointment, on_delete=models.PROTECT, related_name="attached")
    analysis = models.ForeignKey(Analysis, on_delete=models.PROTECT, related_name="attached_to")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("appointment", "analysis"), name="attached_analysis_once")
        ]

    def __str__(self) -> str:
        return str(self.analysis)


class IdempotencyKey(models.Model):
    """What a client called its request, so that sending it again does not book again."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="idempotency_keys")
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)  # SHA-256 of what was asked for
    appointment = models.ForeignKey(Appointment, on_delete=models.PROTECT, related_name="idempotency_keys")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("user", "key"), name="idempotency_key_once")]

    def __str__(self) -> str:
        return self.key
