"""What the services refuse, as the API says it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from rest_framework import serializers

from accounts.models import User
from appointments.booking import SlotTaken
from appointments.hours import VisitsInTheWay
from appointments.slots import Slot
from dermaplatform.problems import Problem

# These are no mistakes of whoever asks: the state of things is another than they thought.
CONFLICTS = frozenset(
    {
        "asked",
        "begun",
        "booked",
        "changed",
        "closed",
        "ended",
        "free_now",
        "hold_ran_out",
        "not_begun",
        "not_earlier",
        "offer_ended",
        "patient_busy",
        "rated",
        "signed",
        "too_early",
        "wrong_state",
    }
)
FORBIDDEN = frozenset({"not_verified"})
UNPROCESSABLE = frozenset({"idempotency_mismatch"})


class SlotSerializer(serializers.Serializer[Slot]):
    """A time that can be booked."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    place = serializers.CharField()


def as_slots(slots: Iterable[Slot]) -> list[dict[str, Any]]:
    return list(SlotSerializer(list(slots), many=True).data)  # type: ignore[arg-type]


@contextmanager
def told() -> Iterator[None]:
    """Turns what a service raises into a problem document with its code.

    A time that is gone and a state that has changed are 409, a key that was used for something else is 422,
    a file that is too large is 413, what a doctor may not do without a licence in force is 403, and what was
    never possible is 400.
    """
    try:
        yield
    except SlotTaken as gone:
        raise Problem(
            status=409, code=gone.code, detail=str(gone.message), next_free=as_slots(gone.next_free)
        ) from gone
    except VisitsInTheWay as in_the_way:
        visits = [str(visit.public_id) for visit in in_the_way.visits]
        raise Problem(
            status=409, code="visits_in_the_way", detail=" ".join(in_the_way.messages), visits=visits
        ) from in_the_way
    except ValidationError as error:
        raise _refusal(error) from error


def doctor_or_refusal(public_id: UUID) -> User:
    """Whom the id names; nobody is refused like somebody who cannot be booked."""
    person = User.objects.filter(public_id=public_id).first()
    if person is None:
        raise ValidationError(_("This doctor cannot be booked at present."), code="not_bookable")
    return person


def _refusal(error: ValidationError) -> Exception:
    if hasattr(error, "error_dict"):
        by_field = {
            "non_field_errors" if field == "__all__" else field: [
                serializers.ErrorDetail(message, code=one.code or "invalid")
                for one in errors
                for message in one.messages
            ]
            for field, errors in error.error_dict.items()
        }
        refused = serializers.ValidationError(by_field)
        if any(one.code == "too_large" for details in by_field.values() for one in details):
            refused.status_code = 413
        return refused
    code = str(getattr(error, "code", None) or "invalid")
    kinds = ((CONFLICTS, 409), (FORBIDDEN, 403), (UNPROCESSABLE, 422))
    status = next((status for codes, status in kinds if code in codes), 400)
    return Problem(status=status, code=code, detail=" ".join(error.messages))
