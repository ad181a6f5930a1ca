"""What people were told, and how they want to be told, for apps."""

from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import notices
from accounts.models import Notice, NoticeGroup, User
from accounts.reading import as_seen_by
from dermaplatform.addresses import absolute
from dermaplatform.fields import Flag
from dermaplatform.pagination import CursorPagination
from dermaplatform.problems import Problem


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    """One thing that a person was told."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    text = serializers.SerializerMethodField(help_text="In the language and zone of the person.")
    page = serializers.SerializerMethodField(help_text="The page that it is about, or null.")

    class Meta:
        model = Notice
        fields = ("id", "kind", "text", "page", "created_at", "read_at")
        read_only_fields = fields

    def get_text(self, notice: Notice) -> str:
        with as_seen_by(notice.recipient):  # apps have no cookie by which the middleware would know them
            return notices.told([notice])[0].words

    def get_page(self, notice: Notice) -> str | None:
        return absolute(notice.url) if notice.url else None


class LatestFirst(CursorPagination):
    page_size = 30
    ordering = ("-created_at", "-id")


class NoticeList(generics.ListAPIView[Notice]):
    """What you were told, the latest first."""

    serializer_class = NoticeSerializer
    pagination_class = LatestFirst
    queryset = Notice.objects.none()

    def get_queryset(self) -> QuerySet[Notice]:
        return notices.of(cast(User, self.request.user)).select_related("recipient")


class NoticeRead(APIView):
    """One of them."""

    @extend_schema(operation_id="me_notices_read", request=None, responses=NoticeSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Mark it as read. Doing it again changes nothing."""
        found = notices.read(user=cast(User, request.user), public_id=public_id)
        if found is None:
            raise Http404
        found.refresh_from_db()
        return Response(NoticeSerializer(found).data)


class NoticesRead(APIView):
    """All of them."""

    @extend_schema(operation_id="me_notices_read_all", request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """Mark all as read."""
        notices.read_all(user=cast(User, request.user))
        return Response(status=204)


class WaysSerializer(serializers.Serializer[Any]):
    """By which ways to be told things of one group; neither is not at all."""

    email = Flag(required=False)
    in_app = Flag(required=False)


class ChoicesSerializer(serializers.Serializer[Any]):
    """The ways for each group. What is about the account or safety is in no group, and always comes."""

    def get_fields(self) -> dict[str, Any]:
        return {
            group.value: WaysSerializer(required=False, help_text=str(group.label)) for group in NoticeGroup
        }


class NoticeChoices(APIView):
    """How the person who is signed in wants to be told things."""

    @extend_schema(operation_id="me_notices_choices_retrieve", responses=ChoicesSerializer)
    def get(self, request: Request) -> Response:
        """The groups that this person can be told of: patients are told nothing of sharing."""
        return Response(self._choices())

    @extend_schema(
        operation_id="me_notices_choices_update", request=ChoicesSerializer, responses=ChoicesSerializer
    )
    def patch(self, request: Request) -> Response:
        """Change some of it. What is not sent stays as it is. A group that is not theirs is 400."""
        asked = ChoicesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        present = self._choices()
        chosen = {
            group: [way for way, wanted in (present.get(group, {}) | ways).items() if wanted]
            for group, ways in asked.validated_data.items()
        }
        try:
            notices.choose(user=cast(User, request.user), chosen=chosen)
        except ValidationError as error:
            raise Problem(status=400, code=str(error.code), detail=" ".join(error.messages)) from error
        return Response(self._choices())

    def _choices(self) -> dict[str, dict[str, bool]]:
        choices = notices.choices_of(cast(User, self.request.user))
        return {
            group.value: {way.value: way in ways for way in notices.Way} for group, ways in choices.items()
        }


urlpatterns: list[Any] = [
    path("me/notices/", NoticeList.as_view(), name="api-notice-list"),
    path("me/notices/choices/", NoticeChoices.as_view(), name="api-notice-choices"),
    path("me/notices/read/", NoticesRead.as_view(), name="api-notices-read"),
    path("me/notices/<uuid:public_id>/read/", NoticeRead.as_view(), name="api-notice-read"),
]
