"""The life of a copy of one's data: asked for, prepared by a worker under a lease, kept for some days."""

from datetime import timedelta
from tempfile import TemporaryFile

import structlog
from celery import Task
from django.conf import settings
from django.core.files import File
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.archive import write_archive
from accounts.models import DataExport, ExportStatus, User
from accounts.notifications import notify
from dermaplatform.addresses import absolute
from dermaplatform.bell import ring
from dermaplatform.leases import Leases

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=2)  # renewed with every file that is written
FORGET_AFTER = timedelta(days=90)

leases = Leases(
    DataExport, waiting=ExportStatus.QUEUED, running=ExportStatus.RUNNING, length=lambda: LEASE, rings=100
)


class LeaseLost(Exception):
    """Another worker has this job now, or nobody wants it any more."""


def request_export(*, user: User) -> DataExport:
    """Queue a copy of everything that is kept about `user`. One that is under way is enough."""
    from accounts.tasks import prepare_export

    try:
        with transaction.atomic():
            export = DataExport.objects.create(user=user)
            ring(prepare_export, export.pk)
            return export
    except IntegrityError:
        # The one under way may have ended just now.
        return DataExport.objects.waiting().filter(user=user).first() or request_export(user=user)


def claim(export_id: int) -> DataExport | None:
    """Take a due job under a new lease; None if it is not there, not due, or somebody else's."""
    return leases.claim(export_id, progress=0)


def prepare(export: DataExport) -> None:
    """Write the archive, store it and say so. LeaseLost if it is not ours any more; then nothing is kept."""
    with TemporaryFile() as archive:
        write_archive(export.user, archive, lambda per_cent: note_progress(export, per_cent))
        size = archive.tell()
        archive.seek(0)
        export.file.save("copy.zip", File(archive), save=False)
    try:
        with transaction.atomic():
            _finish(export, size)
    except BaseException:
        export.file.storage.delete(str(export.file.name))
        raise


def note_progress(export: DataExport, per_cent: int) -> None:
    """Write how far it is, and renew the lease; LeaseLost if it is not ours any more."""
    if not leases.renew(export.pk, export.lease_token, progress=min(per_cent, 100)):
        raise LeaseLost


def _finish(export: DataExport, size: int) -> None:
    """Ready. Copies from before are out of date now and go."""
    now = timezone.now()
    expires = now + timedelta(days=settings.DERMA_EXPORT_DAYS)
    earlier = DataExport.objects.filter(user=export.user, status=ExportStatus.READY)
    for old in earlier.exclude(pk=export.pk):
        expire(old)
    if not leases.end(
        export,
        ExportStatus.READY,
        file=export.file.name,
        size=size,
        progress=100,
        finished_at=now,
        expires_at=expires,
        log="",
    ):
        raise LeaseLost
    link = absolute(reverse("accounts:privacy"))
    notify(export.user, "copy_ready", link=link, days=settings.DERMA_EXPORT_DAYS)


def give_back(export: DataExport, *, error: str) -> bool:
    """End a claim without success: wait and try again, or fail after the last attempt and say so."""
    now = timezone.now()
    if export.attempts < settings.DERMA_MAX_CLAIMS:
        pause = timedelta(seconds=10 * 2**export.attempts)
        return leases.end(export, ExportStatus.QUEUED, progress=0, not_before=now + pause, log=error)
    with transaction.atomic():
        failed = leases.end(export, ExportStatus.FAILED, finished_at=now, log=error)
        if failed:
            log.error("export_failed", export=export.pk, error=error)
            notify(export.user, "copy_failed", link=absolute(reverse("accounts:privacy")))
    return failed


def expire(export: DataExport) -> None:
    """Its time is over: the file goes once this is committed."""
    name, storage = str(export.file.name), export.file.storage
    with transaction.atomic():
        ready = DataExport.objects.filter(pk=export.pk, status=ExportStatus.READY)
        if ready.update(status=ExportStatus.EXPIRED, file=""):
            transaction.on_commit(lambda: storage.delete(name))


def expire_old() -> None:
    """End what has been kept long enough, and forget that it ever was after some more weeks."""
    now = timezone.now()
    for export in DataExport.objects.filter(status=ExportStatus.READY, expires_at__lte=now):
        expire(export)
    over = DataExport.objects.filter(status__in=[ExportStatus.EXPIRED, ExportStatus.FAILED])
    over.filter(created_at__lt=now - FORGET_AFTER).delete()


def sweep(task: Task) -> None:
    """Take back what was abandoned, ring again for what waits, delete the files whose time is over."""
    leases.take_back(give_back)
    leases.ring_overdue(task)
    expire_old()
