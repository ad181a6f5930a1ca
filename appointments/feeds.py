"""Private addresses of people's visits, for calendar programs. Whoever has one reads what it shows."""

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.selectors import is_verified_doctor
from appointments import calendars
from appointments.models import BOOKED, Appointment, CalendarFeed, Status
from dermaplatform.addresses import absolute

PAST = timedelta(days=90)  # how far back a feed goes


def make(*, user: User, with_names: bool = False) -> str:
    """A new address, which is known only now; the one before stops working. Names are for doctors alone."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        revoke(user=user)
        CalendarFeed.objects.create(
            user=user, digest=_digest(token), with_names=with_names and user.is_doctor
        )
    return absolute(reverse("appointments:feed", args=[token]))


def revoke(*, user: User) -> bool:
    """Stop the address of this person; False if there is none."""
    in_use = CalendarFeed.objects.filter(user=user, revoked_at=None)
    return bool(in_use.update(revoked_at=timezone.now()))


def in_use(user: User) -> CalendarFeed | None:
    return CalendarFeed.objects.filter(user=user, revoked_at=None).first()


def read(token: str) -> str | None:
    """What stands at this address; None for one that was never given out, is revoked, or is of nobody."""
    feeds = CalendarFeed.objects.filter(digest=_digest(token), revoked_at=None, user__is_active=True)
    feed = feeds.select_related("user").first()
    if feed is None:
        return None
    visits = Appointment.objects.visible_to(feed.user).filter(
        status__in=(*BOOKED, Status.COMPLETED), start__gte=timezone.now() - PAST
    )
    visits = visits.select_related("patient", "doctor__doctor_profile").order_by("start", "pk")
    changed = visits.annotate(changed_at=Max("events__at"))
    rows = [(visit, visit.changed_at or visit.created_at) for visit in changed]  # type: ignore[attr-defined]
    # Who may not practise at present reads no names here either.
    with_names = feed.with_names and is_verified_doctor(feed.user)
    return calendars.feed(feed.user, rows, with_names=with_names)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
