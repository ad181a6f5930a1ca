"""The access log: who else opened a patient's record. Rows are only added; the database sees to it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from rest_framework.request import Request

from accounts.models import AccessEvent, AccessLogGate, BreakGlass, CareRelation, Opened, Scope, User
from dermaplatform.addresses import client_address

# Two looks of one person that are no further apart belong to one sitting.
_SITTING = timedelta(minutes=30)


def record_access(
    request: HttpRequest | Request, patient: User, opened: Opened, item: UUID | None = None
) -> None:
    """Write down that somebody opened this part of a patient's record; nothing if it is the patient.

    Call it before the answer is made: what could not be written down is not shown.
    """
    _record(request, [patient], opened, item)


def record_accesses(request: HttpRequest | Request, patients: Iterable[User], opened: Opened) -> None:
    """The same for a list that shows something of several patients."""
    _record(request, list({patient.pk: patient for patient in patients}.values()), opened, None)


def _record(request: HttpRequest | Request, patients: list[User], opened: Opened, item: UUID | None) -> None:
    actor = request.user
    if not isinstance(actor, User):
        raise TypeError("A record is opened by somebody who is signed in.")
    others = [patient for patient in patients if patient.pk != actor.pk]
    if not others:
        return
    relations = _relations_used(actor, others, item) if actor.is_doctor else {}
    glasses = _glasses_used(actor, others) if actor.is_admin else {}
    address = client_address(request)
    AccessEvent.objects.bulk_create(
        AccessEvent(
            actor=actor,
            patient=patient,
            opened=opened,
            item=item,
            relation_id=relations.get(patient.pk),
            break_glass_id=glasses.get(patient.pk),
            address=address,
        )
        for patient in others
    )


def _relations_used(doctor: User, patients: list[User], item: UUID | None) -> dict[int, int]:
    """By patient: the relation that opens this item, the one to the whole record before others."""
    relations = CareRelation.objects.in_force().filter(doctor=doctor, patient__in=patients)
    if item is not None:
        relations = relations.filter(Q(scope=Scope.RECORD) | Q(scope=Scope.NAMED, items__item=item))
    by_patient = {relation.patient_id: relation.pk for relation in relations.filter(scope=Scope.NAMED)}
    by_patient |= {relation.patient_id: relation.pk for relation in relations.filter(scope=Scope.RECORD)}
    return by_patient


def _glasses_used(admin: User, patients: list[User]) -> dict[int, int]:
    glasses = BreakGlass.objects.in_force().filter(admin=admin, patient__in=patients)
    return dict(glasses.values_list("patient_id", "pk"))


def accesses_to(patient: User) -> QuerySet[AccessEvent]:
    """Who opened this patient's record, the latest first, with all that is needed to say it in words."""
    return AccessEvent.objects.visible_to(patient).select_related(
        "actor", "actor__doctor_profile", "relation", "break_glass"
    )


@dataclass
class Part:
    """One thing that was opened, and how often."""

    opened: Opened
    item: UUID | None
    times: int = 0


@dataclass
class Sitting:
    """What one person opened through one relation or emergency, one look soon after the other."""

    actor: User
    relation: CareRelation | None
    break_glass: BreakGlass | None
    began: datetime
    ended: datetime
    parts: dict[tuple[str, UUID | None], Part] = field(default_factory=dict)
    addresses: dict[str, None] = field(default_factory=dict)  # in the order of the looks, each once

    def goes_on_with(self, earlier: AccessEvent) -> bool:
        same = (self.actor, self.relation, self.break_glass)
        return same == (earlier.actor, earlier.relation, earlier.break_glass) and (
            self.began - earlier.at <= _SITTING
        )

    def add(self, event: AccessEvent) -> None:
        self.began = event.at
        part = Part(Opened(event.opened), event.item)
        self.parts.setdefault((event.opened, event.item), part).times += 1
        if event.address:
            self.addresses[event.address] = None


def sittings(events: Iterable[AccessEvent]) -> list[Sitting]:
    """Events, the latest first, put together as a person would tell them."""
    told: list[Sitting] = []
    for event in events:
        if not told or not told[-1].goes_on_with(event):
            told.append(Sitting(event.actor, event.relation, event.break_glass, event.at, event.at))
        told[-1].add(event)
    return told


def pseudonymise(user: User) -> int:
    """Take out of the log what leads to a person who is erased; the number of rows that changed.

    When, by whom and what kind of thing was opened stays. What was opened of the person, and through which
    relation or emergency, is forgotten, so that those rows can go; so is the address they came from.
    """
    with transaction.atomic():
        gate = AccessLogGate.objects.create()
        events = AccessEvent.objects.exclude(item=None, relation=None, break_glass=None)
        of_theirs = events.filter(patient=user).update(item=None, relation=None, break_glass=None)
        by_them = AccessEvent.objects.filter(actor=user).exclude(address=None).update(address=None)
        gate.delete()
    return of_theirs + by_them
