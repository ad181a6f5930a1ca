"""Endpoints for those who read patients' records."""

from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.access_log import record_access, record_accesses
from accounts.models import Opened, PatientProfile, User
from accounts.permissions import ReadsRecords
from dermaplatform.pagination import CursorPagination
from diagnosis.api.serializers import AnalysisSerializer
from diagnosis.models import Analysis
from diagnosis.patients import Reading, reading, visible_patients

NEWEST = 20


class PatientSerializer(serializers.ModelSerializer[User]):
    """A patient of whom the whole record or some analyses are open to the person who is signed in."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    url = serializers.SerializerMethodField(help_text="Where to read this record.")
    whole_record = serializers.BooleanField(
        read_only=True, help_text="False: only some analyses are open, and not the profile."
    )
    shared_at = serializers.DateTimeField(read_only=True, help_text="Since when, of what was opened last.")

    class Meta:
        model = User
        fields: tuple[str, ...] = ("id", "url", "name", "whole_record", "shared_at")
        read_only_fields = fields

    def get_url(self, patient: User) -> str:
        return reverse("api-patient-detail", args=[patient.public_id], request=self.context["request"])


class ProfileOfPatient(serializers.ModelSerializer[PatientProfile]):
    """What a patient has answered; empty or null is what they have not."""

    class Meta:
        model = PatientProfile
        fields = (
            "date_of_birth",
            "sex",
            "skin_type",
            "allergies",
            "medication",
            "skin_cancer_history",
            "updated_at",
        )
        read_only_fields = fields


class RecordSerializer(PatientSerializer):
    """A patient's record, as far as it is open."""

    profile = serializers.SerializerMethodField(help_text="Null if the profile is not open, or empty.")
    analyses = serializers.SerializerMethodField(help_text=f"The newest {NEWEST} of those that are open.")
    analyses_url = serializers.SerializerMethodField(help_text="All of them, in pages.")

    class Meta(PatientSerializer.Meta):
        fields: tuple[str, ...] = (*PatientSerializer.Meta.fields, "profile", "analyses", "analyses_url")
        read_only_fields = fields

    @extend_schema_field(ProfileOfPatient(allow_null=True))
    def get_profile(self, patient: User) -> dict[str, Any] | None:
        opened: Reading = self.context["reading"]
        return ProfileOfPatient(opened.profile).data if opened.profile else None

    @extend_schema_field(AnalysisSerializer(many=True))
    def get_analyses(self, patient: User) -> Any:
        user = self.context["request"].user
        analyses = Analysis.objects.visible_to(user).filter(patient=patient).select_related("patient")
        return AnalysisSerializer(analyses[:NEWEST], many=True, context=self.context).data

    def get_analyses_url(self, patient: User) -> str:
        url = reverse("api-analysis-list", request=self.context["request"])
        return f"{url}?patient={patient.public_id}"


class LatestOpened(CursorPagination):
    page_size = 20
    ordering = ("-shared_at", "-id")


class PatientViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[User]):
    """Patients who have opened something to a doctor, or whom an administrator reads in an emergency."""

    serializer_class = PatientSerializer
    pagination_class = LatestOpened
    permission_classes = (IsAuthenticated, ReadsRecords)
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    queryset = User.objects.none()

    def get_queryset(self) -> QuerySet[User]:
        return visible_patients(cast(User, self.request.user))

    def paginate_queryset(self, queryset: Any) -> Any:
        """Each patient whom this page names can read who looked."""
        page = super().paginate_queryset(queryset)
        record_accesses(self.request, page or [], Opened.PATIENTS)
        return page

    @extend_schema(responses=RecordSerializer)
    def retrieve(self, request: Request, public_id: Any) -> Response:
        """A record: the profile, where it is open, and the newest analyses that are."""
        patient = self.get_object()
        opened = reading(cast(User, request.user), patient)
        record_access(request, patient, Opened.RECORD if opened.whole_record else Opened.ANALYSES)
        context = {**self.get_serializer_context(), "reading": opened}
        return Response(RecordSerializer(patient, context=context).data)
