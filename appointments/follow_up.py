"""The loop of urgent results: none is left without a visit, or without a doctor's word that it needs none."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.dispatch import receiver
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.notifications import notify
from appointments.models import BOOKED, Appointment, AttachedAnalysis, Status, UrgentFollowUp
from appointments.signals import Happened, visit_changed
from dermaplatform.addresses import absolute
from diagnosis.models import Analysis
from diagnosis.models import Status as AnalysisStatus
from ml_models.taxonomy import Urgency

log = structlog.get_logger(__name__)

ANSWERS = (*BOOKED, Status.COMPLETED)  # visits that an urgent result has led to
LONGEST_WORD = 500
ONE_MAIL = timedelta(hours=12)  # in which a patient is reminded once, of however many results
_BOOKED = frozenset({Happened.REQUESTED, Happened.CONFIRMED, Happened.BOOKED_NEXT})
_OFF = frozenset({Happened.DECLINED, Happened.CANCELLED, Happened.EXPIRED, Happened.NO_SHOW})


def sweep() -> int:
    """Notice urgent results that nothing has come of, and remind their patients; how many."""
    before = timezone.now() - timedelta(days=settings.DERMA_URGENT_DAYS)
    noticed = 0
    for analysis in _unanswered(before).select_related("patient"):
        try:
            noticed += _notice(analysis)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            log.exception("follow_up_failed", analysis=analysis.pk, error=type(error).__name__)
    return noticed


def _unanswered(before: datetime) -> QuerySet[Analysis]:
    """Urgent results from before then, of people who are there, without a visit and not noticed yet."""
    return Analysis.objects.filter(
        ~Exists(UrgentFollowUp.objects.filter(analysis=OuterRef("pk"))),
        ~Exists(_visits_after(OuterRef("patient"), OuterRef("finished_at"))),
        ~Exists(AttachedAnalysis.objects.filter(analysis=OuterRef("pk"), appointment__status__in=ANSWERS)),
        status=AnalysisStatus.DONE,
        urgency=Urgency.URGENT,
        finished_at__lt=before,
        patient__is_active=True,
    ).order_by("finished_at", "pk")


def _visits_after(patient: Any, moment: Any) -> QuerySet[Appointment]:
    return Appointment.objects.filter(patient=patient, status__in=ANSWERS, booked_at__gte=moment)


def _notice(analysis: Analysis) -> bool:
    """Once, whoever else notices it at the same moment; not if a visit was booked just now."""
    link = absolute(reverse("diagnosis:detail", args=[analysis.public_id]))
    try:
        with transaction.atomic():
            # Whoever books locks the patient too.
            patient = User.objects.select_for_update(no_key=True).get(pk=analysis.patient_id)
            if not _unanswered(timezone.now()).filter(pk=analysis.pk).exists():
                return False
            lately = timezone.now() - ONE_MAIL
            told = UrgentFollowUp.objects.filter(analysis__patient=patient, noticed_at__gt=lately).exists()
            UrgentFollowUp.objects.create(analysis=analysis)
            if not told:  # several results at once are one thing to do
                notify(patient, "urgent_reminder", link=link)
    except IntegrityError:
        return False
    return True


@receiver(visit_changed, sender=Appointment)
def _on_visit_changed(appointment: Appointment, happened: Happened, **signal: Any) -> None:
    """A booking closes what is open of this patient; one that is called off opens it again."""
    if happened in _BOOKED:
        _close_by(appointment)
    elif happened in _OFF:
        _open_again(appointment)


def _close_by(visit: Appointment) -> None:
    """Results that came after it was booked are not answered by it, unless they are attached."""
    answered = Q(analysis__finished_at__lte=visit.booked_at) | Q(analysis__attached_to__appointment=visit)
    open_ones = UrgentFollowUp.objects.filter(answered, closed_at=None, analysis__patient=visit.patient_id)
    open_ones.update(closed_at=timezone.now(), appointment=visit)


def _open_again(visit: Appointment) -> None:
    """Unless another visit answers the result too."""
    for follow_up in UrgentFollowUp.objects.filter(appointment=visit).select_related("analysis"):
        others = Appointment.objects.filter(
            Q(booked_at__gte=follow_up.analysis.finished_at) | Q(attached__analysis=follow_up.analysis),
            patient=visit.patient_id,
            status__in=ANSWERS,
        )
        other = others.exclude(pk=visit.pk).order_by("start").first()
        closed_at = follow_up.closed_at if other else None
        UrgentFollowUp.objects.filter(pk=follow_up.pk).update(appointment=other, closed_at=closed_at)


def open_for(user: User) -> QuerySet[UrgentFollowUp]:
    """What this person should know of, the longest waiting first.

    Doctors: of the analyses that they may open. Administrators: all, and of each only whose it is and since
    when. Patients see their results themselves.
    """
    waiting = UrgentFollowUp.objects.filter(closed_at=None, analysis__patient__is_active=True)
    if user.is_doctor:
        waiting = waiting.filter(analysis__in=Analysis.objects.visible_to(user))
    elif not user.is_admin:
        waiting = waiting.none()
    return waiting.select_related("analysis__patient").order_by("analysis__finished_at", "pk")


def close(*, follow_up: UrgentFollowUp, by: User, word: str) -> None:
    """By the word of a doctor who may open the analysis: why it needs no visit.

    Raises PermissionDenied, and ValidationError: word, too_long, closed.
    """
    if not by.is_doctor or not Analysis.objects.visible_to(by).filter(pk=follow_up.analysis_id).exists():
        raise PermissionDenied
    word = word.strip()
    if not word:
        raise ValidationError({"word": ValidationError(_("Say why it needs no visit."), code="word")})
    if len(word) > LONGEST_WORD:
        sentence = _("Write at most %(count)d characters.") % {"count": LONGEST_WORD}
        raise ValidationError({"word": ValidationError(sentence, code="too_long")})
    waiting = UrgentFollowUp.objects.filter(pk=follow_up.pk, closed_at=None)
    if not waiting.update(closed_at=timezone.now(), closed_by=by, word=word):
        raise ValidationError(
            _("This is closed already: a visit was booked, or another doctor was quicker."), code="closed"
        )
    follow_up.refresh_from_db()
