from typing import Any, cast

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.models import User
from accounts.permissions import IsPatient
from dermaplatform.problems import Problem
from diagnosis.api.serializers import AnalysisSerializer, Upload
from diagnosis.files import image_response
from diagnosis.models import Analysis, AnalysisQuerySet
from diagnosis.services import ConsentRequired, submit_analysis
from diagnosis.uploads import UploadRefused


class NewestFirst(CursorPagination):
    page_size = 20
    ordering = ("-created_at", "-id")


class AnalysisViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Analysis]):
    """The analyses of the person who is signed in."""

    serializer_class = AnalysisSerializer
    pagination_class = NewestFirst
    parser_classes = (MultiPartParser,)
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    queryset = Analysis.objects.none()

    def get_queryset(self) -> AnalysisQuerySet:
        return Analysis.objects.visible_to(self.request.user)

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated(), IsPatient()] if self.action == "create" else [IsAuthenticated()]

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
    @action(detail=True, methods=["get"])
    def image(self, request: Request, public_id: Any) -> HttpResponseBase:
        """The image as it was examined."""
        return image_response(self.get_object().image, "image/png")
