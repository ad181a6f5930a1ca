"""What the demo shows of visits: there after the first start, left alone by the second."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from accounts import demo
from accounts.models import ApplicationStatus, DoctorApplication, OutgoingMail, User
from appointments import availability
from appointments.demo import load
from appointments.models import Appointment, Rating, Schedule, Status, VisitNote, WeeklyRule
from tests.accounts.test_erasure import cells


@pytest.fixture
def shown(db: None, settings: Any) -> dict[str, User]:
    settings.DEMO = settings.DEBUG = True
    demo.load()
    return {user.email.partition("@")[0]: user for user in User.objects.all()}


def test_both_doctors_have_hours_in_two_zones(shown: dict[str, User]) -> None:
    schedules = {name: Schedule.objects.get(doctor=shown[name]) for name in ("chen", "diaz")}
    now = timezone.now()
    offsets = {now.astimezone(ZoneInfo(schedule.time_zone)).utcoffset() for schedule in schedules.values()}
    assert len(offsets) == 2
    for schedule in schedules.values():
        schedule.full_clean()
        assert schedule.exceptions.get().kind == "off"
        rules = list(schedule.rules.all())
        assert max([rule.weekday for rule in rules].count(day) for day in range(7)) > 1
        for rule in rules:
            rule.full_clean()
        for one in rules:
            for other in rules:
                apart = one.ends <= other.begins or other.ends <= one.begins
                assert one == other or one.weekday != other.weekday or apart
    free = availability.next_free_times([user.pk for user in shown.values()])
    assert set(free) == {shown["chen"].pk, shown["diaz"].pk}


def test_visits_lie_behind_and_ahead(shown: dict[str, User]) -> None:
    now = timezone.now()
    for name in ("alice", "bob"):
        visits = Appointment.objects.filter(patient=shown[name])
        past = visits.get(end__lt=now)
        assert past.status == Status.COMPLETED
        assert past.events.count() == 4
        assert past.notes.get().signed_at
        assert past.rating.stars >= 4
        assert past.relation
        assert past.relation.is_in_force
        assert visits.filter(start__gt=now, status=Status.CONFIRMED).exists()
    request = Appointment.objects.get(status=Status.REQUESTED)
    assert (request.patient, request.doctor) == (shown["bob"], shown["diaz"])
    attached = Appointment.objects.get(patient=shown["alice"], status=Status.CONFIRMED).attached.get()
    assert attached.analysis.patient == shown["alice"]
    assert not OutgoingMail.objects.exists()


def test_a_second_start_changes_nothing(
    shown: dict[str, User], settings: Any, django_assert_max_num_queries: Any
) -> None:
    WeeklyRule.objects.filter(schedule__doctor=shown["chen"]).first().delete()  # type: ignore[union-attr]
    before = [cell for cell in map(repr, cells()) if "appointments_" in cell]
    with time_machine.travel(timezone.now() + timedelta(days=40)), django_assert_max_num_queries(10):
        load()
    demo.load()
    assert [cell for cell in map(repr, cells()) if "appointments_" in cell] == before
    assert (VisitNote.objects.count(), Rating.objects.count()) == (2, 2)


@pytest.mark.parametrize("day", range(7))
@pytest.mark.usefixtures("alice", "bob", "chen", "diaz")
def test_it_can_be_shown_on_any_day(day: int) -> None:
    with time_machine.travel(timezone.now().replace(hour=23, minute=30) + timedelta(days=day), tick=False):
        load()
        assert Appointment.objects.count() == 5


@pytest.mark.usefixtures("alice", "bob", "chen")
def test_nothing_is_told_while_a_doctor_may_not_practise(diaz: User) -> None:
    assert DoctorApplication.objects.get(doctor=diaz).move(
        ApplicationStatus.SUSPENDED, by=None, reason="Asked for"
    )
    load()
    assert not Schedule.objects.exists()
