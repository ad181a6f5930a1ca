"""What the two put to a visit, for apps: files, and what the patient says of it."""

from typing import Any, cast
from uuid import UUID

from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
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
from appointments.models import Appointment, Rating, VisitFile
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
    may_remove = serializers.SerializerMethodField(
        help_text="Whether one's own, and no note was signed since the patient added it."
    )

    class Meta:
        model = VisitFile
        fields = ("id", "url", "title", "content_type", "by", "created_at", "may_remove")
        read_only_fields = fields

    def get_url(self, file: VisitFile) -> str:
        args = [self.context["visit"].public_id, file.public_id]
        return reverse("api-visit-file", args=args, request=self.context["request"])

    def get_may_remove(self, file: VisitFile) -> bool:
        return file.pk in self.context["removable"]


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
        return Response(FileSerializer(files, many=True, context=_context(request, appointment)).data)

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
        return Response(FileSerializer(file, context=_context(request, appointment)).data, status=201)


def _context(request: Request, appointment: Appointment) -> dict[str, Any]:
    removable = visit_files.removable(appointment, cast(User, request.user))
    return {"request": request, "visit": appointment, "removable": removable}


class File(OfVisit):
    """One of them."""

    content_negotiation_class = FileNegotiation

    @extend_schema(
        operation_id="appointments_files_retrieve",
        responses={(200, kind): OpenApiTypes.BINARY for kind in KINDS},
    )
    def get(self, request: Request, public_id: UUID, file_id: UUID) -> HttpResponseBase:
        """The file itself."""
        found = self._find(public_id, file_id)
        self._note_file(found)
        return private_file(found.file, found.content_type, save_as=visit_files.save_as(found), max_age=0)

    @extend_schema(operation_id="appointments_files_destroy", request=None, responses={204: None})
    def delete(self, request: Request, public_id: UUID, file_id: UUID) -> Response:
        """Take back what one has added, for good: 403 for the other one's.

        409 `signed` if the doctor has signed a note since the patient added it: it stays with the visit.
        """
        found = self._find(public_id, file_id)
        if found.by_id != request.user.pk:
            raise PermissionDenied
        self._note_file(found)
        with told():
            visit_files.remove(file=found, by=request.user)
        return Response(status=204)

    def _find(self, public_id: UUID, file_id: UUID) -> VisitFile:
        files = visit_files.files_of(self.visit(public_id), cast(User, self.request.user))
        return get_object_or_404(files.select_related("appointment__patient"), public_id=file_id)

    def _note_file(self, file: VisitFile) -> None:
        record_access(self.request, file.appointment.patient, Opened.FILE, file.public_id)


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
