"""The loop of urgent results: noticed once, brought up, closed by a booking or by a doctor's word."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts import notices
from accounts.models import AccessEvent, Notice, OutgoingMail, User
from accounts.notifications import notify
from accounts.relations import share
from appointments import booking, clockwork, follow_up
from appointments.models import Appointment, Schedule, UrgentFollowUp
from diagnosis.models import Analysis, Status
from ml_models.taxonomy import CODES, Urgency
from tests.appointments.conftest import first_free
from tests.appointments.test_races import at_once
from tests.conftest import make_user

Submit = Callable[..., Analysis]
Browse = Callable[[User], Client]
Visit = Callable[..., Appointment]
LIST = "/follow-ups/"


def done(analysis: Analysis, *, days: float = 4, urgency: str = Urgency.URGENT) -> Analysis:
    """With a result that is so many days old."""
    at = timezone.now() - timedelta(days=days)
    Analysis.objects.filter(pk=analysis.pk).update(
        status=Status.DONE,
        created_at=at,
        finished_at=at,
        top="mel",
        probabilities={code: 1 / len(CODES) for code in CODES},
        urgency=urgency,
        release="test",
    )
    analysis.refresh_from_db()
    return analysis


@pytest.fixture
def urgent(alice: User, submit: Submit) -> Analysis:
    return done(submit(alice))


@pytest.fixture
def open_loop(urgent: Analysis) -> UrgentFollowUp:
    assert follow_up.sweep() == 1
    return UrgentFollowUp.objects.get()


def is_open(loop: UrgentFollowUp) -> bool:
    loop.refresh_from_db()
    return loop.closed_at is None


def test_an_urgent_result_that_nothing_came_of_is_noticed_once(alice: User, urgent: Analysis) -> None:
    assert follow_up.sweep() == 1
    assert follow_up.sweep() == 0
    assert UrgentFollowUp.objects.get().analysis == urgent
    mail = OutgoingMail.objects.get(kind="urgent_reminder")
    assert mail.recipient == alice
    assert f"/analyses/{urgent.public_id}/" in mail.text
    assert Notice.objects.get(kind="urgent_reminder").url == f"/analyses/{urgent.public_id}/"


def test_several_results_are_one_reminder(alice: User, urgent: Analysis, submit: Submit) -> None:
    done(submit(alice, seed=1))
    third = done(submit(alice, seed=2), days=2)
    assert follow_up.sweep() == 2
    assert OutgoingMail.objects.filter(kind="urgent_reminder").count() == 1
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert follow_up.sweep() == 1
    assert UrgentFollowUp.objects.filter(analysis=third).exists()
    assert OutgoingMail.objects.filter(kind="urgent_reminder").count() == 2


def test_the_mail_says_nothing_clinical(urgent: Analysis) -> None:
    follow_up.sweep()
    mail = OutgoingMail.objects.get(kind="urgent_reminder")
    words = f"{mail.subject} {mail.text} {mail.html}".lower()
    words = words.replace("derma: decision support for clinicians, not a diagnosis.", "")
    assert [word for word in ("urgent", "melanoma", "cancer", "diagnos", "lesion") if word in words] == []


def test_it_cannot_be_switched_off(alice: User, urgent: Analysis) -> None:
    notices.choose(user=alice, chosen={"visits": [], "reminders": []})
    follow_up.sweep()
    assert OutgoingMail.objects.filter(kind="urgent_reminder").exists()


@pytest.mark.parametrize("days", [0, 1, 2.9])
def test_a_new_result_gives_time(alice: User, submit: Submit, days: float) -> None:
    done(submit(alice), days=days)
    assert follow_up.sweep() == 0


def test_the_days_are_a_setting(alice: User, submit: Submit, settings: Any) -> None:
    settings.DERMA_URGENT_DAYS = 7
    done(submit(alice), days=6)
    assert follow_up.sweep() == 0
    settings.DERMA_URGENT_DAYS = 5
    assert follow_up.sweep() == 1


@pytest.mark.parametrize("urgency", [Urgency.SOON, Urgency.ROUTINE])
def test_other_results_are_left_alone(alice: User, submit: Submit, urgency: str) -> None:
    done(submit(alice), urgency=urgency)
    assert follow_up.sweep() == 0


def test_somebody_who_is_switched_off_is_left_alone(alice: User, urgent: Analysis) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert follow_up.sweep() == 0


def test_a_visit_booked_since_is_an_answer(alice: User, urgent: Analysis, visit: Visit) -> None:
    visit(alice)
    assert follow_up.sweep() == 0


def test_a_visit_booked_before_the_result_is_none(alice: User, submit: Submit, visit: Visit) -> None:
    appointment = visit(alice)
    urgent = done(submit(alice))
    Appointment.objects.filter(pk=appointment.pk).update(booked_at=urgent.created_at - timedelta(days=1))
    assert follow_up.sweep() == 1


def test_unless_the_result_is_attached_to_it(alice: User, submit: Submit, visit: Visit) -> None:
    urgent = submit(alice)
    appointment = visit(alice, analyses=[urgent.public_id])
    done(urgent)
    Appointment.objects.filter(pk=appointment.pk).update(booked_at=urgent.created_at - timedelta(days=1))
    assert follow_up.sweep() == 0


def test_a_visit_that_was_called_off_is_no_answer(alice: User, urgent: Analysis, visit: Visit) -> None:
    booking.cancel(appointment=visit(alice), by=alice)
    assert follow_up.sweep() == 1


def test_somebody_elses_visit_is_no_answer(bob: User, urgent: Analysis, visit: Visit) -> None:
    visit(bob)
    assert follow_up.sweep() == 1


def test_a_held_time_is_no_answer(alice: User, urgent: Analysis, chen_open: Schedule) -> None:
    booking.hold(patient=alice, doctor=chen_open.doctor, start=first_free(chen_open), length=30)
    assert follow_up.sweep() == 1


def test_a_later_booking_closes_it(alice: User, open_loop: UrgentFollowUp, visit: Visit) -> None:
    appointment = visit(alice)
    assert not is_open(open_loop)
    assert open_loop.appointment == appointment


def test_an_older_visit_that_is_confirmed_anew_does_not_close_it(
    alice: User, chen: User, chen_open: Schedule, submit: Submit, visit: Visit
) -> None:
    """The visit was about something else; nobody has booked one since the result."""
    earlier = visit(alice, number=500)
    chen_open.confirms_by_hand = True
    chen_open.save()
    with time_machine.travel(timezone.now() + timedelta(days=5)):
        done(submit(alice))
        assert follow_up.sweep() == 1
        loop = UrgentFollowUp.objects.get()
        booking.reschedule(appointment=earlier, by=alice, start=first_free(chen_open, number=300))
        booking.confirm(appointment=earlier, by=chen)
        assert is_open(loop)


def test_calling_it_off_opens_it_again(alice: User, open_loop: UrgentFollowUp, visit: Visit) -> None:
    booking.cancel(appointment=visit(alice), by=alice)
    assert is_open(open_loop)
    assert open_loop.appointment is None
    visit(alice)
    assert not is_open(open_loop)


def test_unless_another_visit_answers_it(alice: User, open_loop: UrgentFollowUp, visit: Visit) -> None:
    first, second = visit(alice), visit(alice, 10)
    booking.cancel(appointment=first, by=alice)
    assert not is_open(open_loop)
    assert open_loop.appointment == second


def test_somebody_who_did_not_come_is_still_waited_for(
    alice: User, chen: User, open_loop: UrgentFollowUp, visit: Visit
) -> None:
    appointment = visit(alice)
    with time_machine.travel(appointment.start + timedelta(minutes=40)):
        booking.no_show(appointment=appointment, by=chen)
    assert is_open(open_loop)


def test_a_doctors_word_closes_it_for_good(
    alice: User, chen: User, open_loop: UrgentFollowUp, visit: Visit
) -> None:
    share(patient=alice, doctor=chen)
    follow_up.close(follow_up=open_loop, by=chen, word="  Seen on Monday. ")
    assert (open_loop.closed_by, open_loop.word) == (chen, "Seen on Monday.")
    booking.cancel(appointment=visit(alice), by=alice)
    assert not is_open(open_loop)
    assert follow_up.sweep() == 0


@pytest.mark.parametrize(("word", "code"), [("", "word"), ("   ", "word"), ("x" * 501, "too_long")])
def test_a_word_is_needed_and_short(
    alice: User, chen: User, open_loop: UrgentFollowUp, word: str, code: str
) -> None:
    share(patient=alice, doctor=chen)
    with pytest.raises(ValidationError) as refused:
        follow_up.close(follow_up=open_loop, by=chen, word=word)
    assert refused.value.error_dict["word"][0].code == code
    assert is_open(open_loop)


def test_what_is_closed_is_not_closed_again(
    alice: User, chen: User, diaz: User, open_loop: UrgentFollowUp
) -> None:
    share(patient=alice, doctor=chen)
    share(patient=alice, doctor=diaz)
    follow_up.close(follow_up=open_loop, by=chen, word="Seen.")
    with pytest.raises(ValidationError) as refused:
        follow_up.close(follow_up=open_loop, by=diaz, word="Me too.")
    assert refused.value.code == "closed"
    assert "another doctor was quicker" in refused.value.messages[0]


def test_only_a_doctor_with_a_relation_closes_it(
    alice: User, chen: User, eve: User, frey: User, open_loop: UrgentFollowUp
) -> None:
    for person in (alice, chen, eve):
        with pytest.raises(PermissionDenied):
            follow_up.close(follow_up=open_loop, by=person, word="Seen.")
    assert is_open(open_loop)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_notice_once(submit: Submit) -> None:
    for number in range(3):
        done(submit(make_user(f"p{number}@example.org", f"P{number}", consent=True), seed=number))
    answers = at_once(*[partial(follow_up.sweep)] * 4)
    assert sum(answers) == 3, answers
    assert UrgentFollowUp.objects.count() == 3
    assert OutgoingMail.objects.filter(kind="urgent_reminder").count() == 3


def test_the_clock_notices(urgent: Analysis) -> None:
    clockwork.tick()
    assert UrgentFollowUp.objects.exists()


def test_one_that_fails_stops_no_other(
    alice: User, bob: User, urgent: Analysis, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = done(submit(bob, seed=1))
    real = notify

    def fails_for_alice(person: User, kind: str, **context: Any) -> Any:
        if person == alice:
            raise RuntimeError
        return real(person, kind, **context)

    monkeypatch.setattr(follow_up, "notify", fails_for_alice)
    assert follow_up.sweep() == 1
    assert UrgentFollowUp.objects.get().analysis == other


def test_the_database_wants_a_reason_for_closing(chen: User, open_loop: UrgentFollowUp) -> None:
    rows = UrgentFollowUp.objects.filter(pk=open_loop.pk)
    for changes in ({}, {"closed_by": chen}, {"word": "Seen."}):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(closed_at=timezone.now(), **changes)
    rows.update(closed_at=timezone.now(), closed_by=chen, word="Seen.")


# The page


def test_a_doctor_with_a_relation_sees_who_waits(
    alice: User, chen: User, open_loop: UrgentFollowUp, browse: Browse
) -> None:
    share(patient=alice, doctor=chen)
    page = browse(chen).get(LIST).content.decode()
    assert alice.name in page
    assert f"/analyses/{open_loop.analysis.public_id}/" in page
    event = AccessEvent.objects.get()
    assert (event.actor, event.patient) == (chen, alice)


def test_the_list_comes_in_pages_and_only_what_is_shown_is_written_down(
    *, chen: User, eve: User, submit: Submit, browse: Browse, django_assert_max_num_queries: Any
) -> None:
    people = [make_user(f"p{number:02}@example.org", f"P{number:02}", consent=True) for number in range(23)]
    for number, patient in enumerate(people):
        share(patient=patient, doctor=chen)
        analysis = done(submit(patient, seed=number), days=40 - number)
        UrgentFollowUp.objects.create(analysis=analysis)
    for reader in (chen, eve):
        client = browse(reader)
        with django_assert_max_num_queries(16):
            first = client.get(LIST)
        assert [row.analysis.patient for row in first.context["page"]] == people[:20]
        assert AccessEvent.objects.filter(actor=reader).count() == 20
        text = first.content.decode()
        assert ("Page 1 of 2" in text, "P20" in text) == (True, False)
        second = client.get(LIST, {"page": 2})
        assert [row.analysis.patient for row in second.context["page"]] == people[20:]
        assert AccessEvent.objects.filter(actor=reader).count() == 23
        beyond = client.get(LIST, {"page": "99"})
        assert beyond.context["page"].number == 2


def test_a_doctor_without_one_sees_nothing(
    alice: User, diaz: User, open_loop: UrgentFollowUp, browse: Browse
) -> None:
    page = browse(diaz).get(LIST).content.decode()
    assert alice.name not in page
    assert "Nobody waits" in page
    assert browse(diaz).get(f"{LIST}{open_loop.analysis.public_id}/close/").status_code == 404
    assert not AccessEvent.objects.exists()


def test_an_administrator_sees_who_waits_and_nothing_of_the_result(
    alice: User, eve: User, open_loop: UrgentFollowUp, browse: Browse
) -> None:
    page = browse(eve).get(LIST).content.decode()
    assert alice.name in page
    assert "4\xa0days ago" in page
    assert str(open_loop.analysis.public_id) not in page
    assert "elanoma" not in page
    assert "<img" not in page.split("<main")[1]
    assert browse(eve).post(f"{LIST}{open_loop.analysis.public_id}/close/").status_code == 403


def test_the_first_page_leads_there(
    alice: User, chen: User, eve: User, open_loop: UrgentFollowUp, browse: Browse
) -> None:
    assert LIST in browse(eve).get("/").content.decode()
    assert LIST not in browse(chen).get("/").content.decode()
    share(patient=alice, doctor=chen)
    assert LIST in browse(chen).get("/").content.decode()
    follow_up.close(follow_up=open_loop, by=chen, word="Seen.")
    assert LIST not in browse(eve).get("/").content.decode()


def test_it_is_no_page_for_patients(
    alice: User, open_loop: UrgentFollowUp, browse: Browse, client: Client
) -> None:
    assert browse(alice).get(LIST).status_code == 403
    assert client.get(LIST).status_code == 302


def test_a_doctor_closes_it_on_the_page(
    alice: User, chen: User, open_loop: UrgentFollowUp, browse: Browse
) -> None:
    share(patient=alice, doctor=chen)
    address = f"{LIST}{open_loop.analysis.public_id}/close/"
    assert alice.name in browse(chen).get(address).content.decode()
    empty = browse(chen).post(address, {"word": " "})
    assert empty.status_code == 422
    assert "Say why it needs no visit." in empty.content.decode()
    assert browse(chen).post(address, {"word": "Seen on Monday."})["Location"] == LIST
    assert not is_open(open_loop)
    assert "Nobody waits" in browse(chen).get(LIST).content.decode()
    assert browse(chen).post(address, {"word": "Again."}).status_code == 404


def test_somebody_who_left_is_on_no_list(alice: User, eve: User, open_loop: UrgentFollowUp) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert not follow_up.open_for(eve).exists()
