"""The one rule of who may open a patient's record. Every `visible_to` is made of it."""

from django.db.models import Exists, OuterRef, Q

from accounts.models import BreakGlass, CareRelation, Scope, User
from accounts.selectors import is_verified_doctor


def open_to(user: object, *, patient: str = "patient", item: str | None = "public_id") -> Q:
    """Rows whose patient (field `patient`) is this person, or has opened the row (field `item`) to them.

    A patient sees their own. A verified doctor sees what a relation in force opens: the whole record, or the
    items it names. An administrator sees a record while they have broken the glass for it. Without `item`
    the rows belong to the record as a whole, such as the profile: a relation to some items is not enough.
    """
    if not isinstance(user, User):
        return Q(pk__in=[])
    if user.is_patient:
        return Q(**{patient: user})
    if user.is_admin:
        return Q(Exists(BreakGlass.objects.in_force().filter(admin=user, patient=OuterRef(patient))))
    if not is_verified_doctor(user):
        return Q(pk__in=[])
    relations = CareRelation.objects.in_force().filter(doctor=user, patient=OuterRef(patient))
    opened = Q(Exists(relations.filter(scope=Scope.RECORD)))
    if item is not None:
        opened |= Q(Exists(relations.filter(scope=Scope.NAMED, items__item=OuterRef(item))))
    return opened
