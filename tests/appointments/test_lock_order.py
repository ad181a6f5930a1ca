"""What is decided about people at the same moment as others write about them: nobody waits in a circle."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest

from accounts import erasure, verification
from accounts.models import ApplicationStatus, DoctorApplication, User
from appointments import hours
from appointments.models import Appointment, Schedule, Status
from tests.appointments.test_races import MINUTE, at_once, booked, crowd, fresh, tomorrow
from tests.conftest import make_user

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


def suspended(application: DoctorApplication, admin: User) -> Callable[[], None]:
    seen = application.events.order_by("-pk").first()
    assert seen
    return partial(
        verification.decide,
        application=DoctorApplication.objects.get(pk=application.pk),
        admin=admin,
        to=ApplicationStatus.SUSPENDED,
        reason="A complaint.",
        seen=seen.pk,
    )


def test_two_steps_of_one_licence_go_one_after_the_other(alice: User, chen_open: Schedule, eve: User) -> None:
    """Each takes the doctor first and the application then; one of them comes too late."""
    chen = chen_open.doctor
    booked(alice, chen_open, tomorrow())
    for _ in range(5):
        application = DoctorApplication.objects.filter(doctor=chen).latest("pk")
        mine = DoctorApplication.objects.get(pk=application.pk)
        answers = at_once(
            suspended(application, eve),
            partial(verification.withdraw, application=mine, by=chen),
        )
        wrong = [answer for answer in answers if not isinstance(answer, verification.Overtaken | None)]
        assert wrong == []
        assert answers.count(None) >= 1
        application.refresh_from_db()
        if application.status == ApplicationStatus.SUSPENDED:
            verification._step(application, ApplicationStatus.VERIFIED, by=eve)
        elif application.status == ApplicationStatus.WITHDRAWN:
            verify_anew(chen)


def verify_anew(doctor: User) -> None:
    application = DoctorApplication.objects.filter(doctor=doctor).latest("pk")
    application.pk, application.status, application.decided_at = None, ApplicationStatus.SUBMITTED, None
    application._state.adding = True
    application.public_id = uuid4()
    application.save()
    verification._step(application, ApplicationStatus.VERIFIED, by=None)


def test_a_doctor_suspended_while_a_patient_leaves(
    chen_open: Schedule, diaz_open: Schedule, eve: User
) -> None:
    """Both change the same visits and write to the same people."""
    application = DoctorApplication.objects.get(doctor=chen_open.doctor)
    for round_ in range(3):
        patient = make_user(f"leaves{round_}@example.org", "Leaves")
        visits = [booked(patient, chen_open, tomorrow(6 * round_ + n)) for n in range(3)]
        answers = at_once(suspended(application, eve), partial(erasure.erase, person=patient))
        assert [answer for answer in answers if isinstance(answer, Exception)] == []
        assert {fresh(visit).status for visit in visits} == {Status.CANCELLED_BY_PATIENT}
        application.refresh_from_db()
        verification._step(application, ApplicationStatus.VERIFIED, by=eve)


def test_two_doctors_who_share_patients_close_a_day(chen_open: Schedule, diaz_open: Schedule) -> None:
    """Each cancels the visits of both patients, in its own order."""
    one, other = crowd(2)
    for round_ in range(3):
        start = tomorrow(96 * round_)
        chens = [booked(one, chen_open, start), booked(other, chen_open, start + 60 * MINUTE)]
        diazs = [booked(other, diaz_open, start), booked(one, diaz_open, start + 60 * MINUTE)]
        answers = at_once(
            partial(close, chen_open, start, chens),
            partial(close, diaz_open, start, diazs),
        )
        assert [answer for answer in answers if isinstance(answer, Exception)] == []
        assert {fresh(visit).status for visit in chens + diazs} == {Status.CANCELLED_BY_DOCTOR}


def close(schedule: Schedule, start: datetime, visits: list[Appointment]) -> None:
    # Whatever zone the doctor is in.
    first = max(start.date() - DAY, hours.today_of(schedule))
    hours.add_exception(
        schedule=schedule,
        kind="off",
        first_day=first,
        last_day=start.date() + DAY,
        by=schedule.doctor,
        decision=hours.Decision(cancel=frozenset(visit.public_id for visit in visits), reason="Closed."),
    )
