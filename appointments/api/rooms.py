"""Where a video visit takes place, for apps."""

from typing import Any, cast
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from appointments import visits
from appointments.api.of_visit import OfVisit


class RoomSerializer(serializers.Serializer[Any]):
    """The room of a video visit. It opens some minutes before the visit begins."""

    opens_at = serializers.DateTimeField()
    url = serializers.CharField(allow_blank=True, help_text="Empty while the room is shut.")


class RoomOfVisit(OfVisit):
    """The room of a video visit."""

    @extend_schema(responses=RoomSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """For the two who meet. 404 if the visit is at the clinic, over or called off."""
        appointment = self.visit(public_id)
        room = visits.room(appointment)
        if room is None or not visits.is_open_to(appointment, cast(User, request.user)):
            raise Http404
        self.note_look(appointment)
        return Response(RoomSerializer(room).data)
