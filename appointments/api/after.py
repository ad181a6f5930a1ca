"""What the two put to a visit, for apps: files, and what the patient says of it."""

from typing import cast
from uuid import UUID

from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.throttling import BaseThrottle

from accounts import documents
from accounts.access_log import record_access
from accounts.models import Opened, User
from appointments import ratings, visit_files
from appointments.api.of_visit import OfVisit
from appointments.api.refusals import told
from appointments.api.serializers import PersonSerializer
from appointments.models import Rating, VisitFile
from dermaplatform.files import private_file
from dermaplatform.negotiation import FileNegotiation
from dermaplatform.throttling import UploadThrottle

KINDS = (documents.PDF, documents.JPEG, documents.PNG)


class FileSerializer(serializers.ModelSerializer[VisitFile]):
    """A file of a visit."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    url = serializers.SerializerMethodField(help_text="The file itself; needs the same session token.")
    content_type = serializers.ChoiceField(choices=KINDS, read_only=True, help_text="As recognised.")
    by = PersonSerializer(read_only=True)

    class Meta:
        model = VisitFile
        fields = ("id", "url", "title", "content_type", "by", "created_at")
        read_only_fields = fields

    def get_url(self, file: VisitFile) -> str:
        args = [self.context["visit"].public_id, file.public_id]
        return reverse("api-visit-file", args=args, request=self.context["request"])


class NewFile(serializers.Serializer[VisitFile]):
    """A PDF, JPEG or PNG of up to 10 MB, as its content says. Without a title it has the name of the file."""

    file = serializers.FileField(
        allow_empty_file=True,
        error_messages={
            "required": _("Choose a file first."),
            "invalid": _("Send a file in the field “file” (multipart/form-data)."),
        },
    )
    title = serializers.CharField(max_length=150, allow_blank=True, default="")


class Files(OfVisit):
    """Files of a visit."""

    parser_classes = (MultiPartParser,)

    def get_throttles(self) -> list[BaseThrottle]:
        return super().get_throttles() + ([UploadThrottle()] if self.request.method == "POST" else [])

    @extend_schema(operation_id="appointments_files_list", responses=FileSerializer(many=True))
    def get(self, request: Request, public_id: UUID) -> Response:
        """The first first. Once the record is closed to the doctor, only what the doctor added."""
        appointment = self.visit(public_id)
        self.note_look(appointment)
        files = visit_files.files_of(appointment, cast(User, request.user))
        context = {"request": request, "visit": appointment}
        return Response(FileSerializer(files, many=True, context=context).data)

    @extend_schema(
        operation_id="appointments_files_create",
        request={"multipart/form-data": NewFile},
        responses={201: FileSerializer},
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Add one. The other one of this visit can open it; nobody else can."""
        appointment = self.visit(public_id)
        asked = NewFile(data=request.data)
        asked.is_valid(raise_exception=True)
        answers = asked.validated_data
        with told():
            file = visit_files.add(
                appointment=appointment,
                by=cast(User, request.user),
                upload=answers["file"],
                title=answers["title"],
            )
        context = {"request": request, "visit": appointment}
        return Response(FileSerializer(file, context=context).data, status=201)


class File(OfVisit):
    """One of them."""

    content_negotiation_class = FileNegotiation

    @extend_schema(
        operation_id="appointments_files_retrieve",
        responses={(200, kind): OpenApiTypes.BINARY for kind in KINDS},
    )
    def get(self, request: Request, public_id: UUID, file_id: UUID) -> HttpResponseBase:
        """The file itself."""
        appointment = self.visit(public_id)
        files = visit_files.files_of(appointment, cast(User, request.user))
        found = get_object_or_404(files, public_id=file_id)
        record_access(request, appointment.patient, Opened.FILE, found.public_id)
        return private_file(found.file, found.content_type, save_as=visit_files.save_as(found), max_age=0)


class RatingSerializer(serializers.ModelSerializer[Rating]):
    """What the patient says of a visit; the comment is for the doctor alone."""

    class Meta:
        model = Rating
        fields = ("stars", "comment", "created_at")
        read_only_fields = fields


_STARS = _("Choose between one and five stars.")


class NewRating(serializers.Serializer[Rating]):
    stars = serializers.IntegerField(
        min_value=1,
        max_value=5,
        error_messages=dict.fromkeys(("invalid", "max_value", "min_value", "required"), _STARS),
    )
    comment = serializers.CharField(
        max_length=1000, allow_blank=True, default="", help_text="The doctor reads it, nobody else does."
    )


class RatingOfVisit(OfVisit):
    """The rating of a visit."""

    @extend_schema(responses=RatingSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """What the patient said; 404 while that is nothing."""
        appointment = self.visit(public_id)
        rating = Rating.objects.filter(appointment=appointment).first()
        if rating is None:
            raise Http404
        self.note_look(appointment)
        return Response(RatingSerializer(rating).data)

    @extend_schema(request=NewRating, responses={201: RatingSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """The patient rates a completed visit, once. 409 `rated` after that, `wrong_state` before."""
        appointment = self.visit_as_patient(public_id)
        asked = NewRating(data=request.data)
        asked.is_valid(raise_exception=True)
        with told():
            rating = ratings.rate(
                appointment=appointment, by=cast(User, request.user), **asked.validated_data
            )
        return Response(RatingSerializer(rating).data, status=201)
