"""What a doctor shows to the public."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import DoctorLanguage, DoctorProfile, DoctorSpeciality, Speciality, User
from accounts.spoken import LANGUAGES


@dataclass(frozen=True)
class Practice:
    """The answers of a doctor's own page. `photo` is None to keep the present one, empty to take it away."""

    title: str = ""
    clinic_name: str = ""
    clinic_address: str = ""
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    biography: str = ""
    fee: str = ""
    accepts_video: bool = False
    accepts_in_person: bool = True
    specialities: Collection[str] = ()
    languages: Collection[str] = ()
    photo: bytes | None = None


_PLAIN = (
    "title", "clinic_name", "clinic_address", "latitude", "longitude",
    "biography", "fee", "accepts_video", "accepts_in_person",
)  # fmt: skip


def doctor_profile(user: User) -> DoctorProfile:
    """The profile of a doctor, made with defaults when it is first asked for."""
    if not user.is_doctor:
        raise PermissionDenied
    profile, _created = DoctorProfile.objects.get_or_create(user=user)
    return profile


@transaction.atomic
def save_practice(*, doctor: User, practice: Practice) -> DoctorProfile:
    """Replace what the doctor says about themselves; ValidationError by field if something is not right."""
    profile = doctor_profile(doctor)
    for name in _PLAIN:
        setattr(profile, name, getattr(practice, name))
    if not (profile.accepts_video or profile.accepts_in_person):
        raise ValidationError(_("Choose video, in person, or both: otherwise nobody can see you."))
    profile.full_clean(exclude=["photo"])
    if practice.photo is not None:
        _replace_photo(profile, practice.photo)
    profile.save()
    _replace_specialities(profile, practice.specialities)
    _replace_languages(profile, practice.languages)
    return profile


def _replace_photo(profile: DoctorProfile, photo: bytes) -> None:
    """The former file goes once the row no longer names it."""
    former, storage = profile.photo.name, profile.photo.storage
    if photo:
        profile.photo.save(f"{uuid.uuid4().hex}.jpg", ContentFile(photo), save=False)
    else:
        profile.photo = ""
    if former:
        transaction.on_commit(lambda: storage.delete(former))


def _replace_specialities(profile: DoctorProfile, codes: Collection[str]) -> None:
    if not set(codes) <= set(Speciality.values):
        raise ValidationError({"specialities": _("Choose from the list.")})
    profile.specialities.exclude(code__in=codes).delete()
    DoctorSpeciality.objects.bulk_create(
        [DoctorSpeciality(profile=profile, code=code) for code in codes], ignore_conflicts=True
    )


def _replace_languages(profile: DoctorProfile, codes: Collection[str]) -> None:
    if not set(codes) <= LANGUAGES:
        raise ValidationError({"languages": _("Choose from the list.")})
    profile.languages.exclude(code__in=codes).delete()
    DoctorLanguage.objects.bulk_create(
        [DoctorLanguage(profile=profile, code=code) for code in codes], ignore_conflicts=True
    )
