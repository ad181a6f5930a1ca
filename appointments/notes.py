"""A doctor's notes on a visit: drafted alone, signed for good, amended by another note."""

import datetime
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.notifications import notify
from accounts.relations import name_of
from accounts.selectors import is_verified_doctor
from appointments.models import Appointment, AttachedAnalysis, NoteGate, Status, VisitNote
from dermaplatform.addresses import absolute

# A doctor may prepare before the visit, and signs when it has taken place or is going on.
DRAFTED_IN = (Status.CONFIRMED, Status.CHECKED_IN, Status.COMPLETED)
SIGNED_IN = (Status.CHECKED_IN, Status.COMPLETED)


@dataclass(frozen=True)
class Words:
    """What a note says. `private` is for the doctor alone."""

    diagnosis: str = ""
    advice: str = ""
    prescription: str = ""
    follow_up_on: datetime.date | None = None
    private: str = ""


def signed_notes(appointment: Appointment) -> QuerySet[VisitNote]:
    """What was signed, the first first. Without `private` to whoever reads it to the patient."""
    return VisitNote.objects.filter(appointment=appointment, signed_at__isnull=False)


def draft_of(appointment: Appointment) -> VisitNote | None:
    return VisitNote.objects.filter(appointment=appointment, signed_at=None).first()


def latest_signed(appointment: Appointment) -> VisitNote | None:
    return signed_notes(appointment).last()


def save_draft(*, appointment: Appointment, by: User, words: Words) -> VisitNote:
    """Keep what is written so far, for the doctor alone. Raises ValidationError."""
    _refuse(appointment, by, DRAFTED_IN)
    return _write(appointment, by, words, amends=latest_signed(appointment), signed_at=None)


def sign(*, appointment: Appointment, by: User, words: Words, after: str = "") -> VisitNote:
    """Share a note with the patient for good. What was signed before stays, and this note amends it.

    `after` is the public id of the last signed note that the doctor had seen, so that the same form sent
    twice signs once. Raises ValidationError: not_yours, not_verified, wrong_state, changed, empty, past.
    """
    _refuse(appointment, by, SIGNED_IN)
    if not (words.diagnosis.strip() or words.advice.strip()):
        sentence = _("Write a diagnosis or some advice before you sign.")
        raise ValidationError({"diagnosis": ValidationError(sentence, code="empty")})
    if words.follow_up_on and words.follow_up_on < timezone.localdate(timezone=by.zone):
        sentence = _("This day is over. Choose a later one.")
        raise ValidationError({"follow_up_on": ValidationError(sentence, code="past")})
    with transaction.atomic():
        # Notes of one visit wait for each other.
        Appointment.objects.select_for_update(no_key=True).get(pk=appointment.pk)
        latest = latest_signed(appointment)
        if (str(latest.public_id) if latest else "") != after:
            raise ValidationError(
                _("This visit has been signed in the meantime. Read that note first."), code="changed"
            )
        note = _write(appointment, by, words, amends=latest, signed_at=timezone.now())
        notify(
            appointment.patient,
            "visit_summary",
            doctor=name_of(by),
            link=absolute(appointment.get_absolute_url()),
        )
    return note


def _refuse(appointment: Appointment, by: User, statuses: tuple[Status, ...]) -> None:
    if by.pk != appointment.doctor_id:
        raise ValidationError(_("Only the doctor of this visit writes about it."), code="not_yours")
    if not is_verified_doctor(by):
        raise ValidationError(_("Your licence is not in force at present."), code="not_verified")
    if appointment.status not in statuses:
        raise ValidationError(
            _("A note is signed once the patient has been checked in.")
            if appointment.status in DRAFTED_IN
            else _("There is nothing to write about this visit: it did not take place."),
            code="wrong_state",
        )


def _write(
    appointment: Appointment,
    by: User,
    words: Words,
    *,
    amends: VisitNote | None,
    signed_at: datetime.datetime | None,
) -> VisitNote:
    """The draft with these words, signed or not. Raises ValidationError if it was signed just now."""
    values = {
        name: value.strip() if isinstance(value, str) else value for name, value in asdict(words).items()
    }
    values |= {"amends": amends, "signed_at": signed_at, "updated_at": timezone.now(), "author": by}
    VisitNote(appointment=appointment, **values).clean_fields()
    draft = draft_of(appointment)
    try:
        with transaction.atomic():
            if draft is None:
                return VisitNote.objects.create(appointment=appointment, **values)
            if VisitNote.objects.filter(pk=draft.pk, signed_at=None).update(**values):
                draft.refresh_from_db()
                return draft
    except IntegrityError as error:
        raise ValidationError(_changed(), code="changed") from error
    raise ValidationError(_changed(), code="changed")


def _changed() -> str:
    return _("This note was changed in another window. Nothing was saved here; look at it first.")


def review_times(analyses: Iterable[int]) -> dict[int, datetime.datetime]:
    """When a doctor last signed something about these analyses: the retention rule counts from there."""
    signed = AttachedAnalysis.objects.filter(
        analysis__in=list(analyses), appointment__notes__signed_at__isnull=False
    )
    return dict(
        signed.order_by()
        .values_list("analysis")
        .annotate(at=Max("appointment__notes__signed_at"))
        .values_list("analysis", "at")
    )


def erase(appointments: QuerySet[Appointment]) -> int:
    """Delete every note of these visits, signed ones too; how many. Only for the erasure of a person."""
    with transaction.atomic():
        gate = NoteGate.objects.create()
        notes = VisitNote.objects.filter(appointment__in=appointments.order_by().values("pk"))
        count = notes.count()
        # Each amends the one before it: the last goes first.
        for key in notes.order_by("-id").values_list("pk", flat=True):
            VisitNote.objects.filter(pk=key).delete()
        gate.delete()
    return count


def erase_drafts(doctor: User) -> int:
    """Delete what a doctor wrote and did not sign; how many."""
    return VisitNote.objects.filter(author=doctor, signed_at=None).delete()[0]
