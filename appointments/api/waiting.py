"""The waiting list for apps."""

from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.permissions import IsPatient
from appointments import waitlist
from appointments.api.refusals import doctor_or_refusal, told
from appointments.api.serializers import LONGEST_REASON, AppointmentSerializer, PersonSerializer, length_field
from appointments.models import Appointment, WaitlistEntry, WaitStatus
from dermaplatform.problems import Problem


class WaitSerializer(serializers.ModelSerializer[WaitlistEntry]):
    """That somebody waits for an earlier time; `offer` is one that is held for them."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    doctor = PersonSerializer(read_only=True)
    status = serializers.ChoiceField(choices=WaitStatus.choices, read_only=True)
    appointment = serializers.UUIDField(
        source="appointment.public_id", read_only=True, default=None, allow_null=True
    )
    offer = AppointmentSerializer(read_only=True, allow_null=True)

    class Meta:
        model = WaitlistEntry
        fields = ("id", "doctor", "status", "length", "before", "appointment", "offer", "created_at")
        read_only_fields = fields


class NewWait(serializers.Serializer[Any]):
    """For a visit of one's own, an earlier one; or for a doctor, the first that becomes free."""

    appointment = serializers.UUIDField(required=False)
    doctor = serializers.UUIDField(required=False)
    length = length_field(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("appointment" in attrs) == ("doctor" in attrs):
            raise serializers.ValidationError({"appointment": _("Name a visit or a doctor.")}, code="either")
        if "doctor" in attrs and "length" not in attrs:
            raise serializers.ValidationError(
                {"length": _("Say how long the visit is to be.")}, code="required"
            )
        return attrs


def _mine(request: Request) -> QuerySet[WaitlistEntry]:
    return (
        WaitlistEntry.objects.filter(patient=cast(User, request.user))
        .select_related(
            "doctor__doctor_profile",
            "patient",
            "appointment",
            "offer__doctor__doctor_profile",
            "offer__patient",
        )
        .prefetch_related("offer__attached")
    )


class MyWaits(APIView):
    """The waiting list of the patient who is signed in."""

    permission_classes = (IsAuthenticated, IsPatient)

    @extend_schema(responses=WaitSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What one waits for now."""
        entries = _mine(request).filter(status__in=(WaitStatus.WAITING, WaitStatus.OFFERED))
        return Response(WaitSerializer(entries, many=True, context={"request": request}).data)

    @extend_schema(request=NewWait, responses={201: WaitSerializer})
    def post(self, request: Request) -> Response:
        """Wait. Whoever waits for this doctor already goes on waiting, in the same place."""
        asked = NewWait(data=request.data)
        asked.is_valid(raise_exception=True)
        patient, answers = cast(User, request.user), asked.validated_data
        with told():
            if "appointment" in answers:
                mine = Appointment.objects.visible_to(patient)
                visit = get_object_or_404(mine, public_id=answers["appointment"])
                entry = waitlist.join(patient=patient, doctor=visit.doctor, appointment=visit)
            else:
                doctor = doctor_or_refusal(answers["doctor"])
                entry = waitlist.join(patient=patient, doctor=doctor, length=answers["length"])
        shown = _mine(request).get(pk=entry.pk)
        return Response(WaitSerializer(shown, context={"request": request}).data, status=201)


class MyWait(APIView):
    """One place on it."""

    permission_classes = (IsAuthenticated, IsPatient)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, public_id: Any) -> Response:
        """Wait no longer; what is offered goes to the next."""
        waitlist.leave(entry=get_object_or_404(_mine(request), public_id=public_id))
        return Response(status=204)


class Taken(serializers.Serializer[Any]):
    """Words for a first visit, as in a booking. A visit that moves keeps its own."""

    reason = serializers.CharField(max_length=LONGEST_REASON, allow_blank=True, default="")
    analyses = serializers.ListField(
        child=serializers.UUIDField(), default=list, max_length=100, help_text="One's own, to attach."
    )


class DeclineOffer(APIView):
    """What is offered from the waiting list, to the next."""

    permission_classes = (IsAuthenticated, IsPatient)

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, public_id: Any) -> Response:
        """Not this time: one goes on waiting. 409 `offer_ended` if nothing is offered."""
        if not waitlist.decline(entry=get_object_or_404(_mine(request), public_id=public_id)):
            raise Problem(status=409, code="offer_ended", detail=_("This offer has ended."))
        return Response(status=204)


class TakeOffer(APIView):
    """What is offered from the waiting list."""

    permission_classes = (IsAuthenticated, IsPatient)

    @extend_schema(request=Taken, responses=AppointmentSerializer)
    def post(self, request: Request, public_id: Any) -> Response:
        """Book it; the visit that it is earlier than moves there."""
        entry = get_object_or_404(_mine(request), public_id=public_id)
        asked = Taken(data=request.data)
        asked.is_valid(raise_exception=True)
        with told():
            visit = waitlist.take(entry=entry, **asked.validated_data)
        shown = Appointment.objects.visible_to(request.user).get(pk=visit.pk)
        return Response(AppointmentSerializer(shown, context={"request": request}).data)
