"""A doctor's own hours for apps."""

from typing import Any, cast

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.permissions import IsDoctor
from appointments import hours, hours_checks
from appointments.api.refusals import told
from appointments.models import (
    DAY,
    LENGTH_CHOICES,
    ExceptionKind,
    Place,
    Schedule,
    ScheduleException,
    Weekday,
    schedule_of,
)
from appointments.slots import Hours, Rule


@extend_schema_field({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$", "example": "09:30"})
class ClockField(serializers.Field[int, str, str, Any]):
    """A time on the clock as HH:MM, up to 24:00; minutes since midnight inside."""

    default_error_messages = {"clock": _("Write a time as HH:MM, from 00:00 to 24:00.")}

    def to_internal_value(self, data: Any) -> int:
        text = data if isinstance(data, str) else ""
        parts = text.split(":")
        if len(text) == 5 and len(parts) == 2 and all(part.isascii() and part.isdigit() for part in parts):
            total = int(parts[0]) * 60 + int(parts[1])
            if int(parts[1]) < 60 and total <= DAY:
                return total
        self.fail("clock")

    def to_representation(self, value: int) -> str:
        return hours_checks.clock(value)


class HoursSerializer(serializers.Serializer[Any]):
    begins = ClockField()
    ends = ClockField()
    place = serializers.ChoiceField(choices=Place.choices, default=Place.CLINIC.value)
    for_urgent = serializers.BooleanField(default=False, help_text="Kept for urgent cases at first.")


class RuleSerializer(HoursSerializer):
    """Open every week on that weekday; 0 is Monday."""

    weekday = serializers.ChoiceField(choices=Weekday.choices)
    valid_from = serializers.DateField(required=False, allow_null=True, default=None)
    valid_until = serializers.DateField(required=False, allow_null=True, default=None)


class DecisionSerializer(serializers.Serializer[Any]):
    """What becomes of visits that the change leaves outside of the hours, by their ids."""

    keep = serializers.ListField(child=serializers.UUIDField(), default=list, max_length=1000)
    cancel = serializers.ListField(child=serializers.UUIDField(), default=list, max_length=1000)
    reason = serializers.CharField(
        max_length=1000, allow_blank=True, default="", help_text="The patients of what is cancelled read it."
    )


class ScheduleSerializer(serializers.ModelSerializer[Schedule]):
    """Terms, and the rules of the week. What is left out stays as it is."""

    lengths = serializers.ListField(
        child=serializers.ChoiceField(choices=LENGTH_CHOICES), required=False, max_length=4
    )
    rules = RuleSerializer(many=True, required=False)
    decision = DecisionSerializer(required=False, write_only=True)

    class Meta:
        model = Schedule
        fields = (*sorted(hours.TERMS), "rules", "decision")
        extra_kwargs = {"time_zone": {"required": False}}

    def validate_rules(self, rules: list[Any]) -> list[Any]:
        if len(rules) > hours_checks.MOST_INTERVALS:
            raise serializers.ValidationError(_("These are too many intervals."), code="too_many")
        return rules


class ExceptionSerializer(serializers.ModelSerializer[ScheduleException]):
    """One interval that is other than usual on those days."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    kind = serializers.ChoiceField(choices=ExceptionKind.choices, read_only=True)
    begins = ClockField(read_only=True)
    ends = ClockField(read_only=True)
    place = serializers.ChoiceField(choices=Place.choices, read_only=True)

    class Meta:
        model = ScheduleException
        fields = ("id", "kind", "first_day", "last_day", "begins", "ends", "place", "for_urgent", "note")
        read_only_fields = fields


class NewException(serializers.Serializer[Any]):
    """Days off, extra hours, or other hours than usual. `off` without hours is closed all day."""

    kind = serializers.ChoiceField(choices=ExceptionKind.choices)
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    hours = HoursSerializer(many=True, required=False)
    note = serializers.CharField(max_length=200, allow_blank=True, default="")
    decision = DecisionSerializer(required=False)


def _decision(answers: dict[str, Any]) -> hours.Decision | None:
    said = answers.get("decision")
    if said is None:
        return None
    return hours.Decision(
        frozenset(said.get("keep", [])), frozenset(said.get("cancel", [])), said.get("reason", "")
    )


def _hours(answers: dict[str, Any]) -> Hours:
    # A partial update leaves out the defaults of what is nested.
    place, for_urgent = answers.get("place", Place.CLINIC), answers.get("for_urgent", False)
    return Hours(answers["begins"], answers["ends"], place, for_urgent)


def _rule(answers: dict[str, Any]) -> Rule:
    return Rule(answers["weekday"], _hours(answers), answers.get("valid_from"), answers.get("valid_until"))


class MyHours(APIView):
    """The hours and terms of the doctor who is signed in."""

    permission_classes = (IsAuthenticated, IsDoctor)

    @extend_schema(responses=ScheduleSerializer)
    def get(self, request: Request) -> Response:
        """Terms and weekly rules."""
        return Response(_shown(schedule_of(cast(User, request.user))))

    @extend_schema(request=ScheduleSerializer, responses=ScheduleSerializer)
    def patch(self, request: Request) -> Response:
        """Change terms, replace the week. Visits left outside are 409 until `decision` names them."""
        doctor = cast(User, request.user)
        schedule = schedule_of(doctor)
        asked = ScheduleSerializer(schedule, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        answers = dict(asked.validated_data)
        decision = _decision(answers)
        answers.pop("decision", None)
        rules = answers.pop("rules", None)
        with told(), transaction.atomic():  # both or nothing
            if answers:
                hours.set_terms(schedule=schedule, by=doctor, decision=decision, **answers)
            if rules is not None:
                hours.set_week(
                    schedule=schedule, rules=[_rule(rule) for rule in rules], by=doctor, decision=decision
                )
        return Response(_shown(Schedule.objects.get(pk=schedule.pk)))


def _shown(schedule: Schedule) -> Any:
    return ScheduleSerializer(schedule).data


class MyExceptions(APIView):
    """Days and hours other than usual."""

    permission_classes = (IsAuthenticated, IsDoctor)

    @extend_schema(responses=ExceptionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Those that are not over."""
        schedule = schedule_of(cast(User, request.user))
        coming = schedule.exceptions.filter(last_day__gte=hours.today_of(schedule))
        return Response(ExceptionSerializer(coming, many=True).data)

    @extend_schema(request=NewException, responses={201: ExceptionSerializer(many=True)})
    def post(self, request: Request) -> Response:
        """One row for each interval. Visits left outside are 409 until `decision` names them."""
        doctor = cast(User, request.user)
        asked = NewException(data=request.data)
        asked.is_valid(raise_exception=True)
        answers = asked.validated_data
        with told():
            rows = hours.add_exception(
                schedule=schedule_of(doctor),
                kind=answers["kind"],
                first_day=answers["first_day"],
                last_day=answers["last_day"],
                by=doctor,
                hours=[_hours(one) for one in answers.get("hours", [])],
                note=answers["note"],
                decision=_decision(answers),
            )
        return Response(ExceptionSerializer(rows, many=True).data, status=201)


class MyException(APIView):
    """One of them."""

    permission_classes = (IsAuthenticated, IsDoctor)

    @extend_schema(request=None, parameters=[DecisionSerializer], responses={204: None})
    def delete(self, request: Request, public_id: Any) -> Response:
        """Those days are as usual again. Visits left outside are 409 until the query decides about them."""
        doctor = cast(User, request.user)
        mine = ScheduleException.objects.filter(schedule__doctor=doctor)
        exception = get_object_or_404(mine, public_id=public_id)
        asked = DecisionSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        decision = _decision({"decision": asked.validated_data})
        with told():
            hours.remove_exception(exception=exception, by=doctor, decision=decision)
        return Response(status=204)
