from typing import Any, cast
from uuid import UUID

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.throttling import BaseThrottle

from accounts.access_log import record_access, record_accesses
from accounts.models import Opened, User
from accounts.permissions import IsPatient
from dermaplatform.negotiation import FileNegotiation
from dermaplatform.pagination import CursorPagination
from dermaplatform.problems import Problem
from dermaplatform.throttling import UploadThrottle
from diagnosis.api.serializers import AnalysisSerializer, ListQuery, Upload
from diagnosis.files import image_response
from diagnosis.models import Analysis, AnalysisQuerySet
from diagnosis.services import ConsentRequired, submit_analysis
from diagnosis.uploads import UploadRefused


class NewestFirst(CursorPagination):
    page_size = 20
    ordering = ("-created_at", "-id")


@extend_schema_view(
    list=extend_schema(
        parameters=[OpenApiParameter("patient", UUID, description="Only analyses of this patient.")]
    )
)
class AnalysisViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Analysis]):
    """A patient's own analyses; to a doctor, those that patients have opened to them."""

    serializer_class = AnalysisSerializer
    pagination_class = NewestFirst
    parser_classes = (MultiPartParser,)
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    queryset = Analysis.objects.none()

    def get_queryset(self) -> AnalysisQuerySet:
        return Analysis.objects.visible_to(self.request.user).select_related("patient")

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated(), IsPatient()] if self.action == "create" else [IsAuthenticated()]

    def get_throttles(self) -> list[BaseThrottle]:
        return super().get_throttles() + ([UploadThrottle()] if self.action == "create" else [])

    def filter_queryset(self, queryset: Any) -> Any:
        asked = ListQuery(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        patient = asked.validated_data.get("patient")
        return queryset.filter(patient__public_id=patient) if patient else queryset

    def paginate_queryset(self, queryset: Any) -> Any:
        """Each patient of whom this page shows something can read who looked."""
        page = super().paginate_queryset(queryset)
        record_accesses(self.request, [analysis.patient for analysis in page or []], Opened.ANALYSES)
        return page

    def retrieve(self, request: Request, public_id: Any) -> Response:
        return Response(self.get_serializer(self._open(Opened.ANALYSIS)).data)

    def _open(self, opened: Opened) -> Analysis:
        analysis = self.get_object()
        record_access(self.request, analysis.patient, opened, analysis.public_id)
        return analysis

    @extend_schema(
        request={"multipart/form-data": Upload},
        responses={202: AnalysisSerializer, 200: AnalysisSerializer},
    )
    def create(self, request: Request) -> Response:
        """Send an image. 202 if it is queued now, 200 if the same image was sent before."""
        asked = Upload(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        try:
            submission = submit_analysis(
                patient=cast(User, request.user),
                upload=fields["image"],
                image_type=fields["image_type"],
                body_site=fields["body_site"],
            )
        except UploadRefused as refusal:
            status = 413 if refusal.code == "too_large" else 400
            errors = [{"field": "image", "code": refusal.code, "detail": refusal.sentence}]
            raise Problem(
                status=status, code=refusal.code, detail=refusal.sentence, errors=errors
            ) from refusal
        except ConsentRequired as error:
            raise Problem(
                status=403,
                code="consent_required",
                detail=_("Consent to the analysis of images is needed first."),
                consent_url=reverse("accounts:consent", request=request),
            ) from error
        analysis = self.get_serializer(submission.analysis).data
        return Response(
            analysis, status=202 if submission.created else 200, headers={"Location": analysis["url"]}
        )

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"], content_negotiation_class=FileNegotiation)
    def image(self, request: Request, public_id: Any) -> HttpResponseBase:
        """The image as it was examined."""
        analysis = self._open(Opened.IMAGE)
        return image_response(analysis.image, "image/png", kept=analysis.patient == request.user)
