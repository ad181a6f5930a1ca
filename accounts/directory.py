"""The public directory of doctors: those who are verified, whose licence is in force."""

import datetime
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator
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
from accounts.registries import EarliestTimes, FreeTime

VIDEO, IN_PERSON = "video", "in_person"
PAGE_SIZE = 20
_NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


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

    @property
    def narrows(self) -> bool:
        """Whether some are left out, and not only put in another order."""
        return replace(self, near=None) != Search()


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


def earliest_times(user: object, analysis: UUID | None) -> EarliestTimes | None:
    """How to ask for the earliest times, if this is an urgent result of that person's own."""
    if analysis is None or not isinstance(user, User):
        return None
    asks = (offer(user, analysis) for offer in registries.earliest_times)
    return next((ask for ask in asks if ask is not None), None)


@dataclass(frozen=True)
class Times:
    """What cards say of times, by the public id of the doctor."""

    next: dict[UUID, datetime.datetime]
    choices: dict[UUID, list[FreeTime]] = field(default_factory=dict)  # for an urgent result alone


def times_of(profiles: list[DoctorProfile], earliest: EarliestTimes | None = None) -> Times:
    """Asked once for a whole page."""
    if earliest is None:
        return Times(next_free_times(profiles))
    return _times(profiles, earliest([profile.user_id for profile in profiles]))


def _times(profiles: list[DoctorProfile], found: dict[int, list[FreeTime]]) -> Times:
    choices = {one.user.public_id: found[one.user_id] for one in profiles if found.get(one.user_id)}
    return Times({doctor: free[0].start for doctor, free in choices.items()}, choices)


def page_of(
    search: Search, number: str | None, *, earliest: EarliestTimes | None = None, by_time: bool = False
) -> tuple[Page[Any], Times]:
    """A page of those who are found, and the times on its cards; `by_time` needs to know how to ask.

    By time everybody is asked for and the page alone is read; who has no time comes last. A long list takes
    as many queries as a short one.
    """
    found = search_doctors(search)
    if earliest is None or not by_time:
        page: Page[Any] = Paginator(found, PAGE_SIZE).get_page(number)
        return page, times_of(list(page), earliest)
    doctors: list[Any] = list(found.values_list("user", flat=True))  # of a page: keys first, then profiles
    times = earliest(doctors)
    doctors.sort(key=lambda doctor: times[doctor][0].start if times.get(doctor) else _NEVER)
    page = Paginator(doctors, PAGE_SIZE).get_page(number)
    profiles = {profile.user_id: profile for profile in found.filter(user__in=page.object_list)}
    page.object_list = [profiles[doctor] for doctor in page.object_list if doctor in profiles]
    return page, _times(list(page), times)


def ratings(profiles: list[DoctorProfile]) -> dict[UUID, tuple[float, int]]:
    """By the public id of the doctor: stars on average, and of how many; asked once for a whole page."""
    doctors = {profile.user_id: profile.user.public_id for profile in profiles}
    return {
        doctors[doctor]: rating
        for ask in registries.doctor_ratings
        for doctor, rating in ask(doctors).items()
    }
