"""The tasks about people. A task takes a primary key or nothing, claims first and is safe to run twice."""

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.sessions.backends.db import SessionStore
from django.db import InterfaceError, OperationalError

from accounts import erasure, exporting, mailing, notices, sweeping, verification
from dermaplatform.celery import default_task

log = structlog.get_logger(__name__)

# After these another attempt can help. Anything else ends the claim like a crash: when the lease runs out.
TRANSIENT = (OperationalError, InterfaceError, OSError, SoftTimeLimitExceeded)


@default_task()
def send_mail(mail_id: int) -> None:
    """Send one mail, if it still waits. What a mail server says by SMTP is an OSError too."""
    mail = mailing.claim(mail_id)
    if mail is None:
        return
    try:
        mailing.deliver(mail)
    except TRANSIENT as error:
        log.warning("mail_not_sent", mail=mail.pk, attempts=mail.attempts, error=type(error).__name__)
        mailing.give_back(mail, error=mailing.what_went_wrong(error))
    else:
        mailing.finish(mail)


@default_task()
def sweep_mails() -> None:
    """Take back what was abandoned and ring again for what waits too long."""
    mailing.sweep(send_mail)


@default_task()
def watch_licences() -> None:
    """End licences that have run out, and remind of those that soon will."""
    verification.watch_licences()


# A copy takes minutes where there are many images; still less than a message may stay unanswered.
@default_task(soft_time_limit=240, time_limit=270)
def prepare_export(export_id: int) -> None:
    """Prepare one copy of a person's data, if it still waits."""
    export = exporting.claim(export_id)
    if export is None:
        return
    try:
        exporting.prepare(export)
    except exporting.LeaseLost:
        log.warning("export_lease_lost", export=export.pk)
    except TRANSIENT as error:
        log.warning("export_interrupted", export=export.pk, error=type(error).__name__)
        exporting.give_back(export, error=f"{type(error).__name__}: {error}")


@default_task()
def sweep_exports() -> None:
    """Take back what was abandoned, ring again for what waits, delete the files whose time is over."""
    exporting.sweep(prepare_export)


@default_task(soft_time_limit=240, time_limit=270)
def sweep_files() -> None:
    """Delete what nobody needs: records whose time is over, old notices and sessions, stray files."""
    notices.forget_old()
    erasure.erase_lapsed()
    SessionStore.clear_expired()
    sweeping.sweep_files()
