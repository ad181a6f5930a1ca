"""The way of a doctor's licence: handed in, decided about by administrators, watched until it runs out.

Each step writes its event and its mail in one transaction. Nobody decides about themselves, and a decision is
made about what its maker has seen: `seen` is the last event that stood on their page.
"""

import datetime
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.countries import COUNTRIES
from accounts.documents import ReceivedDocument
from accounts.models import (
    ApplicationEvent,
    ApplicationStatus,
    DoctorApplication,
    LicenceReminder,
    Role,
    User,
)
from accounts.models.verification import NEED_A_REASON, PENDING, STANDING, TRANSITIONS
from accounts.notifications import notify
from accounts.registries import doctor_stopped, doctor_verified
from accounts.validators import licence_day, validate_not_expired
from dermaplatform.addresses import absolute

S = ApplicationStatus
WAITING = (S.SUBMITTED, S.IN_REVIEW)  # for an administrator; MORE_ASKED waits for the doctor
REMIND_DAYS_BEFORE = (7, 30, 60)  # ascending: the smallest that has come is the one to send
# What an administrator may decide; expiry is the clockwork's, withdrawing the doctor's.
DECISIONS = frozenset({S.IN_REVIEW, S.VERIFIED, S.MORE_ASKED, S.REJECTED, S.SUSPENDED})


@dataclass(frozen=True)
class Licence:
    """What a doctor says about their licence."""

    number: str
    authority: str
    country: str  # ISO 3166-1 alpha-2
    expires_on: datetime.date


class Overtaken(Exception):
    """Somebody else has changed the application since it was read."""

    sentence = _("Somebody else has changed this application in the meantime. Nothing was done; look again.")


def waiting_count() -> int:
    """How many applications wait for an administrator."""
    return DoctorApplication.objects.filter(status__in=WAITING).count()


def standing_application(doctor: User) -> DoctorApplication | None:
    """The licence that counts: verified, or suspended."""
    return DoctorApplication.objects.filter(doctor=doctor, status__in=STANDING).first()


def visible_applications(user: User) -> QuerySet[DoctorApplication]:
    """Who may read an application and its document: the doctor, and administrators."""
    if user.is_admin:
        return DoctorApplication.objects.all()
    return DoctorApplication.objects.filter(doctor=user)


def pending_application(doctor: User) -> DoctorApplication | None:
    return DoctorApplication.objects.pending().filter(doctor=doctor).first()


def possible_decisions(application: DoctorApplication) -> frozenset[ApplicationStatus]:
    return TRANSITIONS[S(application.status)] & DECISIONS


def submit_application(*, doctor: User, licence: Licence, document: ReceivedDocument) -> DoctorApplication:
    """Hand in a licence: the first one, another after a rejection, or a renewal while one is in force."""
    if not doctor.is_doctor:
        raise PermissionDenied
    application = DoctorApplication(doctor=doctor, document_type=document.content_type)
    _write_licence(application, licence)
    if pending_application(doctor) is not None:
        raise _already_under_way()
    application.document.save("document", ContentFile(document.data), save=False)
    try:
        with transaction.atomic():
            application.save()
            ApplicationEvent.objects.create(application=application, to_status=S.SUBMITTED, by=doctor)
            _tell(application)
    except BaseException as error:
        application.document.storage.delete(str(application.document.name))
        if isinstance(error, IntegrityError):  # the same click twice, at the same time
            raise _already_under_way() from error
        raise
    return application


def _already_under_way() -> ValidationError:
    return ValidationError(_("You have an application under way already."), code="pending")


def _write_licence(application: DoctorApplication, licence: Licence) -> dict[str, object]:
    """Put what a person typed into the row, checked; the constraints about states are the database's."""
    values: dict[str, object] = {
        "licence_number": licence.number.strip(),
        "licence_authority": licence.authority.strip(),
        "licence_country": licence.country,
        "licence_expires_on": licence.expires_on,
    }
    for name, value in values.items():
        setattr(application, name, value)
    application.clean_fields(exclude=["document", "doctor"])
    if licence.country not in COUNTRIES:
        raise ValidationError({"licence_country": _("Choose a country from the list.")})
    try:
        validate_not_expired(licence.expires_on)
    except ValidationError as error:
        raise ValidationError({"licence_expires_on": error}) from error
    return values


def answer_application(
    *,
    application: DoctorApplication,
    doctor: User,
    message: str,
    licence: Licence,
    document: ReceivedDocument | None = None,
) -> None:
    """Give what was asked for, in words and if need be with another document: back to the queue."""
    if application.doctor_id != doctor.pk:
        raise PermissionDenied
    if application.status != S.MORE_ASKED:
        raise Overtaken
    if not message.strip():
        raise ValidationError({"message": _("Write a sentence for the person who reads it.")})
    changes = _write_licence(application, licence)
    former, storage = str(application.document.name), application.document.storage
    if document is not None:
        application.document_type = document.content_type
        application.document.save("document", ContentFile(document.data), save=False)
        changes |= {"document": application.document.name, "document_type": document.content_type}
    try:
        with transaction.atomic():
            _step(application, S.SUBMITTED, by=doctor, reason=message, **changes)
            if document is not None:
                transaction.on_commit(lambda: storage.delete(former))
    except BaseException:
        if document is not None:
            storage.delete(str(application.document.name))
        raise


def withdraw(*, application: DoctorApplication, by: User) -> None:
    """The doctor takes it back. Taking back what is in force ends being verified."""
    if application.doctor_id != by.pk:
        raise PermissionDenied
    _step(application, S.WITHDRAWN, by=by)


def decide(
    *, application: DoctorApplication, admin: User, to: ApplicationStatus, reason: str = "", seen: int | None
) -> None:
    """Move an application as an administrator who has seen event `seen` as its last; Overtaken if it is not.

    Verifying a renewal replaces the licence that stood until then.
    """
    if not (admin.is_admin and admin.is_active) or application.doctor_id == admin.pk or to not in DECISIONS:
        raise PermissionDenied
    if to in NEED_A_REASON and not reason.strip():
        raise ValidationError({"reason": _("Write the reason: the doctor reads it.")}, code="required")
    with transaction.atomic():
        # Two decisions about one doctor wait for each other; the second sees what the first has done.
        doctor = _lock_doctor(application)
        application.refresh_from_db()
        if _last_event(application) != seen or to not in TRANSITIONS[S(application.status)]:
            raise Overtaken
        if to == S.VERIFIED:
            _check_may_be_verified(application, doctor)
            if application.status in PENDING and (former := standing_application(doctor)):
                _step(former, S.REPLACED, by=admin)
        _step(application, to, by=admin, reason=reason)


def _lock_doctor(application: DoctorApplication) -> User:
    """The doctor first, then the application, whoever takes the step: nobody waits in a circle.

    Who only writes a row about this doctor, as a booking or a mail does, is not waited for.
    """
    return User.objects.select_for_update(no_key=True).get(pk=application.doctor_id)


def _last_event(application: DoctorApplication) -> int | None:
    return application.events.order_by("-pk").values_list("pk", flat=True).first()


def _check_may_be_verified(application: DoctorApplication, doctor: User) -> None:
    if not (doctor.is_doctor and doctor.is_active):
        raise ValidationError(_("This account is no doctor's account any more, or is switched off."))
    validate_not_expired(application.licence_expires_on)


def watch_licences() -> None:
    """End what has run out, and remind of what soon will. Safe to run twice, also at the same time."""
    today = licence_day()
    for application in DoctorApplication.objects.filter(status__in=STANDING, licence_expires_on__lt=today):
        try:
            _step(application, S.EXPIRED, by=None)
        except Overtaken:
            continue
    soon = today + datetime.timedelta(days=max(REMIND_DAYS_BEFORE))
    for application in DoctorApplication.objects.in_force().filter(licence_expires_on__lte=soon):
        _remind(application, (application.licence_expires_on - today).days)


@transaction.atomic
def _remind(application: DoctorApplication, days_left: int) -> None:
    """At most once for each of the three days; who comes late gets the nearest one alone."""
    due = min(days for days in REMIND_DAYS_BEFORE if days_left <= days)
    _reminder, created = LicenceReminder.objects.get_or_create(application=application, days_before=due)
    if created:
        notify(application.doctor, "licence_reminder", days_left=days_left, link=_licence_link())


@transaction.atomic
def _step(
    application: DoctorApplication,
    to: ApplicationStatus,
    *,
    by: User | None,
    reason: str = "",
    **changes: object,
) -> None:
    """Move, tell the doctor, and tell who must know that a doctor has stopped being one."""
    _lock_doctor(application)
    source = S(application.status)
    if to not in TRANSITIONS[source] or not application.move(to, by=by, reason=reason, **changes):
        raise Overtaken
    _tell(application, source)
    if source == S.VERIFIED and to != S.REPLACED:
        for callback in doctor_stopped:
            callback(application.doctor, reason)
    if to == S.VERIFIED:
        for verified in doctor_verified:
            verified(application.doctor)
    if to == S.SUSPENDED:
        _tell_administrators(application)


def _tell(application: DoctorApplication, source: ApplicationStatus | None = None) -> None:
    """The mail says what happened; reasons stand on the doctor's page alone."""
    if application.status == S.REPLACED:  # the mail about the renewal says it
        return
    step = "reinstated" if (source, application.status) == (S.SUSPENDED, S.VERIFIED) else application.status
    notify(application.doctor, "licence_step", step=str(step), link=_licence_link())


def _tell_administrators(application: DoctorApplication) -> None:
    link = absolute(reverse("admin:accounts_doctorapplication_change", args=[application.pk]))
    for admin in User.objects.filter(role=Role.ADMIN, is_active=True):
        notify(admin, "doctor_suspended", doctor=application.doctor.name, link=link)


def _licence_link() -> str:
    return absolute(reverse("accounts:licence"))
