"""Free times for apps."""

import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.directory import public_doctors
from accounts.models import User
from appointments import picking
from appointments.api.refusals import SlotSerializer, as_slots
from appointments.api.serializers import SlotQuery
from appointments.availability import bookable
from appointments.models import Schedule

FREE_TIMES = inline_serializer("FreeTimes", {"results": SlotSerializer(many=True)})


class SlotList(APIView):
    """Free times of a doctor of the directory. Nobody needs to sign in."""

    permission_classes = (AllowAny,)

    @extend_schema(operation_id="doctors_slots_list", parameters=[SlotQuery], responses=FREE_TIMES)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Free times on these days; without `length` those of the doctor's shortest visit."""
        doctor = get_object_or_404(public_doctors(), user__public_id=public_id).user
        query = SlotQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        return Response({"results": as_slots(_free(request.user, doctor, query.validated_data))})


def _free(user: Any, doctor: User, asked: dict[str, Any]) -> list[Any]:
    schedule = bookable(doctor)
    if schedule is None:
        return []
    patient = user if isinstance(user, User) and user.is_patient else None
    zone = user.zone if isinstance(user, User) else ZoneInfo("UTC")
    named = [str(asked["analysis"])] if "analysis" in asked else []
    days = window(asked, schedule, zone)
    if days is None:
        return []
    return picking.free_for(
        patient,
        schedule,
        length=asked.get("length") or min(schedule.lengths),
        since=days[0],
        until=days[1],
        urgent=picking.urgent_result(user, named) is not None,
    )


def window(
    asked: dict[str, Any], schedule: Schedule, zone: ZoneInfo
) -> tuple[datetime.datetime, datetime.datetime] | None:
    """From when until when to look; none if nothing can be free on these days.

    Nothing is free before today or beyond the horizon, and no calendar ends there.
    """
    today = timezone.localdate(timezone=zone)
    first = max(asked["from"], today)
    last = min(asked["to"], today + datetime.timedelta(days=schedule.horizon_days + 1))
    if first > last:
        return None
    return _midnight(first, zone), _midnight(last + datetime.timedelta(days=1), zone)


def _midnight(day: datetime.date, zone: ZoneInfo) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time.min, zone)
