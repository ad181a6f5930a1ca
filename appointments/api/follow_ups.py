"""Urgent results that nothing has come of yet, for apps."""

from typing import Any, cast
from uuid import UUID

from django.db.models import F, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access_log import record_accesses
from accounts.models import Opened, User
from accounts.permissions import IsDoctor, ReadsRecords
from appointments import follow_up
from appointments.api.refusals import told
from appointments.api.serializers import PersonSerializer
from appointments.models import UrgentFollowUp
from dermaplatform.pagination import CursorPagination


class FollowUpSerializer(serializers.ModelSerializer[UrgentFollowUp]):
    """Whose urgent result waits for a visit, and since when."""

    patient = PersonSerializer(source="analysis.patient", read_only=True)
    analysis = serializers.SerializerMethodField(help_text="The result; null to administrators.")
    finished_at = serializers.DateTimeField(read_only=True, help_text="When the result was there.")
    noticed_at = serializers.DateTimeField(read_only=True, help_text="When the patient was reminded.")

    class Meta:
        model = UrgentFollowUp
        fields = ("patient", "analysis", "finished_at", "noticed_at")
        read_only_fields = fields

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_analysis(self, row: UrgentFollowUp) -> str | None:
        return str(row.analysis.public_id) if self.context["request"].user.is_doctor else None


class LongestWaiting(CursorPagination):
    page_size = 20
    ordering = ("finished_at", "id")


class FollowUps(generics.ListAPIView[UrgentFollowUp]):
    """Urgent results that nothing has come of, the longest waiting first.

    To doctors those that are open to them. Administrators read of all whose they are and since when.
    """

    serializer_class = FollowUpSerializer
    pagination_class = LongestWaiting
    permission_classes = (IsAuthenticated, ReadsRecords)
    queryset = UrgentFollowUp.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        waiting = follow_up.open_for(cast(User, self.request.user))
        named = waiting.select_related("analysis__patient__doctor_profile")
        return named.annotate(finished_at=F("analysis__finished_at"))

    def paginate_queryset(self, queryset: Any) -> Any:
        """Each patient whom this page names can read who looked."""
        page = super().paginate_queryset(queryset)
        record_accesses(self.request, [row.analysis.patient for row in page or []], Opened.PATIENTS)
        return page


class Word(serializers.Serializer[Any]):
    word = serializers.CharField(
        max_length=follow_up.LONGEST_WORD,
        allow_blank=True,
        default="",
        help_text="Why it needs no visit. It stays with the result, so it has to say something.",
    )


class Close(APIView):
    """One of them, by the id of its analysis."""

    permission_classes = (IsAuthenticated, IsDoctor)

    @extend_schema(operation_id="follow_ups_close", request=Word, responses={204: None})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Close it by a doctor's word. 409 `closed` if that was done, or a visit booked, just now."""
        doctor = cast(User, request.user)
        found = get_object_or_404(follow_up.open_for(doctor), analysis__public_id=public_id)
        asked = Word(data=request.data)
        asked.is_valid(raise_exception=True)
        with told():
            follow_up.close(follow_up=found, by=doctor, **asked.validated_data)
        return Response(status=204)
