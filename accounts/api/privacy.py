"""Consents and copies of one's data, for apps."""

from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from accounts.consents import ConsentState, consent_state, consent_states, consent_text
from accounts.exporting import request_export
from accounts.models import Consent, ConsentKind, DataExport, User
from accounts.models.privacy import DataExportQuerySet
from accounts.permissions import IsPatient
from accounts.services import give_consent, withdraw_consent
from dermaplatform.files import private_file
from dermaplatform.negotiation import FileNegotiation
from dermaplatform.problems import Problem


class GivenSerializer(serializers.ModelSerializer[Consent]):
    class Meta:
        model = Consent
        fields = ("version", "given_at", "withdrawn_at")
        read_only_fields = fields


class ConsentSerializer(serializers.Serializer[ConsentState]):
    """One question: its present text, whether that is agreed to, and every answer so far."""

    kind = serializers.ChoiceField(choices=ConsentKind.choices)
    title = serializers.CharField()
    version = serializers.IntegerField(help_text="Of the present text.")
    text = serializers.SerializerMethodField(help_text="The present text as HTML.")
    given = serializers.BooleanField(source="is_given", help_text="Whether the present text is agreed to.")
    without = serializers.CharField(help_text="What it means not to agree.")
    history = GivenSerializer(many=True)
    url = serializers.SerializerMethodField()

    def get_text(self, state: ConsentState) -> str:
        return consent_text(state.kind)

    def get_url(self, state: ConsentState) -> str:
        return reverse("api-consent-detail", args=[state.kind], request=self.context["request"])


class Agreement(serializers.Serializer[Any]):
    version = serializers.IntegerField(help_text="Of the text that the person has read.")


class _ConsentView(APIView):
    permission_classes = (IsAuthenticated, IsPatient)

    def answer(self, state: ConsentState) -> Response:
        return Response(ConsentSerializer(state, context={"request": self.request}).data)

    def state_of(self, request: Request, kind: str) -> ConsentState:
        if kind not in ConsentKind.values:
            raise Http404
        return consent_state(cast(User, request.user), ConsentKind(kind))


class ConsentListView(_ConsentView):
    @extend_schema(operation_id="me_consents_list", responses=ConsentSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Everything that a patient may agree to."""
        states = consent_states(cast(User, request.user))
        answer = ConsentSerializer(states, many=True, context={"request": request})  # type: ignore[arg-type]
        return Response(answer.data)


class ConsentDetailView(_ConsentView):
    @extend_schema(operation_id="me_consents_retrieve", responses=ConsentSerializer)
    def get(self, request: Request, kind: str) -> Response:
        return self.answer(self.state_of(request, kind))

    @extend_schema(operation_id="me_consents_give", request=Agreement, responses=ConsentSerializer)
    def post(self, request: Request, kind: str) -> Response:
        """Agree to the text. 409 `consent_outdated` if it is not the present one that was read."""
        state = self.state_of(request, kind)
        asked = Agreement(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            give_consent(
                user=cast(User, request.user), kind=state.kind, version=asked.validated_data["version"]
            )
        except ValidationError as error:
            detail = " ".join(error.messages)
            raise Problem(
                status=409, code="consent_outdated", detail=detail, version=state.version
            ) from error
        return self.answer(self.state_of(request, kind))

    @extend_schema(operation_id="me_consents_withdraw", request=None, responses=ConsentSerializer)
    def delete(self, request: Request, kind: str) -> Response:
        """Withdraw the consent. What was done with it before stays."""
        withdraw_consent(user=cast(User, request.user), kind=self.state_of(request, kind).kind)
        return self.answer(self.state_of(request, kind))


class ExportSerializer(serializers.ModelSerializer[DataExport]):
    """A copy of everything that is kept about a person. `file` is there while it can be downloaded."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    url = serializers.SerializerMethodField()
    file = serializers.SerializerMethodField(help_text="A ZIP; needs the same session token.")

    class Meta:
        model = DataExport
        fields = (
            "id",
            "url",
            "status",
            "progress",
            "size",
            "created_at",
            "finished_at",
            "expires_at",
            "file",
        )
        read_only_fields = fields

    def get_url(self, export: DataExport) -> str:
        return reverse("api-export-detail", args=[export.public_id], request=self.context["request"])

    def get_file(self, export: DataExport) -> str | None:
        if not export.is_downloadable:
            return None
        return reverse("api-export-file", args=[export.public_id], request=self.context["request"])


class _ExportView(APIView):
    def exports(self) -> DataExportQuerySet:
        return DataExport.objects.visible_to(self.request.user)


class ExportListView(_ExportView):
    @extend_schema(operation_id="me_exports_list", responses=ExportSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The last copies, the newest first."""
        return Response(ExportSerializer(self.exports()[:20], many=True, context={"request": request}).data)

    @extend_schema(operation_id="me_exports_create", request=None, responses={202: ExportSerializer})
    def post(self, request: Request) -> Response:
        """Ask for a copy. One that is being prepared already is enough."""
        export = request_export(user=cast(User, request.user))
        answer = ExportSerializer(export, context={"request": request}).data
        return Response(answer, status=202, headers={"Location": answer["url"]})


class ExportDetailView(_ExportView):
    @extend_schema(operation_id="me_exports_retrieve", responses=ExportSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """How far a copy is."""
        export = get_object_or_404(self.exports(), public_id=public_id)
        return Response(ExportSerializer(export, context={"request": request}).data)


class ExportFileView(_ExportView):
    content_negotiation_class = FileNegotiation

    @extend_schema(operation_id="me_exports_file", responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, public_id: UUID) -> HttpResponseBase:
        """The copy itself, while it is kept."""
        export = get_object_or_404(self.exports().downloadable(), public_id=public_id)
        name = f"derma-{export.created_at:%Y-%m-%d}.zip"
        return private_file(export.file, "application/zip", save_as=name, max_age=0)


urlpatterns = [
    path("me/consents/", ConsentListView.as_view(), name="api-consent-list"),
    path("me/consents/<slug:kind>/", ConsentDetailView.as_view(), name="api-consent-detail"),
    path("me/exports/", ExportListView.as_view(), name="api-export-list"),
    path("me/exports/<uuid:public_id>/", ExportDetailView.as_view(), name="api-export-detail"),
    path("me/exports/<uuid:public_id>/file/", ExportFileView.as_view(), name="api-export-file"),
]
