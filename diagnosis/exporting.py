"""What this app adds to the copy of a person's data: every analysis, its image and its result."""

from functools import partial
from typing import Any
from uuid import UUID, uuid5

from django.utils.translation import gettext as _

from accounts import fhir
from accounts.fhir import Resource
from accounts.models import User
from accounts.registries import ExportedFile, ExportSection
from diagnosis import wording
from diagnosis.models import Analysis


def analyses(user: User) -> ExportSection:
    """A patient's analyses, the newest first."""
    rows, files, resources = [], [], []
    for analysis in Analysis.objects.filter(patient=user).select_related("patient"):
        image = image_path(analysis)
        rows.append(_row(analysis))
        files.append(ExportedFile(image, partial(_read, analysis.image)))
        resources += _resources(analysis, image)
    return ExportSection(_("Your analyses"), rows, files=files, resources=resources)


def image_path(analysis: Analysis) -> str:
    return f"images/{analysis.created_at:%Y-%m-%d}-{analysis.public_id}.png"


def _read(stored: Any) -> bytes:
    with stored.open("rb") as file:
        return bytes(file.read())


def _row(analysis: Analysis) -> dict[str, Any]:
    return {
        _("When"): analysis.created_at,
        _("Place on the body"): wording.body_site_name(analysis.body_site),
        _("Kind of picture"): wording.image_type_name(analysis.image_type),
        _("State"): wording.status_word(analysis.status),
        _("Result"): wording.urgency_headline(analysis.urgency) if analysis.is_done else "",
        _("Remarks"): _remarks(analysis),
        _("Probabilities"): [
            f"{wording.class_name(code)}: {wording.percent(probability)}"
            for code, probability in _sorted(analysis)
        ],
        _("Classifier"): analysis.release,
        _("Number"): str(analysis.public_id),
    }


def _sorted(analysis: Analysis) -> list[tuple[str, float]]:
    return sorted((analysis.probabilities or {}).items(), key=lambda item: -item[1])


def _remarks(analysis: Analysis) -> str:
    sentences = [wording.reason_sentence(reason) for reason in analysis.reasons]
    if analysis.withholds_probabilities:
        sentences.append(wording.figures_mean_little())
    if analysis.problem:
        sentences.append(wording.job_problem(analysis.problem))
    return " ".join(sentences)


def _resources(analysis: Analysis, image: str) -> list[Resource]:
    media = _media(analysis, image)
    if not analysis.is_done:
        return [media]
    observation = _observation(analysis)
    return [media, observation, _report(analysis, UUID(observation["id"]))]


def _media(analysis: Analysis, image: str) -> Resource:
    return {
        "resourceType": "Media",
        "id": str(analysis.public_id),
        "status": "completed",
        "type": fhir.concept("", system="http://terminology.hl7.org/CodeSystem/media-type", code="image"),
        "modality": fhir.concept(wording.image_type_name(analysis.image_type)),
        "subject": fhir.reference(analysis.patient.public_id),
        "createdDateTime": fhir.moment(analysis.created_at),
        "bodySite": fhir.concept(wording.body_site_name(analysis.body_site)),
        "width": analysis.width,
        "height": analysis.height,
        "content": {"contentType": "image/png", "url": image},
    }


def _observation(analysis: Analysis) -> Resource:
    """What the computer computed: the urgency, and the calibrated probability of each class."""
    return {
        "resourceType": "Observation",
        "id": str(uuid5(analysis.public_id, "observation")),
        "status": "preliminary",  # until a doctor has looked at it
        "code": fhir.concept(_("Examination of a picture of a skin spot by a computer")),
        "subject": fhir.reference(analysis.patient.public_id),
        "effectiveDateTime": fhir.moment(analysis.created_at),
        "issued": fhir.moment(analysis.finished_at),
        "valueString": fhir.text(wording.urgency_headline(analysis.urgency)),
        "note": [{"text": fhir.text(_remarks(analysis))}],
        "bodySite": fhir.concept(wording.body_site_name(analysis.body_site)),
        "method": fhir.concept(_("Classifier %(release)s") % {"release": analysis.release}),
        "derivedFrom": [fhir.reference(analysis.public_id)],
        "component": [
            {
                "code": fhir.concept(wording.class_name(code)),
                "valueQuantity": {
                    "value": round(100 * probability, 2),
                    "unit": "%",
                    "system": "http://unitsofmeasure.org",
                    "code": "%",
                },
            }
            for code, probability in _sorted(analysis)
        ],
    }


def _report(analysis: Analysis, observation: UUID) -> Resource:
    return {
        "resourceType": "DiagnosticReport",
        "id": str(uuid5(analysis.public_id, "report")),
        "status": "preliminary",
        "code": fhir.concept(_("Examination of a picture of a skin spot by a computer")),
        "subject": fhir.reference(analysis.patient.public_id),
        "effectiveDateTime": fhir.moment(analysis.created_at),
        "issued": fhir.moment(analysis.finished_at),
        "result": [fhir.reference(observation)],
        "media": [{"link": fhir.reference(analysis.public_id)}],
        "conclusion": fhir.text(wording.urgency_advice(analysis.urgency)),
    }
