"""What this app keeps about a person, for the copy that they may take. Each function is one section."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid5

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models.fields.files import FieldFile
from django.utils.translation import gettext as _

from accounts import fhir, notices
from accounts.models import (
    AccessEvent,
    BreakGlass,
    CareRelation,
    Consent,
    DataExport,
    DoctorApplication,
    DoctorProfile,
    NotificationChoice,
    OutgoingMail,
    PatientProfile,
    User,
)
from accounts.registries import ExportedFile, ExportSection, NamedFiles

Row = dict[str, Any]

_ANSWERS = (
    "date_of_birth",
    "sex",
    "skin_type",
    "allergies",
    "medication",
    "skin_cancer_history",
    "place",
    "latitude",
    "longitude",
)
# The other answers are a part of the FHIR Patient.
_OBSERVED = ("skin_type", "allergies", "medication", "skin_cancer_history")


def account(user: User) -> ExportSection:
    addresses = EmailAddress.objects.filter(user=user).order_by("-primary", "pk")
    rows = [
        (_("Name"), user.name),
        (_("Email"), user.email),
        (_("All email addresses"), [address.email for address in addresses]),
        (_("Role"), user.get_role_display()),
        (_("Language"), user.language),
        (_("Time zone"), user.time_zone),
        (_("Joined"), user.date_joined),
        (_("Last signed in"), user.last_login),
    ]
    return ExportSection(_("Your account"), _answers(rows))


def sign_in(user: User) -> ExportSection:
    """Devices and second factors."""
    devices = [
        {
            _("What"): _("Signed-in device"),
            _("Since"): session.created_at,
            _("Last used"): session.last_seen_at,
            _("Details"): f"{session.user_agent} ({session.ip})",
        }
        for session in UserSession.objects.filter(user=user)
    ]
    factors = [
        {
            _("What"): factor.get_type_display(),
            _("Since"): factor.created_at,
            _("Last used"): factor.last_used_at,
            _("Details"): "",
        }
        for factor in Authenticator.objects.filter(user=user)
    ]
    return ExportSection(_("How you sign in"), devices + factors)


def patient_profile(user: User) -> ExportSection:
    profile = PatientProfile.objects.filter(user=user).first()
    if profile is None:
        return ExportSection(_("Your profile"), [])
    answers = {name: (_label(profile, name), _shown(profile, name)) for name in _ANSWERS}
    resources = [
        fhir.answer(
            patient=user,
            public_id=uuid5(user.public_id, f"profile-{name}"),
            question=answers[name][0],
            words=answers[name][1],
            at=profile.updated_at,
        )
        for name in _OBSERVED
        if answers[name][1]
    ]
    return ExportSection(_("Your profile"), _answers(list(answers.values())), resources=resources)


def profile_versions(user: User) -> ExportSection:
    """Every version of the profile: who changed it, when and why."""
    versions = PatientProfile.history.filter(user=user).select_related("history_user")
    rows = [
        {
            _("When"): version.history_date,
            _("Who"): _who(version.history_user, user),
            _("Why"): version.history_change_reason,
            **{_label(version.instance, name): _shown(version.instance, name) for name in _ANSWERS},
        }
        for version in versions
    ]
    return ExportSection(_("Earlier versions of your profile"), rows)


def consents(user: User) -> ExportSection:
    given = list(Consent.objects.filter(user=user).select_related("user"))
    rows = [
        {
            _("Consent"): consent.get_kind_display(),
            _("Version"): consent.version,
            _("Given"): consent.given_at,
            _("Ended"): consent.withdrawn_at,
        }
        for consent in given
    ]
    resources = [
        fhir.consent(consent, public_id=uuid5(user.public_id, f"consent-{consent.pk}")) for consent in given
    ]
    return ExportSection(_("Your consents"), rows, resources=resources)


def shares(user: User) -> ExportSection:
    relations = CareRelation.objects.filter(patient=user).select_related("doctor").prefetch_related("items")
    rows = [
        {
            _("Doctor"): relation.doctor.name,
            _("What"): relation.get_scope_display(),
            _("Named analyses"): [str(item.item) for item in relation.items.all()],
            _("Why"): relation.get_source_display(),
            _("From"): relation.since,
            _("Until"): relation.until,
            _("Stopped"): relation.revoked_at,
        }
        for relation in relations
    ]
    return ExportSection(_("Who may see your record"), rows)


def opened_by_others(user: User) -> ExportSection:
    events = AccessEvent.objects.filter(patient=user).select_related("actor", "relation")
    rows = [
        {
            _("When"): event.at,
            _("Who"): event.actor.name,
            _("Role"): event.actor.get_role_display(),
            _("What"): event.get_opened_display(),
            _("Number"): str(event.item) if event.item else "",
            _("Through"): _through(event),
        }
        for event in events.iterator()
    ]
    return ExportSection(_("Who opened your record"), rows)


def emergencies(user: User) -> ExportSection:
    rows = [
        {
            _("Administrator"): glass.admin.name,
            _("Reason"): glass.reason,
            _("From"): glass.opened_at,
            _("Until"): glass.closed_at or glass.until,
        }
        for glass in BreakGlass.objects.filter(patient=user).select_related("admin")
    ]
    return ExportSection(_("Emergency access to your record"), rows)


def practice(user: User) -> ExportSection:
    profile = DoctorProfile.objects.filter(user=user).first()
    if profile is None:
        return ExportSection(_("Your practice"), [])
    fields = (
        "title",
        "clinic_name",
        "clinic_address",
        "latitude",
        "longitude",
        "biography",
        "fee",
        "accepts_video",
        "accepts_in_person",
    )
    rows = [(_label(profile, name), _shown(profile, name)) for name in fields]
    rows += [
        (_("Specialities"), [str(speciality) for speciality in profile.specialities.all()]),
        (_("Languages"), [language.code for language in profile.languages.all()]),
    ]
    files = [_file("doctor/photo.jpg", profile.photo)] if profile.photo else []
    return ExportSection(_("Your practice"), _answers(rows), files=files)


def applications(user: User) -> ExportSection:
    """Each step of each licence, with the documents."""
    rows, files = [], []
    for application in DoctorApplication.objects.filter(doctor=user).prefetch_related("events__by"):
        path = f"doctor/{application.public_id}{application.document_extension}"
        files.append(_file(path, application.document))
        rows += [
            {
                _("Licence number"): application.licence_number,
                _("Issuing authority"): application.licence_authority,
                _("Country"): application.licence_country,
                _("Valid until"): application.licence_expires_on,
                _("When"): event.at,
                _("Step"): event.get_to_status_display(),
                _("Reason"): event.reason,
                _("Document"): path,
            }
            for event in application.events.all()
        ]
    return ExportSection(_("Your licences"), rows, files=files)


def opened_by_them(user: User) -> ExportSection:
    """The other side of the log says no more than that: whose record it was is not theirs to take along."""
    rows = [
        {_("When"): event.at, _("What"): event.opened, _("Address"): event.address}
        for event in AccessEvent.objects.filter(actor=user).iterator()
    ]
    return ExportSection(_("When you opened records of patients"), rows)


def mails(user: User) -> ExportSection:
    rows = [
        {_("When"): mail.created_at, _("What"): mail.kind, _("State"): mail.get_status_display()}
        for mail in OutgoingMail.objects.filter(recipient=user)
    ]
    return ExportSection(_("Mails to you in the last weeks"), rows)


def told(user: User) -> ExportSection:
    """What stands in their list, in the words of today."""
    rows = [
        {
            _("When"): row.notice.created_at,
            _("What"): row.words,
            _("Read"): row.notice.read_at,
        }
        for row in notices.told(notices.of(user))
    ]
    return ExportSection(_("Notices to you"), rows)


def notification_choices(user: User) -> ExportSection:
    rows = [
        {
            _("What"): choice.get_group_display(),
            _("By email"): _("yes") if choice.email else _("no"),
            _("In Derma"): _("yes") if choice.in_app else _("no"),
        }
        for choice in NotificationChoice.objects.filter(user=user)
    ]
    return ExportSection(_("How you want to be told"), rows)


EXPORTERS = (
    account,
    patient_profile,
    profile_versions,
    practice,
    applications,
    consents,
    shares,
    opened_by_others,
    emergencies,
    opened_by_them,
    sign_in,
    mails,
    told,
    notification_choices,
)


def _named_files() -> Iterator[str]:
    yield from DoctorApplication.objects.values_list("document", flat=True).iterator()
    yield from DoctorProfile.objects.exclude(photo="").values_list("photo", flat=True).iterator()
    yield from DataExport.objects.exclude(file="").values_list("file", flat=True).iterator()


NAMED_FILES = NamedFiles(folders=("documents", "doctors", "exports"), names=_named_files)


def _answers(rows: list[tuple[Any, Any]]) -> list[Row]:
    return [{_("Question"): str(question), _("Answer"): answer} for question, answer in rows]


def _label(instance: Any, name: str) -> str:
    label = str(instance._meta.get_field(name).verbose_name)
    return label[:1].upper() + label[1:]


def _shown(instance: Any, name: str) -> Any:
    """A field's value in words; a choice by its label."""
    value = getattr(instance, name)
    if value in (None, ""):
        return ""
    display = getattr(instance, f"get_{name}_display", None)
    return str(display()) if display else value


def _who(actor: User | None, user: User) -> str:
    if actor is None:
        return ""
    return _("You") if actor == user else actor.name


def _through(event: AccessEvent) -> str:
    if event.break_glass_id:
        return _("Emergency access")
    return event.relation.get_source_display() if event.relation else ""


def _file(path: str, stored: FieldFile) -> ExportedFile:
    def read() -> bytes:
        with stored.open("rb") as file:
            return bytes(file.read())

    return ExportedFile(path, read)
