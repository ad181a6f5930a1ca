import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from accounts import relations
from accounts.models import User
from appointments.models import LENGTH_CHOICES, Appointment, Place, Status

LONGEST_REASON = 1000


class PersonSerializer(serializers.ModelSerializer[User]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    name = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ("id", "name")
        read_only_fields = fields

    def get_name(self, person: User) -> str:
        return relations.name_of(person)


class Moment(serializers.DateTimeField):
    """A time with its zone: without one, nobody knows which is meant."""

    default_error_messages = {"naive": _("Say the time with its zone, such as 2026-03-01T09:30:00+01:00.")}

    def enforce_timezone(self, value: datetime.datetime) -> datetime.datetime:
        if value.tzinfo is None:
            self.fail("naive")
        return super().enforce_timezone(value)


class AppointmentSerializer(serializers.ModelSerializer[Appointment]):
    """A visit, or a time that is held.

    Once the record is closed to the doctor, `reason` and `analyses` are empty for them. `open_records` in the
    context are the primary keys of the patients whose records are open to who reads.
    """

    id = serializers.UUIDField(source="public_id", read_only=True)
    url = serializers.SerializerMethodField(help_text="Where to read this visit.")
    page = serializers.SerializerMethodField(help_text="The visit as a page for people.")
    status = serializers.ChoiceField(choices=Status.choices, read_only=True)
    doctor = PersonSerializer(read_only=True)
    patient = PersonSerializer(read_only=True)
    length = serializers.IntegerField(source="minutes", read_only=True, help_text="Minutes.")
    place = serializers.ChoiceField(choices=Place.choices, read_only=True)
    reason = serializers.SerializerMethodField(help_text="The patient's words.")
    analyses = serializers.SerializerMethodField(help_text="Analyses that the patient attached.")
    follows = serializers.UUIDField(
        source="follows.public_id",
        read_only=True,
        default=None,
        allow_null=True,
        help_text="The visit after which this one was booked.",
    )

    class Meta:
        model = Appointment
        fields = (
            "id",
            "url",
            "page",
            "status",
            "doctor",
            "patient",
            "start",
            "end",
            "length",
            "place",
            "reason",
            "analyses",
            "follows",
            "urgent",
            "expires_at",
            "late",
            "ended_because",
            "flagged",
            "created_at",
        )
        read_only_fields = fields

    def get_url(self, appointment: Appointment) -> str:
        args = [appointment.public_id]
        return reverse("api-appointment-detail", args=args, request=self.context["request"])

    def get_page(self, appointment: Appointment) -> str:
        name = "appointments:book" if appointment.status == Status.HELD else "appointments:visit"
        return reverse(name, args=[appointment.public_id], request=self.context["request"])

    def _is_open(self, appointment: Appointment) -> bool:
        reader = self.context["request"].user
        return appointment.patient_id in {reader.pk, *self.context.get("open_records", ())}

    def get_reason(self, appointment: Appointment) -> str:
        return appointment.reason if self._is_open(appointment) else ""

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_analyses(self, appointment: Appointment) -> list[str]:
        if not self._is_open(appointment):
            return []
        return sorted(str(attached.analysis.public_id) for attached in appointment.attached.all())


def length_field(**options: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=LENGTH_CHOICES, help_text="Minutes.", **options)


class NewAppointment(serializers.Serializer[Any]):
    """A time to hold or to book: `doctor`, `start` and `length`, or the id of one's own hold.

    Without `hold` the time is held and booked in one step. With `hold` it is kept for some minutes only;
    sending the hold's id as `appointment` then books it.
    """

    doctor = serializers.UUIDField(required=False)
    start = Moment(required=False)
    length = length_field(required=False)
    appointment = serializers.UUIDField(required=False, help_text="One's own hold, to book it.")
    hold = serializers.BooleanField(default=False, help_text="Only keep the time for some minutes.")
    reason = serializers.CharField(max_length=LONGEST_REASON, allow_blank=True, default="")
    analyses = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=100, help_text="One's own, to attach."
    )
    follows = serializers.UUIDField(
        required=False, help_text="A visit of one's own with this doctor, after which this one comes."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = {"doctor", "start", "length"} & attrs.keys()
        if "appointment" in attrs:
            if named or attrs["hold"] or "follows" in attrs:
                raise serializers.ValidationError(
                    {"appointment": _("A hold says itself which doctor, when, how long and after what.")},
                    code="both",
                )
        elif missing := {"doctor", "start", "length"} - named:
            sentence = _("This is needed to choose a time.")
            raise serializers.ValidationError(dict.fromkeys(sorted(missing), sentence), code="required")
        return attrs


class NewTime(serializers.Serializer[Any]):
    """Where a visit moves to; without `length` it stays as long as it is."""

    start = Moment()
    length = length_field(required=False)


class Because(serializers.Serializer[Any]):
    """Why. A doctor has to say it; the patient reads it."""

    reason = serializers.CharField(max_length=LONGEST_REASON, allow_blank=True, default="")


class DaysQuery(serializers.Serializer[Any]):
    """Days on the calendar of the person who asks (UTC for visitors), both included: at most 62."""

    length = length_field(required=False)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python."""
        days = {
            "from": serializers.DateField(help_text="First day."),
            "to": serializers.DateField(help_text="Last day."),
        }
        return {**days, **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        days = (attrs["to"] - attrs["from"]).days
        if days < 0:
            raise serializers.ValidationError(
                {"to": _("The last day must not lie before the first.")}, "order"
            )
        if days >= MOST_DAYS:
            raise serializers.ValidationError({"to": _("Ask for at most 62 days at once.")}, "too_many")
        return attrs


class SlotQuery(DaysQuery):
    analysis = serializers.UUIDField(
        required=False, help_text="An urgent result of one's own: opens times kept for urgent cases."
    )


MOST_DAYS = 62
