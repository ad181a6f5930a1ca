"""What is kept about a person as FHIR R4 (4.0.1) resources: plain dictionaries, as JSON has them.

Codes come from HL7's own systems where one fits. For what is particular to this product there is the text
alone: a code that looks official and is not would mislead whoever imports it.
"""

import datetime
import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts.models import Consent, ConsentKind, DoctorProfile, PatientProfile, Sex, User
from dermaplatform.addresses import absolute

Resource = dict[str, Any]

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_GEOLOCATION = "http://hl7.org/fhir/StructureDefinition/geolocation"
# FHIR knows no fourth one.
_GENDERS = {Sex.FEMALE: "female", Sex.MALE: "male", Sex.INTERSEX: "other"}
_CONSENT_SCOPES = {ConsentKind.CARE: "treatment", ConsentKind.RESEARCH: "research"}
# FHIR's strings hold only these of all kinds of white space.
_STRANGE_SPACE = re.compile(r"[^\S \r\n\t]")


def pruned(value: Any) -> Any:
    """Without what is empty, at every depth: FHIR has no empty strings, lists or objects."""
    if isinstance(value, dict):
        kept = {key: pruned(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (None, "", [], {})}
    if isinstance(value, list):
        return [inner for inner in map(pruned, value) if inner not in (None, "", [], {})]
    return value


def text(words: object) -> str:
    """Words as a FHIR string; empty if there are none."""
    return _STRANGE_SPACE.sub(" ", str(words)).strip()


def moment(at: datetime.datetime | None) -> str | None:
    return at.astimezone(datetime.UTC).isoformat(timespec="seconds") if at else None


def concept(words: object, *, system: str = "", code: str = "") -> Resource:
    found: Resource = {"coding": [{"system": system, "code": code}] if code else [], "text": text(words)}
    return {key: value for key, value in found.items() if value}


def reference(public_id: UUID) -> Resource:
    return {"reference": f"urn:uuid:{public_id}"}


def bundle(resources: Iterable[Resource]) -> Resource:
    """A collection; resources point at each other by the `urn:uuid:` of their id."""
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": moment(timezone.now()),
        "entry": [
            {"fullUrl": f"urn:uuid:{resource['id']}", "resource": pruned(resource)} for resource in resources
        ],
    }


def person(user: User) -> Resource:
    """Who it is about: a Patient, a Practitioner, or for administrators a Person."""
    kind = "Patient" if user.is_patient else "Practitioner" if user.is_doctor else "Person"
    resource = {
        "resourceType": kind,
        "id": str(user.public_id),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{user.public_id}"}],
        "active": user.is_active,
        "name": [{"text": text(user.name)}],
        "telecom": [{"system": "email", "value": text(email)} for email in _addresses(user)],
    }
    if user.is_patient and (profile := PatientProfile.objects.filter(user=user).first()):
        resource |= _patient_answers(profile)
    if user.is_doctor and (practice := DoctorProfile.objects.filter(user=user).first()):
        address = [practice.clinic_name, practice.clinic_address]
        resource["address"] = [{"use": "work", "text": text(", ".join(filter(None, address)))}]
    return resource


def _addresses(user: User) -> list[str]:
    known = EmailAddress.objects.filter(user=user).order_by("-primary", "pk").values_list("email", flat=True)
    return list(dict.fromkeys([user.email, *known]))


def _patient_answers(profile: PatientProfile) -> Resource:
    where = None
    if profile.latitude is not None and profile.longitude is not None:
        where = {
            "url": _GEOLOCATION,
            "extension": [
                {"url": "latitude", "valueDecimal": float(profile.latitude)},
                {"url": "longitude", "valueDecimal": float(profile.longitude)},
            ],
        }
    return {
        "gender": _GENDERS.get(Sex(profile.sex)) if profile.sex else None,
        "birthDate": profile.date_of_birth.isoformat() if profile.date_of_birth else None,
        "address": [{"text": text(profile.place), "extension": [where]}],
    }


def answer(
    *, patient: User, public_id: UUID, question: object, words: object, at: datetime.datetime
) -> Resource:
    """Something that a patient said about themselves."""
    return {
        "resourceType": "Observation",
        "id": str(public_id),
        "status": "final",
        "category": [concept("", system=f"{_TERMINOLOGY}observation-category", code="social-history")],
        "code": concept(question),
        "subject": reference(patient.public_id),
        "performer": [reference(patient.public_id)],
        "effectiveDateTime": moment(at),
        "valueString": text(words),
    }


def consent(given: Consent, *, public_id: UUID) -> Resource:
    return {
        "resourceType": "Consent",
        "id": str(public_id),
        "status": "inactive" if given.withdrawn_at else "active",
        "scope": concept(
            given.get_kind_display(),
            system=f"{_TERMINOLOGY}consentscope",
            code=_CONSENT_SCOPES[ConsentKind(given.kind)],
        ),
        "category": [concept(given.get_kind_display(), system="http://loinc.org", code="59284-0")],
        "patient": reference(given.user.public_id),
        "dateTime": moment(given.given_at),
        "policy": [{"uri": absolute(f"/settings/consents/{given.kind}/#version-{given.version}")}],
        "provision": {
            "type": "permit",
            "period": {"start": moment(given.given_at), "end": moment(given.withdrawn_at)},
        },
    }
