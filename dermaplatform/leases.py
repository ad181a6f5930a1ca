"""A row that is a job: due, claimed under a lease, ended once, taken back when its worker is gone.

The broker only rings the bell. Whatever it loses or delivers twice, a row is worked on by one holder of
a lease, and the sweep finds what nobody heard.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, TypeVar

import structlog
from celery import Task
from django.conf import settings
from django.db import models
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from dermaplatform.bell import ring_now

log = structlog.get_logger(__name__)


class LeasedRow(models.Model):
    """The columns of a job, beside a `status` of its own."""

    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    rung_at = models.DateTimeField(default=timezone.now)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


def exactly_running_is_leased(running: str, *, name: str) -> models.CheckConstraint:
    """Exactly the rows that are being worked on are leased."""
    return models.CheckConstraint(
        condition=Q(status=running, lease_token__isnull=False, lease_expires_at__isnull=False)
        | (~Q(status=running) & Q(lease_token=None, lease_expires_at=None)),
        name=name,
    )


NO_LEASE: dict[str, None] = {"lease_token": None, "lease_expires_at": None}
Row = TypeVar("Row", bound=LeasedRow)


class Leases(Generic[Row]):
    """The jobs of one model: `waiting` and `running` are its statuses, `length` is how long a lease holds.

    A sweep rings for at most `rings` rows, so that a stopped worker does not find a long queue.
    """

    def __init__(
        self,
        model: type[Row],
        *,
        waiting: str,
        running: str,
        length: Callable[[], timedelta],
        rings: int,
    ) -> None:
        self.model, self.waiting, self.running = model, waiting, running
        self.length, self.rings = length, rings

    @property
    def _rows(self) -> QuerySet[Row]:
        return self.model._default_manager.all()

    def due(self) -> QuerySet[Row]:
        """Waiting, and not held back after an attempt that failed."""
        return self._rows.filter(status=self.waiting, not_before__lte=timezone.now())

    def abandoned(self) -> QuerySet[Row]:
        """Claimed by a worker that has stopped renewing its lease."""
        return self._rows.filter(status=self.running, lease_expires_at__lt=timezone.now())

    def new_lease(self) -> dict[str, Any]:
        """What a claim writes."""
        return {"lease_token": uuid.uuid4(), "lease_expires_at": timezone.now() + self.length()}

    def claim(self, pk: int, **changes: Any) -> Row | None:
        """Take a due row under a new lease; None if it is not there, not due, or somebody else's."""
        lease = self.new_lease()
        claimed = self.due().filter(pk=pk)
        if not claimed.update(status=self.running, attempts=F("attempts") + 1, **lease, **changes):
            return None
        return self._rows.filter(pk=pk, lease_token=lease["lease_token"]).first()

    def held(self, pk: int, token: uuid.UUID | None) -> QuerySet[Row]:
        """The row, if this lease still holds it."""
        return self._rows.filter(pk=pk, status=self.running, lease_token=token, lease_token__isnull=False)

    def renew(self, pk: int, token: uuid.UUID | None, **changes: Any) -> bool:
        """Prolong a lease; False if it is no longer ours."""
        return bool(self.held(pk, token).update(lease_expires_at=timezone.now() + self.length(), **changes))

    def end(self, row: Row, status: str, **changes: Any) -> bool:
        """Let go of a row; False if its lease was lost meanwhile, and then nothing is written."""
        return bool(self.held(row.pk, row.lease_token).update(status=status, **NO_LEASE, **changes))

    def take_back(self, give_back: Callable[..., bool]) -> int:
        """End the claims of workers that have gone; the number of them."""
        lost = [row.pk for row in self.abandoned() if give_back(row, error="The worker went away.")]
        if lost:
            log.warning("leases_expired", job=self.model.__name__, rows=lost)
        return len(lost)

    def ring_again(self, task: Task, pk: int) -> None:
        """Ring for a row whose message somebody took who cannot do the job; nothing if it is not due."""
        if self.due().filter(pk=pk).update(rung_at=timezone.now()):
            ring_now(task, pk, expires=timedelta(seconds=settings.DERMA_RING_AGAIN_SECONDS))

    def ring_overdue(self, task: Task) -> int:
        """Ring again for due rows whose last ring nobody answered, oldest first; the number of rings.

        A ring expires when the next is due, so a stopped worker finds a short queue when it returns.
        """
        now = timezone.now()
        again_after = timedelta(seconds=settings.DERMA_RING_AGAIN_SECONDS)
        unanswered = self.due().filter(rung_at__lt=now - again_after).order_by("not_before")
        rung = []
        for pk in unanswered.values_list("pk", flat=True)[: self.rings]:
            if not ring_now(task, pk, expires=again_after):
                break
            rung.append(pk)
        self._rows.filter(pk__in=rung).update(rung_at=now)
        return len(rung)
