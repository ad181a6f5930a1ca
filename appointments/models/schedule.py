"""When a doctor sees patients, as the doctor says it: weekly rules, exceptions, and terms."""

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.validators import validate_time_zone

LENGTHS = (15, 30, 45, 60)  # minutes that a visit may last
LENGTH_CHOICES = [(length, str(length)) for length in LENGTHS]
DAY = 24 * 60  # minutes of a day on the clock


class Place(models.TextChoices):
    VIDEO = "video", _("By video")
    CLINIC = "clinic", _("At the clinic")


class Weekday(models.IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


def default_lengths() -> list[int]:
    return [30]


class Schedule(models.Model):
    """A doctor's terms. Whoever books or changes rules locks this row first."""

    doctor = models.OneToOneField(User, on_delete=models.PROTECT, related_name="schedule")
    # The zone of rules and exceptions, which may be another than the one the doctor reads times in.
    time_zone = models.CharField(_("time zone"), max_length=64, validators=[validate_time_zone])
    lengths = models.JSONField(_("lengths of visits"), default=default_lengths)  # of LENGTHS, ascending
    buffer_before = models.PositiveSmallIntegerField(
        _("free minutes before each visit"), default=0, validators=[MaxValueValidator(120)]
    )
    buffer_after = models.PositiveSmallIntegerField(
        _("free minutes after each visit"), default=0, validators=[MaxValueValidator(120)]
    )
    notice_hours = models.PositiveSmallIntegerField(
        _("hours of notice"), default=12, validators=[MaxValueValidator(24 * 30)]
    )
    horizon_days = models.PositiveSmallIntegerField(
        _("days that can be booked ahead"),
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
    )
    visits_a_day = models.PositiveSmallIntegerField(
        _("most visits a day"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    # Times kept for urgent cases open to everybody so many hours before.
    release_hours = models.PositiveSmallIntegerField(
        _("hours before which times kept for urgent cases open to everybody"),
        default=24,
        validators=[MaxValueValidator(24 * 14)],
    )
    confirms_by_hand = models.BooleanField(_("each request is confirmed by hand"), default=False)
    cancel_hours = models.PositiveSmallIntegerField(
        _("hours until which a visit is cancelled without being marked late"),
        default=24,
        validators=[MaxValueValidator(24 * 14)],
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(buffer_before__lte=120, buffer_after__lte=120), name="schedule_buffers_short"
            ),
            models.CheckConstraint(
                condition=Q(horizon_days__gte=1, horizon_days__lte=365), name="schedule_horizon_known"
            ),
        ]

    def __str__(self) -> str:
        return str(self.doctor.public_id)

    def clean(self) -> None:
        super().clean()
        lengths = self.lengths
        if not isinstance(lengths, list) or not lengths or not set(lengths) <= set(LENGTHS):
            raise ValidationError({"lengths": _("Choose at least one length from the list.")})
        self.lengths = sorted(set(lengths))


class HoursModel(models.Model):
    """An interval of a day on the doctor's clock, in minutes since midnight; 1440 is the next midnight."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    begins = models.PositiveSmallIntegerField(_("from"))
    ends = models.PositiveSmallIntegerField(_("to"))
    place = models.CharField(_("place"), max_length=6, choices=Place, default=Place.CLINIC)
    for_urgent = models.BooleanField(_("kept for urgent cases"), default=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.public_id)


class WeeklyRule(HoursModel):
    """Open every week on that weekday, from and until those days if they are given (both included)."""

    schedule = models.ForeignKey(Schedule, on_delete=models.PROTECT, related_name="rules")
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until"), null=True, blank=True)

    class Meta:
        ordering = ("weekday", "begins", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(ends__gt=F("begins"), ends__lte=DAY),
                name="rule_ends_after_it_begins",
                violation_error_message=_("The end must lie after the beginning."),
            ),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="rule_weekday_known"),
            models.CheckConstraint(condition=Q(place__in=Place.values), name="rule_place_known"),
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="rule_valid_in_order",
                violation_error_message=_("The last day must not lie before the first."),
            ),
        ]


class ExceptionKind(models.TextChoices):
    OFF = "off", _("Closed")
    EXTRA = "extra", _("Extra hours")
    CHANGED = "changed", _("Other hours than usual")


class ScheduleException(HoursModel):
    """Other than usual on those days, both included.

    `changed`: its hours replace the weekly rules of each day (several rows of a day together). `extra`: its
    hours are open in addition. `off`: its hours are closed, whatever else says; 0 to 1440 is the whole day.
    """

    schedule = models.ForeignKey(Schedule, on_delete=models.PROTECT, related_name="exceptions")
    kind = models.CharField(_("kind"), max_length=7, choices=ExceptionKind)
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    note = models.CharField(_("note for yourself"), max_length=200, blank=True)

    class Meta:
        ordering = ("first_day", "begins", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(ends__gt=F("begins"), ends__lte=DAY),
                name="exception_ends_after_it_begins",
                violation_error_message=_("The end must lie after the beginning."),
            ),
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="exception_days_in_order",
                violation_error_message=_("The last day must not lie before the first."),
            ),
            models.CheckConstraint(condition=Q(kind__in=ExceptionKind.values), name="exception_kind_known"),
            models.CheckConstraint(condition=Q(place__in=Place.values), name="exception_place_known"),
        ]


def schedule_of(doctor: User, **defaults: Any) -> Schedule:
    """The doctor's schedule, made with defaults when it is first asked for."""
    schedule, _created = Schedule.objects.get_or_create(
        doctor=doctor, defaults={"time_zone": doctor.time_zone, **defaults}
    )
    return schedule
