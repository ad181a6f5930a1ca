"""What this app adds to the copy of a person's data: visits, what was signed about them, files, ratings."""

from functools import partial
from pathlib import PurePosixPath
from typing import Any

from django.utils.translation import gettext as _

from accounts import fhir
from accounts.documents import PDF
from accounts.fhir import Resource
from accounts.models import User
from accounts.registries import ExportedFile, ExportSection
from accounts.relations import name_of
from appointments.models import Appointment, Rating, Status, VisitFile, VisitNote

# FHIR's words for where a visit is.
_FHIR_STATUS = {
    Status.HELD: "proposed",
    Status.REQUESTED: "pending",
    Status.CONFIRMED: "booked",
    Status.CHECKED_IN: "checked-in",
    Status.COMPLETED: "fulfilled",
    Status.NO_SHOW: "noshow",
    Status.CANCELLED_BY_PATIENT: "cancelled",
    Status.CANCELLED_BY_DOCTOR: "cancelled",
    Status.DECLINED: "cancelled",
    Status.EXPIRED: "cancelled",
}


def visits(user: User) -> ExportSection:
    """A patient's visits with what was signed, the latest first. A doctor's without whom they saw."""
    if user.is_patient:
        mine = Appointment.objects.filter(patient=user)
    else:
        mine = Appointment.objects.visible_to(user)
    rows, files, resources = [], [], []
    for visit in mine.select_related("doctor__doctor_profile", "patient").prefetch_related(
        "notes", "files", "attached__analysis"
    ):
        rows.append(_row(visit, user))
        if user.is_patient:
            files += [_file(file) for file in visit.files.all()]
            resources.append(_resource(visit))
    return ExportSection(_("Your visits"), rows, files=files, resources=resources)


def _row(visit: Appointment, user: User) -> dict[str, Any]:
    row: dict[str, Any] = {
        _("When"): visit.start,
        _("Minutes"): visit.minutes,
        _("Place"): visit.get_place_display(),
        _("State"): visit.get_status_display(),
    }
    if user.is_patient:
        rating = Rating.objects.filter(appointment=visit).first()
        row |= {
            _("Doctor"): name_of(visit.doctor),
            _("Reason"): visit.reason,
            _("Why it was called off"): visit.ended_because,
            _("Analyses"): [str(attached.analysis.public_id) for attached in visit.attached.all()],
            _("Signed by the doctor"): [line for note in visit.notes.all() for line in _signed(note)],
            _("Your rating"): f"{rating.stars}/5 {rating.comment}".strip() if rating else "",
        }
    else:
        # What a doctor wrote is the patients'; whom they saw stands in the patients' records.
        row[_("Notes that you signed")] = sum(note.signed_at is not None for note in visit.notes.all())
    row[_("Number")] = str(visit.public_id)
    return row


def _signed(note: VisitNote) -> list[str]:
    if note.signed_at is None:
        return []
    said = [
        (_("Diagnosis"), note.diagnosis),
        (_("Advice"), note.advice),
        (_("Prescription"), note.prescription),
        (_("Next visit by"), note.follow_up_on),
    ]
    return [f"{title}: {words}" for title, words in said if words]


def _file(file: VisitFile) -> ExportedFile:
    ending = ".pdf" if file.content_type == PDF else PurePosixPath(str(file.file.name)).suffix
    return ExportedFile(f"visits/{file.public_id}{ending}", partial(_read, file))


def _read(file: VisitFile) -> bytes:
    with file.file.open("rb") as stored:
        return bytes(stored.read())


def _resource(visit: Appointment) -> Resource:
    return {
        "resourceType": "Appointment",
        "id": str(visit.public_id),
        "status": _FHIR_STATUS[Status(visit.status)],
        "description": fhir.text(visit.get_place_display()),
        "start": fhir.moment(visit.start),
        "end": fhir.moment(visit.end),
        "minutesDuration": visit.minutes,
        "created": fhir.moment(visit.created_at),
        "comment": fhir.text(visit.reason),
        "patientInstruction": fhir.text(
            "\n".join(line for note in visit.notes.all() for line in _signed(note))
        ),
        "participant": [
            {"actor": fhir.reference(visit.patient.public_id), "status": "accepted"},
            {"actor": {"display": fhir.text(name_of(visit.doctor))}, "status": "accepted"},
        ],
    }
