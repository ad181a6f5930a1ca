"""What the demo shows of appointments."""

from typing import Any

import pytest

from accounts import demo
from appointments import availability
from appointments.models import Appointment, Schedule, Status


@pytest.fixture
def loaded(db: None, settings: Any) -> None:
    settings.DEBUG = settings.DEMO = True
    demo.load()


def test_both_doctors_have_hours_in_their_own_zones(loaded: None) -> None:
    zones = dict(Schedule.objects.values_list("doctor__email", "time_zone"))
    assert zones == {"chen@example.org": "Europe/Zurich", "diaz@example.org": "Atlantic/Canary"}
    doctors = Schedule.objects.values_list("doctor", flat=True)
    assert set(availability.next_free_times(doctors)) == set(doctors)


def test_there_are_visits_past_and_coming(loaded: None) -> None:
    statuses = list(Appointment.objects.order_by("status").values_list("status", flat=True))
    assert statuses == ["completed"] * 3 + ["confirmed"] * 2 + ["requested"]
    for visit in Appointment.objects.filter(status=Status.COMPLETED):
        assert [event.to_status for event in visit.events.all()][-1] == Status.COMPLETED


def test_loading_again_changes_nothing(loaded: None) -> None:
    before = list(Appointment.objects.order_by("pk").values())
    demo.load()
    assert list(Appointment.objects.order_by("pk").values()) == before
