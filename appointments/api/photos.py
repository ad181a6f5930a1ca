"""New pictures that doctors ask for, for apps."""

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.permissions import IsPatient
from appointments import photos, visits
from appointments.api.of_visit import OfVisit
from appointments.api.refusals import told
from appointments.api.serializers import PersonSerializer
from appointments.models import PhotoRequest
from dermaplatform.pagination import CursorPagination


class PhotoRequestSerializer(serializers.ModelSerializer[PhotoRequest]):
    """That a doctor asks for a new picture by a day. The patient's next analysis answers it."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    appointment = serializers.UUIDField(source="appointment.public_id", read_only=True)
    doctor = PersonSerializer(read_only=True)
    state = serializers.SerializerMethodField()
    analysis = serializers.SerializerMethodField(
        help_text="What answered it; null to a doctor whom the record is closed to."
    )

    class Meta:
        model = PhotoRequest
        fields = (
            "id",
            "appointment",
            "doctor",
            "due_on",
            "note",
            "state",
            "analysis",
            "created_at",
            "closed_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=["open", "answered", "withdrawn"]))
    def get_state(self, request: PhotoRequest) -> str:
        if request.closed_at is None:
            return "open"
        return "answered" if request.analysis_id else "withdrawn"

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_analysis(self, request: PhotoRequest) -> str | None:
        shown = request.analysis is not None and self.context.get("is_open", True)
        return str(request.analysis.public_id) if shown and request.analysis else None


_WEEKS = _("Choose between 1 and 52 weeks.")


class NewPhotoRequest(serializers.Serializer[PhotoRequest]):
    weeks = serializers.IntegerField(
        min_value=1,
        max_value=photos.LONGEST_WEEKS,
        help_text="In how many.",
        error_messages=dict.fromkeys(("invalid", "max_value", "min_value", "required"), _WEEKS),
    )
    note = serializers.CharField(
        max_length=300, allow_blank=True, default="", help_text="What to photograph."
    )


class PhotosOfVisit(OfVisit):
    """New pictures that the doctor of a visit asks for."""

    @extend_schema(
        operation_id="appointments_photo_requests_list", responses=PhotoRequestSerializer(many=True)
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """What is due first."""
        appointment = self.visit(public_id)
        self.note_look(appointment)
        asked_for = photos.requests_of(appointment)
        context = {"is_open": visits.is_open_to(appointment, cast(User, request.user))}
        return Response(PhotoRequestSerializer(asked_for, many=True, context=context).data)

    @extend_schema(
        operation_id="appointments_photo_requests_create",
        request=NewPhotoRequest,
        responses={201: PhotoRequestSerializer},
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """The doctor asks, once the patient has been checked in. 409 `asked` while one is open."""
        appointment = self.visit_as_doctor(public_id)
        asked = NewPhotoRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        with told():
            wanted = photos.ask(appointment=appointment, by=cast(User, request.user), **asked.validated_data)
        return Response(PhotoRequestSerializer(wanted).data, status=201)


class PhotoOfVisit(OfVisit):
    """One of them."""

    @extend_schema(operation_id="appointments_photo_requests_destroy", request=None, responses={204: None})
    def delete(self, request: Request, public_id: UUID, request_id: UUID) -> Response:
        """The doctor asks no longer; a patient who was reminded is told. 409 `closed` if it is not open."""
        asked_for = photos.requests_of(self.visit_as_doctor(public_id))
        with told():
            photos.withdraw(
                request=get_object_or_404(asked_for, public_id=request_id), by=cast(User, request.user)
            )
        return Response(status=204)


class NewestFirst(CursorPagination):
    page_size = 20
    ordering = ("-created_at", "-id")


class MyPhotoRequests(generics.ListAPIView[PhotoRequest]):
    """New pictures that the patient who is signed in was asked for, the latest first."""

    serializer_class = PhotoRequestSerializer
    pagination_class = NewestFirst
    permission_classes = (IsAuthenticated, IsPatient)
    queryset = PhotoRequest.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return photos.requests_to(cast(User, self.request.user))
