"""What this app adds to the copy of a person's data: visits, doctors' notes, waiting, hours."""

from functools import partial
from typing import Any, cast

from django.db.models import Field
from django.utils.translation import gettext as _

from accounts import fhir
from accounts.fhir import Resource
from accounts.models import User
from accounts.registries import ExportedFile, ExportSection
from accounts.relations import name_of
from appointments.models import (
    Appointment,
    CalendarFeed,
    PhotoRequest,
    Rating,
    Schedule,
    Status,
    UrgentFollowUp,
    VisitFile,
    VisitNote,
    WaitlistEntry,
)

# HL7's words; a hold is none of these and is left out.
_FHIR_STATUS = {
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
_CANCELLED = "cancelled"


def visits(user: User) -> ExportSection:
    """A patient's visits with everything around them; of a doctor's own only when and where they were."""
    booked = Appointment.objects.filter(booked_at__isnull=False)
    if not user.is_patient:
        rows = [_time_of(visit) for visit in booked.filter(doctor=user)]
        return ExportSection(_("Your visits"), rows)
    found = list(
        booked.filter(patient=user)
        .select_related("patient", "doctor__doctor_profile", "rating")
        .prefetch_related("attached__analysis", "files")
    )
    files = [_file(file) for visit in found for file in visit.files.all()]
    return ExportSection(
        _("Your visits"),
        [_row(visit) for visit in found],
        files=files,
        resources=[_resource(visit) for visit in found],
    )


def _time_of(visit: Appointment) -> dict[str, Any]:
    return {
        _("From"): visit.start,
        _("Until"): visit.end,
        _("Place"): visit.get_place_display(),
        _("State"): visit.get_status_display(),
    }


def _row(visit: Appointment) -> dict[str, Any]:
    rating: Rating | None = getattr(visit, "rating", None)
    return {
        **_time_of(visit),
        _("Doctor"): name_of(visit.doctor),
        _("Booked"): visit.booked_at,
        _("Your words"): visit.reason,
        _("Analyses"): [str(attached.analysis) for attached in visit.attached.all()],
        _("Why it does not take place"): visit.ended_because,
        _("Cancelled late"): visit.late or "",
        _("Your stars"): rating.stars if rating else "",
        _("Your comment"): rating.comment if rating else "",
        _("Files"): [path_of(file) for file in visit.files.all()],
        _("Number"): str(visit.public_id),
    }


def path_of(file: VisitFile) -> str:
    return f"visits/{file.created_at:%Y-%m-%d}-{file.public_id}.{file.content_type.rpartition('/')[2]}"


def _file(file: VisitFile) -> ExportedFile:
    return ExportedFile(path_of(file), partial(_read, file.file))


def _read(stored: Any) -> bytes:
    with stored.open("rb") as file:
        return bytes(file.read())


def _resource(visit: Appointment) -> Resource:
    status = _FHIR_STATUS[Status(visit.status)]
    declined = status == _CANCELLED
    participants = [
        {"actor": fhir.reference(visit.patient.public_id)},
        {"actor": {"display": fhir.text(name_of(visit.doctor))}},
    ]
    return {
        "resourceType": "Appointment",
        "id": str(visit.public_id),
        "status": status,
        "cancelationReason": fhir.concept(visit.ended_because) if declined else None,
        "appointmentType": fhir.concept(visit.get_place_display()),
        "reasonCode": [fhir.concept(visit.reason)],
        "supportingInformation": [
            fhir.reference(attached.analysis.public_id) for attached in visit.attached.all()
        ],
        "start": fhir.moment(visit.start),
        "end": fhir.moment(visit.end),
        "minutesDuration": visit.minutes,
        "created": fhir.moment(visit.booked_at),
        "participant": [
            {**who, "status": "declined" if declined else _answered(status)} for who in participants
        ],
    }


def _answered(status: str) -> str:
    return "needs-action" if status == "pending" else "accepted"


def notes(user: User) -> ExportSection:
    """What doctors have signed about a patient's visits. What they wrote for themselves is not in it."""
    signed = VisitNote.objects.filter(appointment__patient=user, signed_at__isnull=False)
    found = list(signed.select_related("appointment__patient", "author__doctor_profile", "amends"))
    return ExportSection(
        _("What doctors wrote about your visits"),
        [
            {
                _("Signed"): note.signed_at,
                _("Doctor"): name_of(note.author),
                _("Visit"): note.appointment.start,
                _("Diagnosis"): note.diagnosis,
                _("Advice"): note.advice,
                _("Prescription"): note.prescription,
                _("Next visit by"): note.follow_up_on,
                _("Amends"): str(note.amends.public_id) if note.amends else "",
                _("Number"): str(note.public_id),
            }
            for note in found
        ],
        resources=[_impression(note) for note in found],
    )


def _impression(note: VisitNote) -> Resource:
    """A signed note as FHIR has it: what the doctor thinks, at the end of a visit."""
    patient = note.appointment.patient
    said = [
        (_("Advice"), note.advice),
        (_("Prescription"), note.prescription),
        (_("Next visit by"), note.follow_up_on.isoformat() if note.follow_up_on else ""),
    ]
    return {
        "resourceType": "ClinicalImpression",
        "id": str(note.public_id),
        "status": "completed",
        "subject": fhir.reference(patient.public_id),
        "effectiveDateTime": fhir.moment(note.appointment.start),
        "date": fhir.moment(note.signed_at),
        "assessor": {"display": fhir.text(name_of(note.author))},
        "previous": fhir.reference(note.amends.public_id) if note.amends else None,
        "summary": fhir.text(note.diagnosis),
        "supportingInfo": [fhir.reference(note.appointment.public_id)],
        "note": [{"text": fhir.text(f"{title}: {words}")} for title, words in said if words],
    }


def waits(user: User) -> ExportSection:
    entries = WaitlistEntry.objects.filter(patient=user).select_related("doctor__doctor_profile")
    rows = [
        {
            _("Since"): entry.created_at,
            _("Doctor"): name_of(entry.doctor),
            _("Before"): entry.before,
            _("Minutes"): entry.length,
            _("State"): entry.get_status_display(),
        }
        for entry in entries
    ]
    return ExportSection(_("Where you wait for an earlier visit"), rows)


def photo_requests(user: User) -> ExportSection:
    requests = PhotoRequest.objects.filter(patient=user).select_related("doctor__doctor_profile", "analysis")
    rows = [
        {
            _("When"): request.created_at,
            _("Doctor"): name_of(request.doctor),
            _("By"): request.due_on,
            _("What"): request.note,
            _("Answered"): request.closed_at if request.analysis else "",
            _("Withdrawn"): "" if request.analysis else request.closed_at,
            _("Analysis"): str(request.analysis) if request.analysis else "",
        }
        for request in requests
    ]
    return ExportSection(_("Pictures that doctors asked you for"), rows)


def follow_ups(user: User) -> ExportSection:
    """Urgent results of which nothing had come for a while."""
    found = UrgentFollowUp.objects.filter(analysis__patient=user).select_related("analysis", "closed_by")
    rows = [
        {
            _("Analysis"): str(follow_up.analysis),
            _("You were reminded"): follow_up.noticed_at,
            _("Settled"): follow_up.closed_at,
            _("A doctor's word"): follow_up.word,
        }
        for follow_up in found
    ]
    return ExportSection(_("Urgent results and what came of them"), rows)


def calendar(user: User) -> ExportSection:
    rows = [
        {
            _("Made"): feed.created_at,
            _("Revoked"): feed.revoked_at,
            _("With patients' names"): feed.with_names,
        }
        for feed in CalendarFeed.objects.filter(user=user).order_by("pk")
    ]
    return ExportSection(_("Private addresses of your calendar"), rows)


def hours(user: User) -> ExportSection:
    """A doctor's week and what is other than usual."""
    schedule = Schedule.objects.filter(doctor=user).first()
    if schedule is None:
        return ExportSection(_("Your hours"), [])
    rows: list[dict[str, Any]] = [
        {
            _("Day"): rule.get_weekday_display(),
            _("From day"): rule.valid_from,
            _("Until day"): rule.valid_until,
            **_interval(rule),
        }
        for rule in schedule.rules.all()
    ]
    rows += [
        {
            _("Day"): exception.get_kind_display(),
            _("From day"): exception.first_day,
            _("Until day"): exception.last_day,
            **_interval(exception),
            _("Note"): exception.note,
        }
        for exception in schedule.exceptions.all()
    ]
    return ExportSection(_("Your hours"), rows)


def _interval(row: Any) -> dict[str, Any]:
    return {
        _("Begins"): _clock(row.begins),
        _("Ends"): _clock(row.ends),
        _("Place"): row.get_place_display(),
        _("Kept for urgent cases"): row.for_urgent,
    }


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


_TERMS = (
    "time_zone",
    "lengths",
    "buffer_before",
    "buffer_after",
    "notice_hours",
    "horizon_days",
    "visits_a_day",
    "release_hours",
    "confirms_by_hand",
    "cancel_hours",
)


def terms(user: User) -> ExportSection:
    schedule = Schedule.objects.filter(doctor=user).first()
    rows = [
        {
            _("Question"): str(
                cast("Field[Any, Any]", Schedule._meta.get_field(name)).verbose_name
            ).capitalize(),
            _("Answer"): getattr(schedule, name),
        }
        for name in _TERMS
        if schedule is not None
    ]
    return ExportSection(_("Your terms"), rows)


EXPORTERS = (visits, notes, waits, photo_requests, follow_ups, hours, terms, calendar)
