"""Waiting for an earlier time: who is offered what, and what becomes of it."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts.models import OutgoingMail, User
from appointments import booking, waitlist
from appointments.models import Appointment, Schedule, Status, WaitlistEntry, WaitStatus, WeeklyRule
from tests.appointments.conftest import open_hours
from tests.conftest import make_user
from tests.test_pages import text

Browse = Callable[[User], Any]  # a Client; of its answers more is asked than its type knows
NOW = datetime.datetime(2026, 11, 30, 8, 29, tzinfo=datetime.UTC)
HALF = datetime.timedelta(minutes=30)
LATER = datetime.timedelta(minutes=31)


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def _visit_page() -> None:
    """Comes with the pages of visits."""
    try:
        reverse("appointments:visit", args=["00000000-0000-0000-0000-000000000000"])
    except NoReverseMatch:
        pytest.skip("There is no page of a visit here.")


needs_visits = pytest.mark.usefixtures("_visit_page")


@pytest.fixture
def hours(chen: User) -> Schedule:
    """Four times a day, 09:00 to 10:30 in UTC; from tomorrow on."""
    schedule = open_hours(chen, zone="UTC", begins=9 * 60, ends=11 * 60)
    WeeklyRule.objects.update(valid_from=datetime.date(2026, 12, 1))
    return schedule


def at(day: int, hour: int = 9, minute: int = 0) -> datetime.datetime:
    return datetime.datetime(2026, 12, day, hour, minute, tzinfo=datetime.UTC)


def book(patient: User, doctor: User, start: datetime.datetime) -> Appointment:
    return booking.book(hold=booking.hold(patient=patient, doctor=doctor, start=start, length=30))


@pytest.fixture
def full(hours: Schedule, chen: User) -> list[Appointment]:
    """Tomorrow is taken, by four patients."""
    patients = [make_user(f"p{number}@example.org", f"Patient {number}") for number in range(4)]
    return [book(patient, chen, at(1) + HALF * number) for number, patient in enumerate(patients)]


def cancel(visit: Appointment) -> None:
    booking.cancel(appointment=visit, by=visit.patient)


@pytest.fixture
def frees(django_capture_on_commit_callbacks: Any) -> Callable[[Appointment], None]:
    """Cancels, and what happens after the commit."""

    def freed(visit: Appointment) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            cancel(visit)

    return freed


@pytest.fixture
def waiting(alice: User, chen: User, full: list[Appointment]) -> WaitlistEntry:
    """Alice has a visit on the day after and would rather come earlier."""
    return waitlist.join(patient=alice, doctor=chen, appointment=book(alice, chen, at(2)))


@pytest.fixture
def chen_confirms(full: list[Appointment], hours: Schedule) -> None:
    """From now on, each request by hand."""
    hours.confirms_by_hand = True
    hours.save()


def again(entry: WaitlistEntry) -> WaitlistEntry:
    entry.refresh_from_db()
    return entry


def code_of(**arguments: Any) -> str:
    with pytest.raises(ValidationError) as refusal:
        waitlist.join(**arguments)
    return str(refusal.value.code)


# Joining


def test_waiting_for_less_than_the_first_free_time(alice: User, chen: User, full: list[Appointment]) -> None:
    entry = waitlist.join(patient=alice, doctor=chen, length=30)
    assert (entry.before, entry.status, entry.appointment) == (at(2), WaitStatus.WAITING, None)
    assert waitlist.join(patient=alice, doctor=chen, length=30) == entry


def test_where_nothing_is_free_the_horizon_is_the_limit(alice: User, chen: User, hours: Schedule) -> None:
    WeeklyRule.objects.all().delete()
    entry = waitlist.join(patient=alice, doctor=chen, length=30)
    assert entry.before == NOW + datetime.timedelta(days=60)


def test_a_visit_that_is_booked_later_joins_the_entry(
    alice: User, chen: User, full: list[Appointment]
) -> None:
    entry = waitlist.join(patient=alice, doctor=chen, length=30)
    visit = book(alice, chen, at(2))
    assert waitlist.join(patient=alice, doctor=chen, appointment=visit) == entry
    assert (again(entry).appointment, entry.before) == (visit, at(2))


def test_what_is_booked_while_waiting_is_what_an_earlier_time_replaces(
    alice: User, bob: User, chen: User, full: list[Appointment]
) -> None:
    entry, others = (waitlist.join(patient=patient, doctor=chen, length=30) for patient in (alice, bob))
    visit = book(alice, chen, at(2))
    assert (again(entry).appointment, again(others).appointment) == (visit, None)
    cancel(full[0])
    assert waitlist.sweep() == 1
    assert waitlist.take(entry=again(entry)) == visit
    assert Appointment.objects.occupying().get(patient=alice).start == at(1)


def test_booking_something_later_beside_an_offer_ends_in_one_visit(
    alice: User, chen: User, full: list[Appointment]
) -> None:
    entry = waitlist.join(patient=alice, doctor=chen, length=30)
    cancel(full[0])
    assert waitlist.sweep() == 1
    visit = book(alice, chen, at(2))
    assert (again(entry).status, entry.appointment) == (WaitStatus.OFFERED, visit)
    assert waitlist.take(entry=entry) == visit
    assert Appointment.objects.occupying().get(patient=alice).start == at(1)


def test_what_was_booked_before_somebody_waited_is_left_alone(
    alice: User, chen: User, chen_confirms: None, full: list[Appointment]
) -> None:
    """A visit that was asked for already, and is confirmed while the patient waits for another one."""
    visit = book(alice, chen, at(2))
    with time_machine.travel(NOW + HALF, tick=False):
        entry = waitlist.join(patient=alice, doctor=chen, length=30)
        booking.confirm(appointment=visit, by=chen)
    assert again(entry).appointment is None


def test_nobody_waits_for_what_is_free_or_over(
    alice: User, chen: User, diaz: User, full: list[Appointment]
) -> None:
    visit = book(alice, chen, at(2, 10))
    assert code_of(patient=alice, doctor=chen, appointment=visit) == "free_now"  # at 9 is one
    cancel(visit)
    assert code_of(patient=alice, doctor=chen, appointment=visit) == "ended"
    assert code_of(patient=alice, doctor=chen, length=45) == "length"
    assert code_of(patient=alice, doctor=diaz, length=30) == "not_bookable"
    assert code_of(patient=chen, doctor=chen, length=30) == "oneself"
    assert code_of(patient=diaz, doctor=chen, length=30) == "not_a_patient"


# Offering


def test_what_becomes_free_is_kept_and_told(
    waiting: WaitlistEntry, full: list[Appointment], frees: Callable[[Appointment], None]
) -> None:
    frees(full[1])
    offer = again(waiting).offer
    assert waiting.status == WaitStatus.OFFERED
    assert offer is not None
    assert (offer.start, offer.status, offer.offered) == (at(1, 9, 30), Status.HELD, True)
    assert offer.expires_at == NOW + HALF
    mail = OutgoingMail.objects.get(kind="visit_offer")
    assert mail.recipient == waiting.patient
    assert str(waiting.public_id) in mail.text
    assert "Chen" not in mail.text + mail.html + mail.subject  # a mail is a postcard


def test_the_first_come_is_the_first_asked_and_then_the_next(
    bob: User, chen: User, waiting: WaitlistEntry, full: list[Appointment], frees: Any
) -> None:
    second = waitlist.join(patient=bob, doctor=chen, length=30)
    frees(full[0])
    assert (again(waiting).status, again(second).status) == (WaitStatus.OFFERED, WaitStatus.WAITING)
    with time_machine.travel(NOW + LATER, tick=False):
        assert waitlist.sweep() == 1
        assert (again(waiting).status, again(second).status) == (WaitStatus.WAITING, WaitStatus.OFFERED)
        assert waiting.offer is None
        assert waitlist.sweep() == 0
    with time_machine.travel(NOW + 2 * LATER, tick=False):
        # Both had it: nobody is asked twice for the same time.
        assert waitlist.sweep() == 0
        assert {again(waiting).status, again(second).status} == {WaitStatus.WAITING}


def test_declining_passes_it_on_at_once(
    *,
    bob: User,
    chen: User,
    waiting: WaitlistEntry,
    full: list[Appointment],
    frees: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    second = waitlist.join(patient=bob, doctor=chen, length=30)
    frees(full[0])
    with django_capture_on_commit_callbacks(execute=True):
        assert waitlist.decline(entry=again(waiting))
    assert (again(waiting).status, again(second).status) == (WaitStatus.WAITING, WaitStatus.OFFERED)
    assert second.offer is not None
    assert second.offer.start == at(1)
    assert not waitlist.decline(entry=waiting)


def test_another_time_is_offered_to_who_declined(
    waiting: WaitlistEntry, full: list[Appointment], frees: Any
) -> None:
    frees(full[0])
    waitlist.decline(entry=again(waiting))
    frees(full[2])
    offer = again(waiting).offer
    assert offer is not None
    assert offer.start == at(1, 10)


def test_two_free_times_go_to_two_people(
    bob: User, chen: User, waiting: WaitlistEntry, full: list[Appointment]
) -> None:
    second = waitlist.join(patient=bob, doctor=chen, length=30)
    for visit in full[:2]:
        cancel(visit)
    assert waitlist.sweep() == 2
    offers = [again(entry).offer for entry in (waiting, second)]
    assert [offer and offer.start for offer in offers] == [at(1), at(1, 9, 30)]


def test_only_what_the_terms_allow_for_as_long_as_it_stands(
    waiting: WaitlistEntry, full: list[Appointment], hours: Schedule
) -> None:
    hours.notice_hours = 24
    hours.save()
    cancel(full[0])  # in 24 hours and 30 minutes: the notice would begin while the offer stands
    cancel(full[1])
    with time_machine.travel(NOW + datetime.timedelta(minutes=1), tick=False):
        assert waitlist.sweep() == 1
    offer = again(waiting).offer
    assert offer is not None
    assert offer.start == at(1, 9, 30)


def test_nothing_is_offered_beside_another_visit(
    alice: User, diaz: User, waiting: WaitlistEntry, full: list[Appointment]
) -> None:
    open_hours(diaz, zone="UTC")
    book(alice, diaz, at(1))
    cancel(full[0])
    assert waitlist.sweep() == 0
    assert again(waiting).status == WaitStatus.WAITING


def test_what_is_kept_for_urgent_cases_goes_to_urgent_visits(
    waiting: WaitlistEntry, full: list[Appointment], hours: Schedule
) -> None:
    WeeklyRule.objects.update(for_urgent=True)
    hours.release_hours = 0
    hours.save()
    cancel(full[0])
    assert waitlist.sweep() == 0
    Appointment.objects.filter(waits=waiting).update(urgent=True)
    assert waitlist.sweep() == 1


@pytest.mark.parametrize("why", ["cancelled", "over", "gone", "no visit and too late"])
def test_who_waits_for_nothing_any_more_leaves(
    why: str, waiting: WaitlistEntry, full: list[Appointment]
) -> None:
    assert waiting.appointment is not None
    moment = NOW
    if why == "cancelled":
        cancel(waiting.appointment)
    elif why == "gone":
        User.objects.filter(pk=waiting.patient_id).update(is_active=False)
    else:
        moment = at(2, 9, 1)
        if why != "over":
            WaitlistEntry.objects.update(appointment=None)
    with time_machine.travel(moment, tick=False):
        assert waitlist.sweep() == 0
    assert again(waiting).status == WaitStatus.LEFT


def test_a_doctor_who_cannot_be_booked_offers_nothing(
    waiting: WaitlistEntry, full: list[Appointment], chen: User
) -> None:
    cancel(full[0])
    User.objects.filter(pk=chen.pk).update(is_active=False)
    assert waitlist.sweep() == 0
    assert again(waiting).status == WaitStatus.WAITING


def test_a_failure_does_not_reach_who_freed_the_time(
    waiting: WaitlistEntry, full: list[Appointment], frees: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(entry: WaitlistEntry) -> None:
        raise RuntimeError

    monkeypatch.setattr("appointments.notices.offer", fail)
    frees(full[0])
    full[0].refresh_from_db()
    assert full[0].status == Status.CANCELLED_BY_PATIENT
    assert again(waiting).status == WaitStatus.WAITING
    assert not Appointment.objects.filter(offered=True).exists()
    monkeypatch.undo()
    assert waitlist.sweep() == 1


# Taking


@pytest.fixture
def offered(waiting: WaitlistEntry, full: list[Appointment]) -> WaitlistEntry:
    cancel(full[0])
    assert waitlist.sweep() == 1
    return again(waiting)


@pytest.fixture
def offered_first(bob: User, chen: User, full: list[Appointment]) -> WaitlistEntry:
    """An offer to somebody who has no visit yet."""
    entry = waitlist.join(patient=bob, doctor=chen, length=30)
    cancel(full[0])
    assert waitlist.sweep() == 1
    return again(entry)


def test_taking_moves_the_visit_so_that_nobody_has_two(
    alice: User, offered: WaitlistEntry, django_capture_on_commit_callbacks: Any
) -> None:
    before = offered.appointment
    assert before is not None
    with django_capture_on_commit_callbacks(execute=True):
        moved = waitlist.take(entry=offered)
    assert (moved.pk, moved.start, moved.status) == (before.pk, at(1), Status.CONFIRMED)
    assert Appointment.objects.occupying().filter(patient=alice).get() == moved
    assert again(offered).status == WaitStatus.TAKEN
    with pytest.raises(ValidationError, match="This offer has ended"):
        waitlist.take(entry=offered)


def test_the_time_that_a_moved_visit_leaves_is_offered_on(
    bob: User, chen: User, offered: WaitlistEntry, django_capture_on_commit_callbacks: Any
) -> None:
    entry = waitlist.join(patient=bob, doctor=chen, length=30)
    WaitlistEntry.objects.filter(pk=entry.pk).update(before=at(2, 9, 30))
    with django_capture_on_commit_callbacks(execute=True):
        waitlist.take(entry=offered)
    assert again(entry).offer is not None
    assert entry.offer is not None
    assert entry.offer.start == at(2)


def test_taking_a_first_visit_books_it(bob: User, offered_first: WaitlistEntry) -> None:
    visit = waitlist.take(entry=offered_first, reason="It grows")
    assert (visit.start, visit.status, visit.reason) == (at(1), Status.CONFIRMED, "It grows")
    assert visit.patient == bob
    assert again(offered_first).status == WaitStatus.TAKEN


def test_an_offer_that_ran_out_is_not_taken(offered: WaitlistEntry) -> None:
    with (
        time_machine.travel(NOW + LATER, tick=False),
        pytest.raises(ValidationError, match="This offer has ended"),
    ):
        waitlist.take(entry=offered)
    assert offered.appointment is not None
    offered.appointment.refresh_from_db()
    assert offered.appointment.start == at(2)


def test_a_visit_that_is_earlier_by_now_stays(offered: WaitlistEntry) -> None:
    Appointment.objects.filter(waits=offered).update(
        start=NOW + HALF, end=NOW + 2 * HALF, blocked_from=NOW + HALF, blocked_until=NOW + 2 * HALF
    )
    with pytest.raises(ValidationError, match="earlier than this time already"):
        waitlist.take(entry=offered)


def test_an_offer_stands_beside_what_one_holds(alice: User, chen: User, offered: WaitlistEntry) -> None:
    held = booking.hold(patient=alice, doctor=chen, start=at(3), length=30)
    assert waitlist.take(entry=offered).start == at(1)
    held.refresh_from_db()
    assert held.status == Status.HELD


def test_leaving_gives_the_offer_to_the_next(
    bob: User, chen: User, offered: WaitlistEntry, django_capture_on_commit_callbacks: Any
) -> None:
    second = waitlist.join(patient=bob, doctor=chen, length=30)
    with django_capture_on_commit_callbacks(execute=True):
        assert waitlist.leave(entry=offered)
    assert (again(offered).status, again(second).status) == (WaitStatus.LEFT, WaitStatus.OFFERED)
    assert not waitlist.leave(entry=offered)


# Pages


def address(name: str, entry: WaitlistEntry) -> str:
    return reverse(f"appointments:{name}", args=[entry.public_id])


def test_joining_from_the_times_and_leaving(
    alice: User, chen: User, full: list[Appointment], browse: Browse
) -> None:
    client, times = browse(alice), reverse("appointments:times", args=[chen.public_id])
    assert "Tell me when something earlier is free" in text(client.get(times))
    answer = client.post(reverse("appointments:wait", args=[chen.public_id]), {"length": "30"})
    assert answer.url == "/waiting/"
    page = text(client.get("/waiting/"))
    assert "You are on the waiting list." in page
    assert "Waiting for a time before Wednesday, Dec. 2, 2026, 09:00 ." in page
    assert "You are on the waiting list of this doctor" in text(client.get(times))
    entry = WaitlistEntry.objects.get()
    for _ in range(2):
        assert client.post(address("leave", entry)).url == "/waiting/"
    assert "You wait for nothing" in text(client.get("/waiting/"))


def test_a_bad_length_is_told_where_one_came_from(
    alice: User, chen: User, full: list[Appointment], browse: Browse
) -> None:
    client = browse(alice)
    for length in ("", "x", "45"):
        answer = client.post(
            reverse("appointments:wait", args=[chen.public_id]), {"length": length}, follow=True
        )
        assert "This doctor has no visits of this length." in text(answer)


def test_joining_from_a_visit(alice: User, chen: User, full: list[Appointment], browse: Browse) -> None:
    visit, client = book(alice, chen, at(2)), browse(alice)
    times = reverse("appointments:times", args=[chen.public_id])
    wait = reverse("appointments:wait-before", args=[visit.public_id])
    assert wait in client.get(times).content.decode()
    assert client.post(wait).url == "/waiting/"
    assert "before your visit on Wednesday, Dec. 2, 2026, 09:00" in text(client.get("/waiting/"))


@needs_visits
def test_who_need_not_wait_is_shown_the_times(
    alice: User, chen: User, full: list[Appointment], browse: Browse
) -> None:
    visit = book(alice, chen, at(2, 10))
    wait = reverse("appointments:wait-before", args=[visit.public_id])
    answer = browse(alice).post(wait, follow=True)
    assert "Earlier times are free right now." in text(answer)
    assert answer.redirect_chain[-1][0] == reverse("appointments:move", args=[visit.public_id])


@pytest.mark.parametrize(
    ("who", "status"), [("bob", 404), ("chen", 403), ("diaz", 403), ("eve", 403), ("nobody", 302)]
)
def test_an_entry_is_nobody_elses(
    who: str, status: int, offered: WaitlistEntry, browse: Browse, request: pytest.FixtureRequest
) -> None:
    client = Client() if who == "nobody" else browse(request.getfixturevalue(who))
    for name in ("offer", "decline-offer", "leave"):
        assert client.post(address(name, offered)).status_code == status
    assert client.get(address("offer", offered)).status_code == status
    assert offered.appointment is not None
    wait = reverse("appointments:wait-before", args=[offered.appointment.public_id])
    assert client.post(wait).status_code == status
    assert again(offered).status == WaitStatus.OFFERED


@pytest.mark.parametrize(("who", "status"), [("chen", 403), ("eve", 403), ("nobody", 302)])
def test_only_patients_wait(
    *, who: str, status: int, full: list[Appointment], chen: User, browse: Browse, request: Any
) -> None:
    client = Client() if who == "nobody" else browse(request.getfixturevalue(who))
    assert client.get("/waiting/").status_code == status
    assert client.post(reverse("appointments:wait", args=[chen.public_id])).status_code == status


def test_nobody_waits_for_who_is_not_in_the_directory(alice: User, frey: User, browse: Browse) -> None:
    assert browse(alice).post(reverse("appointments:wait", args=[frey.public_id])).status_code == 404


@needs_visits
def test_an_earlier_time_is_taken_on_its_page(alice: User, offered: WaitlistEntry, browse: Browse) -> None:
    client = browse(alice)
    assert "Tuesday, Dec. 1, 2026, 09:00 is kept for you until 08:59" in text(client.get("/waiting/"))
    page = text(client.get(address("offer", offered)))
    assert "is kept for you until 08:59. 30 minutes left" in page
    assert "Wednesday, Dec. 2, 2026, 09:00 becomes free for somebody else" in page
    assert offered.offer is not None
    book_page = reverse("appointments:book", args=[offered.offer.public_id])
    assert client.get(book_page).url == address("offer", offered)
    assert offered.appointment is not None
    assert client.post(address("offer", offered)).url == offered.appointment.get_absolute_url()
    twice = client.post(address("offer", offered))
    assert twice.status_code == 422
    assert "You have taken it." in text(twice)


def test_an_offer_is_declined_on_its_page(alice: User, offered: WaitlistEntry, browse: Browse) -> None:
    client = browse(alice)
    assert "You stay on the list." in text(client.post(address("decline-offer", offered), follow=True))
    twice = client.post(address("decline-offer", offered), follow=True)
    assert "This offer had ended already." in text(twice)
    page = text(client.get(address("offer", offered)))
    assert "You are still on the list" in page
    waitlist.leave(entry=again(offered))
    assert "not on this waiting list any more" in text(client.get(address("offer", offered)))


@needs_visits
def test_a_first_visit_that_is_offered_is_booked_like_any_other(
    bob: User, offered_first: WaitlistEntry, browse: Browse
) -> None:
    client = browse(bob)
    assert offered_first.offer is not None
    book_page = reverse("appointments:book", args=[offered_first.offer.public_id])
    assert client.get(address("offer", offered_first)).url == book_page
    page = text(client.get(book_page))
    assert "Not this time" in page
    assert "30 minutes left" in page
    client.post(book_page, {"reason": "It grows"})
    offered_first.offer.refresh_from_db()
    assert (offered_first.offer.status, offered_first.offer.reason) == (Status.CONFIRMED, "It grows")
    assert again(offered_first).status == WaitStatus.TAKEN


def test_giving_an_offer_back_declines_it(bob: User, offered_first: WaitlistEntry, browse: Browse) -> None:
    assert offered_first.offer is not None
    browse(bob).post(reverse("appointments:release", args=[offered_first.offer.public_id]))
    assert again(offered_first).status == WaitStatus.WAITING
