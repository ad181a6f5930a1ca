"""What a person does with analyses."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import ConsentKind, User
from accounts.selectors import has_consent
from dermaplatform.bell import ring
from diagnosis import uploads
from diagnosis.models import UNKNOWN_SITE, WITHOUT_RESULT, Analysis, AnalysisEvent, ImageType, Status
from ml_models.taxonomy import LOCALIZATIONS


class ConsentRequired(PermissionError):
    """The patient has not agreed to the analysis of images."""


@dataclass(frozen=True)
class Submission:
    """What became of an upload; `created` is False if the same image was already there."""

    analysis: Analysis
    created: bool


def submit_analysis(
    *,
    patient: User,
    upload: "UploadedFile[bytes]",
    image_type: str = ImageType.DERMATOSCOPIC,
    body_site: str = UNKNOWN_SITE,
) -> Submission:
    """Store an uploaded image and queue its analysis.

    The same bytes twice give the analysis that exists. Raises ConsentRequired, uploads.UploadRefused, and
    ValidationError for a type or body site that does not exist.
    """
    if not has_consent(patient, ConsentKind.CARE):
        raise ConsentRequired
    if image_type not in ImageType.values:
        raise ValidationError({"image_type": _("This kind of image is not known.")})
    if body_site not in LOCALIZATIONS:
        raise ValidationError({"body_site": _("This body site is not known.")})
    data = uploads.read(upload)
    if earlier := _same_image(patient, uploads.fingerprint(data)):
        return Submission(earlier, created=False)
    received = uploads.examine(data)
    analysis = Analysis(
        patient=patient,
        sha256=received.sha256,
        width=received.width,
        height=received.height,
        image_type=image_type,
        body_site=body_site,
    )
    analysis.image.save("image.png", ContentFile(received.image), save=False)
    analysis.thumbnail.save("thumbnail.jpg", ContentFile(received.thumbnail), save=False)
    try:
        return Submission(_enqueue(analysis), created=True)
    except IntegrityError:
        # The same image at the same moment: the other one has won, and its files are the ones to keep.
        analysis.image.delete(save=False)
        analysis.thumbnail.delete(save=False)
        if earlier := _same_image(patient, received.sha256):
            return Submission(earlier, created=False)
        raise


def _enqueue(analysis: Analysis) -> Analysis:
    from diagnosis.tasks import analyse

    with transaction.atomic():
        analysis.save()
        AnalysisEvent.objects.create(analysis=analysis, to_status=Status.QUEUED, at=analysis.created_at)
        ring(analyse, analysis.pk)
    return analysis


def _same_image(patient: User, sha256: str) -> Analysis | None:
    return Analysis.objects.filter(patient=patient, sha256=sha256).exclude(status__in=WITHOUT_RESULT).first()
