"""What patients open to doctors: sharing, its end, and who may open what."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.history import save_version
from accounts.models import CareRelation, Scope, SharedItem, Source, User
from accounts.models.relations import CareRelationQuerySet
from accounts.notifications import notify
from accounts.registries import Shareable, shareables
from accounts.selectors import is_verified_doctor
from dermaplatform.addresses import absolute

# Calendars end; whoever means “for good” leaves the end open.
LONGEST_SHARE = timedelta(days=100 * 365)


def shareable_things(patient: User) -> dict[UUID, Shareable]:
    """Everything of this patient that can be shared by itself, the newest first."""
    things = [thing for of_app in shareables for thing in of_app(patient)]
    return {thing.item: thing for thing in sorted(things, key=lambda thing: thing.at, reverse=True)}


def share(
    *,
    patient: User,
    doctor: User,
    items: Collection[UUID] | None = None,
    until: datetime | None = None,
) -> CareRelation:
    """Open the whole record, or the named items of it, to a verified doctor until then, or until stopped.

    Named items join those that the doctor may open already, and the new end holds for all of them: that is a
    new relation in the place of the old one, so that each says exactly what was open from when to when.
    Sharing the same again changes nothing. Raises ValidationError.
    """
    _refuse(patient, doctor, items, until)
    scope = Scope.RECORD if items is None else Scope.NAMED
    with transaction.atomic():
        _one_at_a_time(patient)
        present = CareRelation.objects.open_share(patient=patient, doctor=doctor, scope=scope)
        wanted = set(items or ())
        if present and present.is_in_force:
            before = present.named_items()
            if wanted <= before:
                return extend(relation=present, until=until)
            wanted |= before
            _end(present, by=patient, why="replaced: more was shared", at=timezone.now())
        elif present:
            _end(present, by=None, why="ended by itself", at=present.until or timezone.now())
        relation = _begin(patient, doctor, scope, wanted, until, why="shared")
        notify(doctor, "record_shared", link=absolute("/patients/"))
    return relation


def extend(*, relation: CareRelation, until: datetime | None) -> CareRelation:
    """Let a share that is in force end at another time; None: when it is stopped. Raises ValidationError."""
    _refuse_end(until)
    with transaction.atomic():
        _one_at_a_time(relation.patient)
        relation.refresh_from_db()
        if not relation.is_in_force or relation.source != Source.SHARE:
            raise ValidationError(_("This share has ended. Share again if you want to."), code="ended")
        if relation.until != until:
            relation.until = until
            save_version(relation, by=relation.patient, why="end changed", update_fields=["until"])
            notify(relation.doctor, "share_changed", link=absolute("/patients/"))
    return relation


def revoke(*, relation: CareRelation, item: UUID | None = None) -> CareRelation | None:
    """Stop a share, or one item of it: then a relation with the others takes its place, and is returned.

    What has ended already stays as it is. Raises ValidationError for a relation that is no share.
    """
    if relation.source != Source.SHARE:
        raise ValidationError(_("This belongs to a visit and ends with it."), code="visit")
    with transaction.atomic():
        _one_at_a_time(relation.patient)
        relation.refresh_from_db()
        if not relation.is_in_force:
            return None
        items = relation.named_items()
        if item is not None and item not in items:
            return relation
        left = items - {item} if item is not None else set()
        _end(relation, by=relation.patient, why="stopped", at=timezone.now())
        if left:
            return _begin(
                relation.patient, relation.doctor, Scope.NAMED, left, relation.until, why="one item taken out"
            )
        notify(relation.doctor, "share_ended")
    return None


def open_for_visit(*, patient: User, doctor: User, until: datetime, by: User) -> CareRelation:
    """Open the whole record to the doctor of a visit that `by` booked. The app of visits ends it."""
    relation = CareRelation(
        patient=patient, doctor=doctor, scope=Scope.RECORD, source=Source.VISIT, until=until
    )
    relation.full_clean()
    save_version(relation, by=by, why="visit booked")
    return relation


def keep_for_visit(*, relation: CareRelation, until: datetime, why: str) -> None:
    """Let the relation of a visit end at another time; what has ended stays ended."""
    if relation.revoked_at is None and relation.until != until:
        relation.until = until
        save_version(relation, by=None, why=why, update_fields=["until"])


def end_for_visit(*, relation: CareRelation, by: User | None, why: str) -> None:
    """End the relation of a visit that does not take place. Ending it twice changes nothing."""
    if relation.revoked_at is None:
        _end(relation, by=by, why=why, at=timezone.now())


def end_all(*, person: User, why: str) -> int:
    """End every relation of somebody who leaves, as patient or as doctor; how many there were."""
    with transaction.atomic():
        _one_at_a_time(person)
        relations = list(CareRelation.objects.of(person).filter(revoked_at=None))
        for relation in relations:
            _end(relation, by=None, why=why, at=timezone.now())
    return len(relations)


def relations_of(patient: User) -> CareRelationQuerySet:
    """What a patient has opened to whom, now and before, with doctor and items."""
    return (
        CareRelation.objects.visible_to(patient)
        .select_related("doctor", "doctor__doctor_profile")
        .prefetch_related("items")
    )


def name_of(person: User) -> str:
    """How a person is called: a doctor with the title, somebody who has left without a name."""
    profile = getattr(person, "doctor_profile", None)
    return (str(profile) if profile else person.name) or _("Somebody whose account was erased")


def _refuse(patient: User, doctor: User, items: Collection[UUID] | None, until: datetime | None) -> None:
    if patient == doctor:
        raise ValidationError(_("A record cannot be shared with oneself."), code="oneself")
    if not patient.is_patient:
        raise ValidationError(_("Only a patient has a record to share."), code="not_a_patient")
    if not is_verified_doctor(doctor):
        raise ValidationError(
            _("This is not a verified doctor, so nothing can be shared here."), code="not_verified"
        )
    if items is not None:
        if not items:
            raise ValidationError(_("Choose what to share, or share the whole record."), code="nothing_named")
        if not set(items) <= shareable_things(patient).keys():
            raise ValidationError(_("Some of this is not in your record."), code="not_yours")
    _refuse_end(until)


def _refuse_end(until: datetime | None) -> None:
    if until is None:
        return
    if until <= timezone.now():
        raise ValidationError(_("The end of the share must lie in the future."), code="past")
    if until > timezone.now() + LONGEST_SHARE:
        raise ValidationError(_("The end of the share is too far away."), code="too_far")


def _one_at_a_time(person: User) -> None:
    """Changes of one person's relations wait for each other."""
    User.objects.select_for_update(no_key=True).get(pk=person.pk)


def _begin(
    patient: User, doctor: User, scope: Scope, items: set[UUID], until: datetime | None, *, why: str
) -> CareRelation:
    relation = CareRelation(patient=patient, doctor=doctor, scope=scope, until=until)
    relation.full_clean()
    save_version(relation, by=patient, why=why)
    SharedItem.objects.bulk_create(SharedItem(relation=relation, item=item) for item in sorted(items))
    return relation


def _end(relation: CareRelation, *, by: User | None, why: str, at: datetime) -> None:
    relation.revoked_at = at
    save_version(relation, by=by, why=why, update_fields=["revoked_at"])
