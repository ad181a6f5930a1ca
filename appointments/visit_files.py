"""Files that one of the two puts to a visit."""

from collections.abc import Iterator
from pathlib import PurePath

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import documents, pdf
from accounts.erasure import delete_files
from accounts.models import User
from accounts.registries import NamedFiles
from appointments import notes, visits
from appointments.models import Appointment, Status, VisitFile

ADDED_IN = (Status.REQUESTED, Status.CONFIRMED, Status.CHECKED_IN, Status.COMPLETED)
MOST = 20  # files of a visit


def files_of(appointment: Appointment, user: User) -> QuerySet[VisitFile]:
    """What this person may open: a doctor whom the record is closed to, only what they added themselves."""
    files = VisitFile.objects.filter(appointment=appointment).select_related("by__doctor_profile")
    return files if visits.is_open_to(appointment, user) else files.filter(by=user)


def may_add(appointment: Appointment, user: User) -> bool:
    return appointment.status in ADDED_IN and visits.is_open_to(appointment, user)


def add(*, appointment: Appointment, by: User, upload: "UploadedFile[bytes]", title: str = "") -> VisitFile:
    """Put a PDF, JPEG or PNG to a visit. Raises ValidationError: closed, too_many, and a file's own codes."""
    if not may_add(appointment, by):
        raise ValidationError(_("Nothing can be added to this visit."), code="closed")
    received = _examine(upload)
    with transaction.atomic():
        # Files of one visit wait for each other.
        Appointment.objects.select_for_update(no_key=True).get(pk=appointment.pk)
        if VisitFile.objects.filter(appointment=appointment).count() >= MOST:
            raise ValidationError(
                _("This visit has %(number)s files already. No more can be added."),
                code="too_many",
                params={"number": MOST},
            )
        name = title.strip() or PurePath(upload.name or "").stem or _("File")
        file = VisitFile(appointment=appointment, by=by, title=name[:150], content_type=received.content_type)
        file.file.save("file", ContentFile(received.data), save=True)
    return file


def removable(appointment: Appointment, user: User) -> set[int]:
    """Which files of this visit, by primary key, this person may take back."""
    own = VisitFile.objects.filter(appointment=appointment, by=user)
    if user.pk == appointment.patient_id and (last := notes.latest_signed(appointment)):
        own = own.filter(created_at__gt=last.signed_at)
    return set(own.values_list("pk", flat=True))


def remove(*, file: VisitFile, by: User) -> None:
    """Take back what one has added, for good; twice is no error. Raises ValidationError: not_yours, signed.

    What the doctor has signed about stays, as everything that a doctor has reviewed. A file of the doctor's
    own goes at any time: it may be another patient's.
    """
    if by.pk != file.by_id:
        raise ValidationError(_("Only who added a file removes it."), code="not_yours")
    with transaction.atomic():
        # Signing waits too.
        appointment = Appointment.objects.select_for_update(no_key=True).get(pk=file.appointment_id)
        own = VisitFile.objects.filter(pk=file.pk)
        if own.exists() and file.pk not in removable(appointment, by):
            raise ValidationError(
                _("The doctor has signed a note since you added this file, so it stays with the visit."),
                code="signed",
            )
        own.delete()
        name = str(file.file.name)
        transaction.on_commit(lambda: delete_files([name]))


def _examine(upload: "UploadedFile[bytes]") -> documents.ReceivedDocument:
    try:
        return documents.examine_document(upload)
    except documents.FileRefused as refusal:
        sentence = refusal.sentence
        if refusal.code == "too_many_pages":
            sentence = _("This PDF has more than %(pages)s pages. Send it in parts.") % {
                "pages": pdf.MAX_PAGES
            }
        raise ValidationError({"file": ValidationError(sentence, code=refusal.code)}) from refusal


def save_as(file: VisitFile) -> str:
    """The name under which a browser saves it. A picture is shown, a PDF is saved: it can do too much."""
    return f"{file.title}.pdf" if file.content_type == documents.PDF else ""


def erase(appointments: QuerySet[Appointment]) -> list[str]:
    """Delete the files of these visits; their names, to be deleted after the commit."""
    files = VisitFile.objects.filter(appointment__in=appointments.order_by().values("pk"))
    names = list(files.values_list("file", flat=True))
    files.delete()
    return names


def _named_files() -> Iterator[str]:
    yield from VisitFile.objects.values_list("file", flat=True).iterator()


NAMED_FILES = NamedFiles(folders=("visits",), names=_named_files)
