"""The earliest times of all doctors, for a patient whose result is urgent."""

from collections.abc import Iterable
from functools import partial
from uuid import UUID

from accounts.models import User
from accounts.registries import EarliestTimes, FreeTime
from appointments.availability import next_free_slots
from appointments.picking import own_hold, urgent_result
from appointments.slots import MINUTE, Slot

CHOICES = 3  # of each doctor


def earliest_times(user: User, analysis: UUID) -> EarliestTimes | None:
    """How to ask for them, if this result is the patient's own and urgent."""
    if urgent_result(user, [str(analysis)]) is None:
        return None
    return partial(_ask, user)


def _ask(patient: User, doctors: Iterable[int]) -> dict[int, list[FreeTime]]:
    """What the patient holds at the moment is given back for whatever is chosen, so it hides nothing."""
    found = next_free_slots(
        doctors, count=CHOICES, urgent=True, patient=patient, except_for=own_hold(patient)
    )
    return {doctor: [_free_time(slot) for slot in free] for doctor, free in found.items()}


def _free_time(slot: Slot) -> FreeTime:
    return FreeTime(slot.start, (slot.end - slot.start) // MINUTE, slot.place, slot.for_urgent)
