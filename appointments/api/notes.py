"""A doctor's notes on a visit, for apps: drafted alone, signed for good, amended by another note."""

from dataclasses import asdict
from typing import Any, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from appointments import notes
from appointments.api.of_visit import OfVisit
from appointments.api.refusals import told
from appointments.models import Appointment, VisitNote

LONGEST = 4000  # characters of each text


class NoteSerializer(serializers.ModelSerializer[VisitNote]):
    """A note. It is a draft, which only the doctor reads, while `signed_at` is null."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    amends = serializers.UUIDField(
        source="amends.public_id",
        read_only=True,
        default=None,
        allow_null=True,
        help_text="The signed note before it.",
    )
    private = serializers.SerializerMethodField(help_text="For the doctor alone; empty for the patient.")

    class Meta:
        model = VisitNote
        fields = (
            "id",
            "amends",
            "diagnosis",
            "advice",
            "prescription",
            "follow_up_on",
            "private",
            "updated_at",
            "signed_at",
        )
        read_only_fields = fields

    def get_private(self, note: VisitNote) -> str:
        return note.private if self.context["request"].user.pk == note.author_id else ""


class NotesSerializer(serializers.Serializer[Any]):
    """What was signed, the first first: the last one holds. `draft` is null for the patient."""

    signed = NoteSerializer(many=True)
    draft = NoteSerializer(allow_null=True)


def _text(help_text: str = "") -> serializers.CharField:
    return serializers.CharField(max_length=LONGEST, allow_blank=True, required=False, help_text=help_text)


class WordsSerializer(serializers.Serializer[Any]):
    """What a note says."""

    diagnosis = _text()
    advice = _text()
    prescription = _text()
    follow_up_on = serializers.DateField(required=False, allow_null=True, help_text="Next visit by.")
    private = _text("For the doctor alone.")


class SignedWords(WordsSerializer):
    """The whole note: what is not sent is empty, whatever the draft says."""

    after = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="The last signed note that the doctor has read; none for the first.",
    )


class Notes(OfVisit):
    """Notes on a visit."""

    @extend_schema(operation_id="appointments_note_retrieve", responses=NotesSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """What was signed, and to the doctor the draft."""
        appointment = self.visit(public_id)
        self.note_look(appointment)
        as_doctor = appointment.doctor_id == request.user.pk
        written = {
            "signed": notes.signed_notes(appointment).select_related("amends"),
            "draft": notes.draft_of(appointment) if as_doctor else None,
        }
        return Response(NotesSerializer(written, context={"request": request}).data)

    @extend_schema(operation_id="appointments_note_draft", request=WordsSerializer, responses=NoteSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Keep a draft, for the doctor alone. What is not sent stays as it is in the draft."""
        appointment = self.visit_as_doctor(public_id)
        asked = WordsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        words = notes.Words(**_drafted(appointment) | asked.validated_data)
        with told():
            note = notes.save_draft(appointment=appointment, by=cast(User, request.user), words=words)
        self.note_look(appointment)
        return Response(NoteSerializer(note, context={"request": request}).data)


class Sign(OfVisit):
    """Signing a note."""

    @extend_schema(
        operation_id="appointments_note_sign", request=SignedWords, responses={201: NoteSerializer}
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Share a note with the patient for good; what was signed before stays, and this one amends it.

        409 `changed` if `after` is not the last signed note, so the same request sent twice signs once.
        """
        appointment = self.visit_as_doctor(public_id)
        asked = SignedWords(data=request.data)
        asked.is_valid(raise_exception=True)
        words = dict(asked.validated_data)
        after = str(words.pop("after", None) or "")
        with told():
            note = notes.sign(
                appointment=appointment, by=cast(User, request.user), words=notes.Words(**words), after=after
            )
        self.note_look(appointment)
        return Response(NoteSerializer(note, context={"request": request}).data, status=201)


def _drafted(appointment: Appointment) -> dict[str, Any]:
    draft = notes.draft_of(appointment)
    return {name: getattr(draft, name) for name in asdict(notes.Words())} if draft else {}
