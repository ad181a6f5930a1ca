"""A time is held, booked, moved and called off."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from accounts.models import CareRelation, User
from appointments import booking
from appointments.models import Appointment, Schedule, Status
from tests.appointments.conftest import first_free


def test_a_hold_becomes_a_visit_that_opens_the_record(alice: User, chen_open: Schedule) -> None:
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=first_free(chen_open), length=30)
    assert not CareRelation.objects.exists()
    visit = booking.book(hold=held, reason=" A spot ")
    assert (visit.status, visit.reason, visit.minutes) == (Status.CONFIRMED, "A spot", 30)
    assert CareRelation.objects.in_force().filter(patient=alice, doctor=chen_open.doctor).exists()


def test_what_is_held_is_taken(alice: User, bob: User, chen_open: Schedule) -> None:
    start = first_free(chen_open)
    booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30)
    with pytest.raises(booking.SlotTaken) as caught:
        booking.hold(patient=bob, doctor=chen_open.doctor, start=start, length=60)
    assert len(caught.value.next_free) == booking.ALTERNATIVES
    assert start not in [slot.start for slot in caught.value.next_free]


def test_a_visit_moves_onto_a_time_that_overlaps_its_own(
    alice: User, chen_open: Schedule, visit: Callable[..., Appointment]
) -> None:
    booked = visit(alice)
    before = booked.start
    moved = booking.reschedule(appointment=booked, by=alice, start=before, length=60)
    assert (moved.start, moved.minutes, moved.sequence) == (before, 60, 1)


def test_calling_off_twice_is_told(alice: User, visit: Callable[..., Appointment]) -> None:
    booked = visit(alice)
    booking.cancel(appointment=booked, by=alice)
    assert not CareRelation.objects.in_force().exists()
    with pytest.raises(ValidationError, match="Cancelled by the patient"):
        booking.cancel(appointment=booked, by=alice)
