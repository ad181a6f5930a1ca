"""The private address of one's visits for calendar programs, for apps."""

from typing import Any, cast

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.permissions import HasVisits
from appointments import feeds
from appointments.models import CalendarFeed
from dermaplatform.fields import Flag


class FeedSerializer(serializers.ModelSerializer[CalendarFeed]):
    """An address that is in use. The address itself is told once, when it is made."""

    class Meta:
        model = CalendarFeed
        fields: tuple[str, ...] = ("with_names", "created_at")
        read_only_fields = fields


class NewFeedSerializer(FeedSerializer):
    """An address that was made just now: whoever has it reads what it shows."""

    address = serializers.SerializerMethodField(help_text="Told only now; Derma keeps no copy.")

    class Meta(FeedSerializer.Meta):
        fields = ("address", *FeedSerializer.Meta.fields)
        read_only_fields = fields

    def get_address(self, feed: CalendarFeed) -> str:
        return str(self.context["address"])


class NewFeed(serializers.Serializer[Any]):
    with_names = Flag(
        default=False, help_text="For doctors: with the names of patients. Patients' own is always without."
    )


class MyCalendar(APIView):
    """The calendar address of the patient or doctor who is signed in."""

    permission_classes = (IsAuthenticated, HasVisits)

    @extend_schema(operation_id="me_calendar_retrieve", responses=FeedSerializer)
    def get(self, request: Request) -> Response:
        """The one that is in use; 404 if there is none."""
        return Response(FeedSerializer(self._in_use()).data)

    @extend_schema(operation_id="me_calendar_create", request=NewFeed, responses={201: NewFeedSerializer})
    def post(self, request: Request) -> Response:
        """Make an address, with or without names. The one before stops working."""
        asked = NewFeed(data=request.data)
        asked.is_valid(raise_exception=True)
        address = feeds.make(user=cast(User, request.user), **asked.validated_data)
        answer = NewFeedSerializer(self._in_use(), context={"address": address})
        return Response(answer.data, status=201)

    @extend_schema(operation_id="me_calendar_revoke", request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Stop the address. Twice is no error."""
        feeds.revoke(user=cast(User, request.user))
        return Response(status=204)

    def _in_use(self) -> CalendarFeed:
        feed = feeds.in_use(cast(User, self.request.user))
        if feed is None:
            raise Http404
        return feed
