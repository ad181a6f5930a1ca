from typing import Any

from django.utils.translation import gettext as _gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from diagnosis import presentation, wording
from diagnosis.models import UNKNOWN_SITE, Analysis, ImageType, Status
from ml_models.taxonomy import CODES, LOCALIZATIONS, Reason, Urgency

REASONS = [reason.value for reason in Reason]


class Upload(serializers.Serializer[Any]):
    """What is sent for an analysis. Whether the file is an image is decided by its content."""

    image = serializers.FileField(
        allow_empty_file=True,
        error_messages={
            "required": _("Send an image in the field “image”."),
            "invalid": _("Send an image as a file in the field “image” (multipart/form-data)."),
        },
    )
    image_type = serializers.ChoiceField(choices=ImageType.choices, default=ImageType.DERMATOSCOPIC.value)
    body_site = serializers.ChoiceField(choices=LOCALIZATIONS, default=UNKNOWN_SITE)


class ListQuery(serializers.Serializer[Any]):
    """How a list of analyses is narrowed."""

    patient = serializers.UUIDField(required=False)


class ReasonInWords(serializers.Serializer[Any]):
    """One of the `reasons`, as people read it on the pages."""

    code = serializers.ChoiceField(choices=REASONS, help_text="The code that stands in `reasons`.")
    sentence = serializers.CharField(help_text="Why, for the patient to read.")
    remedy = serializers.CharField(
        allow_blank=True,
        help_text="How to take a better picture; empty where a better picture would not help.",
    )


class AnalysisSerializer(serializers.ModelSerializer[Analysis]):
    """An analysis. Result fields are null until `status` is `done`; names are those of the classifier."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    status = serializers.ChoiceField(choices=Status.choices, read_only=True)
    patient = serializers.UUIDField(source="patient.public_id", read_only=True, help_text="Whose it is.")
    url = serializers.SerializerMethodField(help_text="Where to read this analysis.")
    image = serializers.SerializerMethodField(
        help_text="The image, re-encoded; needs the same session token."
    )
    page = serializers.SerializerMethodField(help_text="The result as a page for people.")
    top = serializers.SerializerMethodField(help_text="Code of the class with the highest probability.")
    probabilities = serializers.SerializerMethodField(
        help_text=(
            "Calibrated, by class code; they sum to 1. With the reasons `phone_photo`, `not_a_lesion` and "
            "`out_of_domain` they mean nothing: do not show them to the patient."
        )
    )
    urgency = serializers.SerializerMethodField()
    reasons = serializers.ListField(
        child=serializers.ChoiceField(choices=REASONS),
        read_only=True,
        help_text="Codes of why it was raised or could not be assessed; mostly empty.",
    )
    reasons_in_words = serializers.SerializerMethodField(
        help_text="The same reasons in the same order, in the language of the request."
    )
    release = serializers.SerializerMethodField(help_text="The release of the classifier that answered.")
    message = serializers.SerializerMethodField(help_text="What to tell the person.")

    class Meta:
        model = Analysis
        fields = (
            "id",
            "patient",
            "status",
            "url",
            "image",
            "page",
            "image_type",
            "body_site",
            "created_at",
            "started_at",
            "finished_at",
            "top",
            "probabilities",
            "urgency",
            "reasons",
            "reasons_in_words",
            "release",
            "message",
        )
        read_only_fields = fields

    def _link(self, analysis: Analysis, name: str) -> str:
        return reverse(name, args=[analysis.public_id], request=self.context["request"])

    def get_url(self, analysis: Analysis) -> str:
        return self._link(analysis, "api-analysis-detail")

    def get_image(self, analysis: Analysis) -> str:
        return self._link(analysis, "api-analysis-image")

    def get_page(self, analysis: Analysis) -> str:
        return self._link(analysis, "diagnosis:detail")

    @extend_schema_field(serializers.ChoiceField(choices=CODES, allow_null=True))
    def get_top(self, analysis: Analysis) -> str | None:
        return analysis.top or None

    def get_probabilities(self, analysis: Analysis) -> dict[str, float] | None:
        return analysis.probabilities

    @extend_schema_field(serializers.ChoiceField(choices=[u.value for u in Urgency], allow_null=True))
    def get_urgency(self, analysis: Analysis) -> str | None:
        return analysis.urgency or None

    @extend_schema_field(ReasonInWords(many=True))
    def get_reasons_in_words(self, analysis: Analysis) -> Any:
        return ReasonInWords(presentation.reasons(analysis), many=True).data

    def get_release(self, analysis: Analysis) -> str | None:
        return analysis.release or None

    def get_message(self, analysis: Analysis) -> str:
        if analysis.is_done:
            return wording.urgency_advice(analysis.urgency)
        if analysis.problem:
            return wording.job_problem(analysis.problem)
        return _gettext("The image is waiting to be examined. This usually takes a few seconds.")
