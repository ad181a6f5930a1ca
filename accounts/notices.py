"""What people are told on the pages: which ways they chose, what stands in their list, and in which words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.template import Context, Engine, TemplateDoesNotExist
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from accounts.models import Notice, NoticeGroup, NotificationChoice, Role, User

FORGET_AFTER = timedelta(days=365)
_AT = "$at"  # marks a moment among plain values


class Way(StrEnum):
    EMAIL = "email"
    IN_APP = "in_app"


BOTH = frozenset(Way)
# The group of each kind that can be switched off. Apps above add theirs when they are loaded.
GROUPS: dict[str, NoticeGroup] = {
    "record_shared": NoticeGroup.SHARING,
    "share_changed": NoticeGroup.SHARING,
    "share_ended": NoticeGroup.SHARING,
}


def ways(user: User, kind: str) -> frozenset[Way]:
    """By which ways this person wants to be told things of this kind."""
    group = GROUPS.get(kind)
    choice = NotificationChoice.objects.filter(user=user, group=group).first() if group else None
    if choice is None:
        return BOTH
    chosen = {Way.EMAIL: choice.email, Way.IN_APP: choice.in_app}
    return frozenset(way for way, wanted in chosen.items() if wanted)


def groups_of(user: User) -> list[NoticeGroup]:
    """What this person can be told and may switch off."""
    if user.role == Role.DOCTOR:
        return list(NoticeGroup)
    return [NoticeGroup.VISITS, NoticeGroup.REMINDERS] if user.role == Role.PATIENT else []


def choices_of(user: User) -> dict[NoticeGroup, frozenset[Way]]:
    made = {choice.group: choice for choice in NotificationChoice.objects.filter(user=user)}
    return {
        group: frozenset(way for way in Way if group not in made or getattr(made[group], way.value))
        for group in groups_of(user)
    }


def choose(*, user: User, chosen: dict[str, Iterable[str]]) -> None:
    """Keep the ways that a person wants, by group. Raises ValidationError for a group or way not theirs."""
    known = groups_of(user)
    with transaction.atomic():
        for group, ways_chosen in chosen.items():
            wanted = set(ways_chosen)
            if group not in known or not wanted <= set(Way):
                raise ValidationError(_("This cannot be switched."), code="unknown")
            NotificationChoice.objects.update_or_create(
                user=user, group=group, defaults={way.value: way in wanted for way in Way}
            )


def put(user: User, kind: str, url: str, values: dict[str, Any]) -> Notice:
    """Into the person's list. `values` are plain and hold no names; moments are kept as moments."""
    params = {
        name: {_AT: value.isoformat()} if isinstance(value, datetime) else value
        for name, value in values.items()
    }
    return Notice.objects.create(recipient=user, kind=kind, url=url, params=params)


def of(user: User) -> QuerySet[Notice]:
    return Notice.objects.filter(recipient=user)


def unread(user: User) -> int:
    return of(user).filter(read_at=None).count()


def read(*, user: User, public_id: UUID) -> Notice | None:
    """Mark one as read; None if this person has none of that name. Twice is no error."""
    notice = of(user).filter(public_id=public_id).first()
    if notice:
        of(user).filter(pk=notice.pk, read_at=None).update(read_at=timezone.now())
    return notice


def read_all(*, user: User) -> int:
    return of(user).filter(read_at=None).update(read_at=timezone.now())


@dataclass(frozen=True)
class Told:
    """A notice in words, in the language and zone in force."""

    notice: Notice
    words: str


def told(notices: Iterable[Notice]) -> list[Told]:
    return [Told(notice, words(notice.kind, _values(notice))) for notice in notices]


def words(kind: str, values: dict[str, Any]) -> str:
    """The sentence `templates/notices/<kind>.txt`; where there is none, the subject of the mail."""
    for name in (f"notices/{kind}.txt", f"email/{kind}/subject.txt"):
        try:
            template = Engine.get_default().get_template(name)
        except TemplateDoesNotExist:
            continue
        return " ".join(template.render(Context(values, autoescape=False)).split())
    return _("Something has happened in Derma.")  # a kind that a later version does not know any more


def _values(notice: Notice) -> dict[str, Any]:
    return {
        name: parse_datetime(value[_AT]) if isinstance(value, dict) and _AT in value else value
        for name, value in notice.params.items()
    }


def forget_old() -> None:
    """Drop what was told long ago."""
    Notice.objects.filter(created_at__lt=timezone.now() - FORGET_AFTER).delete()
