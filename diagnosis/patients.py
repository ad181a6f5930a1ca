"""A patient's record as others see it: what a relation, or an emergency, opens to them."""

import datetime
from dataclasses import dataclass

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.access import open_to
from accounts.break_glass import glass_of
from accounts.models import BreakGlass, CareRelation, PatientProfile, Role, User
from diagnosis.models import Analysis


@dataclass(frozen=True)
class Reading:
    """Whose record somebody else reads, and what opens it. The profile belongs to the whole record."""

    patient: User
    whole_record: bool
    profile: PatientProfile | None
    relations: list[CareRelation]
    glass: BreakGlass | None

    @property
    def age(self) -> int | None:
        born = self.profile and self.profile.date_of_birth
        return age_on(born, timezone.localdate()) if born else None

    @property
    def age_in_words(self) -> str:
        if self.age is None:
            return ""
        return ngettext("%(age)s year", "%(age)s years", self.age) % {"age": self.age}

    @property
    def facts(self) -> list[str]:
        """What a doctor wants to know beside a picture, as far as the patient has said it."""
        if self.profile is None:
            return []
        said = [self.age_in_words, self.profile.get_sex_display()]
        if self.profile.skin_type:
            said.append(_("skin type %(type)s") % {"type": self.profile.get_skin_type_display()})
        return [fact for fact in said if fact]


def visible_patients(user: User) -> QuerySet[User]:
    """Patients of whom the whole record or an analysis is open to this person, the latest opened first."""
    whole = open_to(user, patient="pk", item=None)
    some = Exists(Analysis.objects.visible_to(user).filter(patient=OuterRef("pk")))
    if user.is_admin:
        opening: QuerySet[CareRelation] | QuerySet[BreakGlass] = BreakGlass.objects.in_force().filter(
            admin=user, patient=OuterRef("pk")
        )
        moment = "opened_at"
    else:
        opening, moment = CareRelation.objects.visible_to(user).filter(patient=OuterRef("pk")), "since"
    return (
        User.objects.filter(whole | some, role=Role.PATIENT)
        .annotate(
            whole_record=ExpressionWrapper(whole, output_field=BooleanField()),
            shared_at=Subquery(opening.order_by(f"-{moment}").values(moment)[:1]),
        )
        .order_by("-shared_at", "-pk")
    )


def reading(user: User, patient: User) -> Reading:
    """What `user` may know of a patient whom they may see."""
    whole = User.objects.filter(open_to(user, patient="pk", item=None), pk=patient.pk).exists()
    relations = CareRelation.objects.visible_to(user).filter(patient=patient) if user.is_doctor else []
    return Reading(
        patient=patient,
        whole_record=whole,
        profile=PatientProfile.objects.filter(user=patient).first() if whole else None,
        relations=list(relations),
        glass=glass_of(user, patient),
    )


def age_on(born: datetime.date, day: datetime.date) -> int:
    """Whole years. Who was born on 29 February turns older on 1 March of other years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
