"""The public directory of doctors: those who are verified, whose licence is in force."""

import datetime
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet

from accounts import registries
from accounts.folding import Fold, fold
from accounts.geography import Position, distance_km
from accounts.models import (
    DoctorApplication,
    DoctorLanguage,
    DoctorProfile,
    DoctorSpeciality,
    Role,
    User,
)

VIDEO, IN_PERSON = "video", "in_person"


@dataclass(frozen=True)
class Search:
    """What somebody looks for; an empty answer does not narrow."""

    name: str = ""
    speciality: str = ""
    language: str = ""
    way: str = ""  # VIDEO or IN_PERSON
    near: Position | None = None

    @property
    def is_empty(self) -> bool:
        return self == Search()


def public_doctors() -> QuerySet[DoctorProfile]:
    """The one rule of who stands in the directory."""
    in_force = DoctorApplication.objects.in_force().filter(doctor=OuterRef("user"))
    doctors = DoctorProfile.objects.filter(Exists(in_force), user__is_active=True, user__role=Role.DOCTOR)
    return _whole(doctors)


def _whole(profiles: QuerySet[DoctorProfile]) -> QuerySet[DoctorProfile]:
    """With everything that a page shows, in a constant number of queries."""
    return profiles.select_related("user").prefetch_related(
        Prefetch("specialities", DoctorSpeciality.objects.order_by("code")),
        Prefetch("languages", DoctorLanguage.objects.order_by("code")),
    )


def visible_profiles(user: object) -> QuerySet[DoctorProfile]:
    """Who may read a doctor's profile: everybody that of a public doctor, and doctors their own."""
    if isinstance(user, User) and user.is_doctor:
        public = public_doctors().values("pk")
        return _whole(DoctorProfile.objects.filter(Q(user=user) | Q(pk__in=public)))
    return public_doctors()


def search_doctors(search: Search) -> QuerySet[DoctorProfile]:
    """The nearest first if a position is given, with `distance` in kilometres; else by name."""
    found = public_doctors()
    for word in fold(search.name).split():
        found = found.alias(folded_name=Fold(F("user__name"))).filter(folded_name__contains=word)
    if search.speciality:
        found = found.filter(specialities__code=search.speciality)
    if search.language:
        found = found.filter(languages__code=search.language)
    if search.way == VIDEO:
        found = found.filter(accepts_video=True)
    elif search.way == IN_PERSON:
        found = found.filter(accepts_in_person=True)
    if search.near is None:
        return found.order_by(Fold(F("user__name")), "pk")
    return found.annotate(distance=distance_km(search.near)).order_by(
        F("distance").asc(nulls_last=True), "pk"
    )


def shows_free_times() -> bool:
    """Whether anybody knows about appointments at all."""
    return bool(registries.next_free_times)


def next_free_times(profiles: list[DoctorProfile]) -> dict[UUID, datetime.datetime]:
    """By the public id of the doctor, for those who have a free time: asked once for a whole page."""
    doctors = {profile.user_id: profile.user.public_id for profile in profiles}
    earliest: dict[UUID, datetime.datetime] = {}
    for ask in registries.next_free_times:
        for doctor, moment in ask(doctors).items():
            known = earliest.get(doctors[doctor])
            earliest[doctors[doctor]] = min(moment, known) if known else moment
    return earliest


def ratings(profiles: list[DoctorProfile]) -> dict[UUID, tuple[float, int]]:
    """By the public id of the doctor: stars on average, and of how many; asked once for a whole page."""
    doctors = {profile.user_id: profile.user.public_id for profile in profiles}
    return {
        doctors[doctor]: rating
        for ask in registries.doctor_ratings
        for doctor, rating in ask(doctors).items()
    }
