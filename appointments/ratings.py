"""What patients say of visits, and what everybody reads of it."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Avg, Count
from django.utils.translation import gettext as _

from accounts.models import User
from appointments.models import Appointment, Rating, Status

# Below this an average says more about single patients than about a doctor.
FEWEST = 5


def rate(*, appointment: Appointment, by: User, stars: int, comment: str = "") -> Rating:
    """Rate a completed visit, once. Raises ValidationError: not_yours, wrong_state, stars, rated."""
    if by.pk != appointment.patient_id:
        raise ValidationError(_("Only the patient of this visit rates it."), code="not_yours")
    if appointment.status != Status.COMPLETED:
        raise ValidationError(_("A visit is rated once it is completed."), code="wrong_state")
    if not 1 <= stars <= 5:
        sentence = _("Choose between one and five stars.")
        raise ValidationError({"stars": ValidationError(sentence, code="stars")})
    rating = Rating(appointment=appointment, stars=stars, comment=comment.strip())
    rating.clean_fields()
    try:
        with transaction.atomic():
            rating.save()
    except IntegrityError as error:
        raise ValidationError(_("You have rated this visit already. Thank you."), code="rated") from error
    return rating


def averages(doctors: Iterable[int]) -> dict[int, tuple[float, int]]:
    """By doctor: stars on average and of how many ratings; those with fewer than five are missing."""
    rated = Rating.objects.filter(appointment__doctor__in=list(doctors))
    rows = rated.values_list("appointment__doctor").annotate(mean=Avg("stars"), number=Count("pk"))
    return {doctor: (float(mean), number) for doctor, mean, number in rows.order_by() if number >= FEWEST}
