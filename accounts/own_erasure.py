"""What this app erases of a person, and how often each kind of thing is there."""

from collections.abc import Iterable

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils.translation import gettext as _

from accounts import relations, verification
from accounts.access_log import pseudonymise
from accounts.models import (
    ApplicationEvent,
    BreakGlass,
    CareRelation,
    Consent,
    DataExport,
    DoctorApplication,
    DoctorProfile,
    Notice,
    NotificationChoice,
    PatientProfile,
    SharedItem,
    User,
)
from accounts.models.verification import PENDING, STANDING
from accounts.registries import Erasure, Kept

_ERASED = "erased"  # stands where a reason stood that may have named somebody


def counts(person: User) -> dict[str, int]:
    return {
        _("Account with name, email addresses and password"): 1,
        _("Further email addresses"): EmailAddress.objects.filter(user=person)
        .exclude(email=person.email)
        .count(),
        _("Second factors for signing in"): Authenticator.objects.filter(user=person).count(),
        _("Devices that are signed in"): UserSession.objects.filter(user=person).count(),
        _("Profile of a patient, with its earlier versions"): _count(PatientProfile, user=person),
        _("Consents"): _count(Consent, user=person),
        _("Shares with doctors"): _count(CareRelation, patient=person),
        _("Notices"): _count(Notice, recipient=person),
        _("Choices of how to be told"): _count(NotificationChoice, user=person),
        _("Copies of your data"): _count(DataExport, user=person),
        _("Profile of a doctor, with its photo"): _count(DoctorProfile, user=person),
        _("Licences, with their documents"): _count(DoctorApplication, doctor=person),
    }


def _count(model: type[Model], **filters: object) -> int:
    return model._default_manager.filter(**filters).count()


def preview(person: User) -> tuple[dict[str, int], list[Kept]]:
    return counts(person), []


def erase(person: User) -> tuple[dict[str, int], list[Kept], list[str]]:
    """Inside of the transaction of the erasure; the row of the user itself comes last, elsewhere."""
    erased = counts(person)
    files = [*_erase_exports(person), *_erase_doctor(person)]
    pseudonymise(person)
    _erase_relations(person)
    PatientProfile.objects.filter(user=person).delete()
    PatientProfile.history.filter(user_id=person.pk).delete()  # deleting has left a last version
    Consent.objects.filter(user=person).delete()
    Notice.objects.filter(recipient=person).delete()  # also what the steps above have told
    NotificationChoice.objects.filter(user=person).delete()
    return erased, [], files


def _erase_exports(person: User) -> list[str]:
    exports = DataExport.objects.filter(user=person)
    files = list(exports.exclude(file="").values_list("file", flat=True))
    exports.delete()
    return files


def _erase_doctor(person: User) -> list[str]:
    """End what is in force first, so that everybody who must know is told; then everything goes.

    Also of somebody who is no doctor any more.
    """
    applications = DoctorApplication.objects.filter(doctor=person)
    for application in applications.filter(status__in=[*PENDING, *STANDING]):
        verification.withdraw(application=application, by=person)
    files = list(applications.exclude(document="").values_list("document", flat=True))
    _blank_admin_log(applications)
    ApplicationEvent.objects.filter(application__in=applications).delete()
    applications.delete()
    profiles = DoctorProfile.objects.filter(user=person)
    files += profiles.exclude(photo="").values_list("photo", flat=True)
    _blank_admin_log(profiles)
    profiles.delete()
    return files


def _blank_admin_log(rows: Iterable[Model]) -> None:
    """The admin's own log repeats what a row was called."""
    for row in rows:
        about = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk)
        )
        about.update(object_repr="-", change_message="")


def _erase_relations(person: User) -> None:
    """A patient's shares go. A doctor's end: who could read a record is a part of the patient's history."""
    relations.end_all(person=person, why=_ERASED)
    theirs = CareRelation.objects.filter(patient=person)
    ids = list(theirs.values_list("pk", flat=True))
    SharedItem.objects.filter(relation__in=ids).delete()
    theirs.delete()
    CareRelation.history.filter(id__in=ids).delete()
    BreakGlass.objects.filter(patient=person).update(reason=_ERASED)


ERASURE = Erasure(preview=preview, erase=erase)
