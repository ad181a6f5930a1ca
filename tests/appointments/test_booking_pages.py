"""Picking a time and booking it, as a browser without JavaScript does."""

import datetime
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts.models import AccessEvent, User
from appointments import booking, picking
from appointments.models import Appointment, Schedule, ScheduleException, Status, WeeklyRule
from appointments.views.booking import DRAFT
from diagnosis.models import Analysis
from tests.appointments.conftest import first_free, open_hours
from tests.census import _examined as examined
from tests.test_pages import text

Browse = Callable[[User], Any]  # a Client; of its answers more is asked than its type knows
Submit = Callable[..., Analysis]
Book = Callable[..., Appointment]
# A Monday, nearly half past nine in Zurich: tests do not depend on the day on which they run.
NOW = datetime.datetime(2026, 11, 30, 8, 29, tzinfo=datetime.UTC)
TOMORROW = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)


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


def times_of(doctor: User) -> str:
    return reverse("appointments:times", args=[doctor.public_id])


def choose(client: Client, doctor: User, start: datetime.datetime, **more: Any) -> Any:
    return client.post(times_of(doctor), {"start": start.isoformat(), "length": 30, **more})


def held_by(patient: User) -> Appointment:
    return Appointment.objects.get(patient=patient, status=Status.HELD, offered=False)


def page_of(hold: Appointment) -> str:
    return reverse("appointments:book", args=[hold.public_id])


@pytest.fixture
def hold(alice: User, chen_open: Schedule) -> Appointment:
    start = first_free(chen_open, number=2)
    return booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30)


@pytest.fixture
def kept_for_urgent(chen_open: Schedule) -> Schedule:
    """From tomorrow on, and nothing but what is kept for urgent cases."""
    tomorrow = timezone.now().date() + datetime.timedelta(days=1)
    WeeklyRule.objects.filter(schedule=chen_open).update(for_urgent=True, valid_from=tomorrow)
    chen_open.release_hours = 0
    chen_open.save()
    return chen_open


# The times


@pytest.mark.parametrize("who", ["nobody", "alice", "chen", "diaz", "eve"])
def test_everybody_reads_the_times_and_patients_choose(
    who: str, chen_open: Schedule, browse: Browse, request: pytest.FixtureRequest
) -> None:
    client = Client() if who == "nobody" else browse(request.getfixturevalue(who))
    page = client.get(times_of(chen_open.doctor))
    assert page.status_code == 200
    assert "November 2026" in text(page)
    assert ('name="start"' in page.content.decode()) == (who == "alice")


@pytest.mark.parametrize(
    ("kind", "day", "is_open"),
    [("extra", 2, True), ("changed", 2, True), ("off", 2, False), ("extra", -2, False)],
)
def test_a_doctor_may_work_on_single_days_alone(
    *, kind: str, day: int, is_open: bool, alice: User, chen_open: Schedule, browse: Browse
) -> None:
    chen_open.rules.all().delete()
    date = NOW.date() + datetime.timedelta(days=day)
    ScheduleException.objects.create(
        schedule=chen_open, kind=kind, first_day=date, last_day=date, begins=540, ends=600
    )
    page = browse(alice).get(times_of(chen_open.doctor))
    assert ('name="start"' in page.content.decode()) == is_open
    assert ("takes no bookings here yet" in text(page)) != is_open


def test_a_visitor_is_asked_to_sign_in_and_comes_back(chen_open: Schedule) -> None:
    address = times_of(chen_open.doctor)
    assert f"/accounts/login/?next={address}" in Client().get(address).content.decode()
    answer = choose(Client(), chen_open.doctor, first_free(chen_open))
    assert (answer.status_code, answer.url) == (302, f"/accounts/login/?next={address}")


@pytest.mark.parametrize("who", ["chen", "diaz", "eve"])
def test_only_patients_choose(
    who: str, chen_open: Schedule, browse: Browse, request: pytest.FixtureRequest
) -> None:
    client = browse(request.getfixturevalue(who))
    assert choose(client, chen_open.doctor, first_free(chen_open)).status_code == 403
    assert not Appointment.objects.exists()


def test_who_is_not_in_the_directory_has_no_times(alice: User, frey: User, browse: Browse) -> None:
    assert browse(alice).get(times_of(frey)).status_code == 404
    assert browse(alice).get(times_of(alice)).status_code == 404


def test_a_doctor_without_hours_says_so(alice: User, chen: User, browse: Browse) -> None:
    assert "takes no bookings here yet" in text(browse(alice).get(times_of(chen)))


def test_each_day_says_how_many_times_are_free(chen: User, alice: User, browse: Browse) -> None:
    schedule = open_hours(chen, begins=8 * 60, ends=10 * 60)
    page = text(browse(alice).get(times_of(chen)))
    # 08:00 and 08:30 UTC are over or begin now; in Alice's zone (UTC) hours are 07:00 to 09:00.
    assert "Tuesday, Dec. 1, 2026: 4 free times" not in page  # another month
    december = text(browse(alice).get(times_of(chen) + "?month=2026-12"))
    assert "Tuesday, Dec. 1, 2026: 4 free times" in december
    assert "Thursday, Dec. 31, 2026: 4 free times" in december
    assert schedule.lengths == [30, 60]
    assert "3 free times" in text(browse(alice).get(times_of(chen) + "?month=2026-12&length=60"))


def test_weeks_begin_as_the_language_has_it(chen_open: Schedule) -> None:
    weekdays = picking.pick(chen_open, picking.Wanted(), patient=None, zone=ZoneInfo("UTC")).weekdays
    assert weekdays[0].strftime("%A") == "Sunday"  # as in English


def test_months_reach_from_now_to_the_horizon(chen_open: Schedule, alice: User, browse: Browse) -> None:
    client, address = browse(alice), times_of(chen_open.doctor)
    first = client.get(address).content.decode()
    assert "Previous month" not in first
    assert 'href="?length=30&amp;month=2026-12"' in first
    assert "January 2027" in text(client.get(address + "?month=2030-01"))
    last = client.get(address + "?month=2027-01").content.decode()
    assert "Next month" not in last


@pytest.mark.parametrize("query", ["?month=x", "?day=2026-13-40", "?length=7", "?length=x", "?analysis=x"])
def test_an_address_that_makes_no_sense_shows_the_next_free_day(
    query: str, chen_open: Schedule, alice: User, browse: Browse
) -> None:
    page = browse(alice).get(times_of(chen_open.doctor) + query)
    assert page.status_code == 200
    assert "Monday, Nov. 30, 2026" in text(page)


def test_times_stand_in_the_readers_zone_beside_the_doctors(
    chen_open: Schedule, alice: User, browse: Browse
) -> None:
    alice.time_zone = "Asia/Kolkata"
    alice.save()
    page = text(browse(alice).get(times_of(chen_open.doctor) + "?day=2026-12-02"))
    assert "Times in Kolkata (Asia, UTC+5:30)" in page
    assert "The doctor is in Zurich (Europe, UTC+1)" in page
    assert "00:00" in page
    assert "doctor: 19:30" in page


def test_one_zone_is_not_told_twice(chen_open: Schedule, alice: User, browse: Browse) -> None:
    alice.time_zone = "Europe/Berlin"  # another name, the same clock
    alice.save()
    assert "doctor:" not in text(browse(alice).get(times_of(chen_open.doctor)))


def test_visitors_read_the_doctors_clock(chen: User) -> None:
    open_hours(chen, begins=12 * 60, ends=13 * 60)
    assert "12:00" in text(Client().get(times_of(chen)))


def test_an_hour_that_comes_twice_says_which_one_it_is(chen: User, alice: User, browse: Browse) -> None:
    alice.time_zone = "Europe/Zurich"
    alice.save()
    open_hours(chen)
    with time_machine.travel(datetime.datetime(2026, 10, 20, 8, tzinfo=datetime.UTC), tick=False):
        page = text(browse(alice).get(times_of(chen) + "?day=2026-10-25"))
    assert "02:00 (UTC+2)" in page
    assert "02:00 (UTC+1)" in page
    assert "03:00 (" not in page


def test_a_month_without_free_times_says_when_the_next_is(
    chen_open: Schedule, alice: User, browse: Browse
) -> None:
    WeeklyRule.objects.update(valid_from=datetime.date(2027, 1, 4))
    page = text(browse(alice).get(times_of(chen_open.doctor) + "?month=2026-12"))
    assert "Nothing is free in this month" in page
    assert "The next free time is on Sunday, Jan. 3, 2027" in page  # 23:00 UTC


def test_at_ones_own_other_visits_nothing_is_shown(
    alice: User, chen_open: Schedule, diaz_open: Schedule, browse: Browse
) -> None:
    day = "?day=2026-12-02"
    start = datetime.datetime(2026, 12, 2, 12, tzinfo=datetime.UTC)
    booking.book(hold=booking.hold(patient=alice, doctor=diaz_open.doctor, start=start, length=30))
    page = browse(alice).get(times_of(chen_open.doctor) + day).content.decode()
    assert start.isoformat() not in page
    assert (start + datetime.timedelta(minutes=30)).isoformat() in page


def test_the_page_asks_the_database_the_same_number_of_times(
    alice: User, bob: User, chen_open: Schedule, visit: Book, browse: Browse
) -> None:
    client = browse(alice)
    counts = []
    for number in (0, 12):
        for place in range(number):
            visit(bob, place)
        with CaptureQueriesContext(connection) as queries:
            client.get(times_of(chen_open.doctor))
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] < 30


# Choosing


def test_choosing_holds_and_leads_on(alice: User, chen_open: Schedule, browse: Browse) -> None:
    client = browse(alice)
    answer = choose(client, chen_open.doctor, first_free(chen_open))
    held = held_by(alice)
    assert (answer.status_code, answer.url) == (302, page_of(held))
    page = text(client.get(page_of(held)))
    assert "is kept for you until 08:34" in page
    assert "5 minutes left" in page
    assert "Mei Chen" in page
    with time_machine.travel(NOW + datetime.timedelta(minutes=3, seconds=30), tick=False):
        assert "2 minutes left" in text(client.get(page_of(held)))


def test_a_person_has_one_hold_and_sees_it(alice: User, chen_open: Schedule, browse: Browse) -> None:
    client = browse(alice)
    choose(client, chen_open.doctor, first_free(chen_open))
    first = held_by(alice)
    page = client.get(times_of(chen_open.doctor))
    assert "You hold Monday, Nov. 30, 2026" in text(page)
    assert first.start.isoformat() in page.content.decode()  # it can be chosen again: back button, two clicks
    choose(client, chen_open.doctor, first.start)
    second = held_by(alice)
    assert (second.pk != first.pk, second.start) == (True, first.start)


def test_what_one_holds_elsewhere_hides_no_time(
    alice: User, chen_open: Schedule, diaz_open: Schedule, browse: Browse
) -> None:
    """Choosing gives it back, so the same hour with another doctor can be chosen."""
    client = browse(alice)
    choose(client, diaz_open.doctor, TOMORROW)
    page = client.get(times_of(chen_open.doctor) + "?day=2026-12-01").content.decode()
    assert f'value="{TOMORROW.isoformat()}"' in page
    assert choose(client, chen_open.doctor, TOMORROW).status_code == 302
    assert held_by(alice).doctor == chen_open.doctor


def test_a_time_that_was_just_taken_offers_the_next(
    alice: User, bob: User, chen_open: Schedule, browse: Browse
) -> None:
    start = first_free(chen_open)
    booking.hold(patient=bob, doctor=chen_open.doctor, start=start, length=30)
    answer = choose(browse(alice), chen_open.doctor, start, analysis="")
    assert answer.status_code == 409
    words = text(answer)
    assert "This time has just been taken." in words
    buttons = re.findall(
        r'name="start" value="([^"]+)">\s*<time', re.sub(r"\s+", " ", answer.content.decode())
    )
    assert len(buttons) == booking.ALTERNATIVES
    assert start.isoformat() not in buttons


def test_a_hold_stays_when_the_new_choice_fails(
    alice: User, bob: User, chen_open: Schedule, hold: Appointment, browse: Browse
) -> None:
    taken = first_free(chen_open, number=3)
    booking.hold(patient=bob, doctor=chen_open.doctor, start=taken, length=30)
    assert choose(browse(alice), chen_open.doctor, taken).status_code == 409
    assert held_by(alice) == hold


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"start": ""}, "Choose one of the times."),
        ({"start": "tomorrow"}, "This time cannot be read."),
        ({"length": ""}, "Choose how long the visit is."),
        ({"length": "45"}, "This doctor has no visits of this length."),
        ({"start": "2026-11-29T10:00:00+00:00"}, "This time lies in the past."),
        ({"start": "2027-11-29T10:00:00+00:00"}, "cannot be booked that far ahead"),
        ({"start": "2026-12-02T10:10:00+00:00"}, "no visits at this time"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "This time is too far away."),
        ({"start": "9999-12-31T23:59:00-14:00"}, "This time is too far away."),
    ],
)
def test_each_bad_choice_has_its_sentence(
    sent: dict[str, str], sentence: str, alice: User, chen_open: Schedule, browse: Browse
) -> None:
    start = first_free(chen_open)
    answer = browse(alice).post(
        times_of(chen_open.doctor), {"start": start.isoformat(), "length": "30", **sent}
    )
    assert answer.status_code == 422
    assert sentence in text(answer)
    assert not Appointment.objects.exists()


def test_less_notice_than_the_doctor_needs_is_told(alice: User, chen: User, browse: Browse) -> None:
    open_hours(chen, notice_hours=12)
    answer = choose(browse(alice), chen, NOW + datetime.timedelta(hours=2))
    assert "needs more notice" in text(answer)


# An urgent result


def test_an_urgent_result_opens_what_is_kept(
    alice: User, kept_for_urgent: Schedule, browse: Browse, submit: Submit
) -> None:
    client, doctor = browse(alice), kept_for_urgent.doctor
    analysis = examined(submit(alice))
    assert "Every time that can be booked at present is taken" in text(client.get(times_of(doctor)))
    page = client.get(f"{times_of(doctor)}?analysis={analysis.public_id}")
    assert "Your result is urgent." in text(page)
    assert "kept for urgent cases" in text(page)
    assert "Monday, Nov. 30, 2026 Times in UTC" in text(page)  # the earliest day: in Zurich it is midnight
    answer = choose(client, doctor, TOMORROW, analysis=analysis.public_id)
    held = held_by(alice)
    assert held.urgent
    assert answer.url == f"{page_of(held)}?analysis={analysis.public_id}"
    box = re.search(
        rf'<input[^>]*value="{analysis.public_id}"[^>]*>', client.get(answer.url).content.decode()
    )
    assert box
    assert "checked" in box[0]


@pytest.mark.parametrize("whose", ["no result yet", "another patient's", "not urgent"])
def test_nothing_else_proves_that_it_is_urgent(
    *, whose: str, alice: User, bob: User, kept_for_urgent: Schedule, browse: Browse, submit: Submit
) -> None:
    if whose == "no result yet":
        analysis = submit(alice)
    elif whose == "another patient's":
        analysis = examined(submit(bob))
    else:
        analysis = examined(submit(alice))
        Analysis.objects.update(urgency="soon")
    client, doctor = browse(alice), kept_for_urgent.doctor
    page = text(client.get(f"{times_of(doctor)}?analysis={analysis.public_id}"))
    assert "Your result is urgent." not in page
    answer = choose(client, doctor, TOMORROW, analysis=analysis.public_id)
    assert answer.status_code == 422
    assert not Appointment.objects.exists()


def test_a_result_leads_to_the_doctors_and_on_to_their_times(
    alice: User, chen_open: Schedule, browse: Browse, submit: Submit
) -> None:
    client, analysis = browse(alice), examined(submit(alice))
    query = f"?analysis={analysis.public_id}"
    assert f'href="/doctors/{query}"' in client.get(analysis.get_absolute_url()).content.decode()
    doctors = client.get(f"/doctors/{query}").content.decode()
    address = times_of(chen_open.doctor)
    profile = f"/doctors/{chen_open.doctor.public_id}/{query}"
    assert f'href="{address}{query}"' in doctors
    assert f'href="{profile}"' in doctors
    assert f'name="analysis" value="{analysis.public_id}"' in doctors  # a search keeps it
    assert "Next free time: Nov. 30, 2026" in text(client.get("/doctors/"))
    assert f'href="{address}{query}"' in client.get(profile).content.decode()
    assert f'href="{address}"' in client.get("/doctors/?analysis=x").content.decode()


# Booking


@needs_visits
def test_confirming_books(alice: User, hold: Appointment, browse: Browse, submit: Submit) -> None:
    analysis = examined(submit(alice))
    answer = browse(alice).post(page_of(hold), {"reason": "It grows", "analyses": [str(analysis.public_id)]})
    hold.refresh_from_db()
    assert (answer.status_code, answer.url) == (302, hold.get_absolute_url())
    assert (hold.status, hold.reason) == (Status.CONFIRMED, "It grows")
    assert [row.analysis for row in hold.attached.all()] == [analysis]
    assert not AccessEvent.objects.exists()


@needs_visits
def test_a_doctor_who_confirms_by_hand_is_asked(
    alice: User, chen_open: Schedule, hold: Appointment, browse: Browse
) -> None:
    Schedule.objects.update(confirms_by_hand=True)
    client = browse(alice)
    assert "Confirm, and ask the doctor" in text(client.get(page_of(hold)))
    client.post(page_of(hold), {})
    hold.refresh_from_db()
    assert hold.status == Status.REQUESTED


@needs_visits
def test_two_clicks_and_the_back_button_book_once(alice: User, hold: Appointment, browse: Browse) -> None:
    client = browse(alice)
    for _ in range(2):
        answer = client.post(page_of(hold), {"reason": "It grows"})
        assert (answer.status_code, answer.url) == (302, hold.get_absolute_url())
    assert client.get(page_of(hold)).url == hold.get_absolute_url()
    assert client.post(reverse("appointments:release", args=[hold.public_id])).url == hold.get_absolute_url()
    hold.refresh_from_db()
    assert (hold.status, Appointment.objects.count()) == (Status.CONFIRMED, 1)


def test_the_page_says_what_the_doctor_may_open(alice: User, hold: Appointment, browse: Browse) -> None:
    page = text(browse(alice).get(page_of(hold)))
    assert "may open your whole record" in page
    assert "90 days after the visit" in page
    assert "until 24 hours before" in page


def test_another_patients_result_is_not_attached(
    alice: User, bob: User, hold: Appointment, browse: Browse, submit: Submit
) -> None:
    of_bob = submit(bob)
    answer = browse(alice).post(page_of(hold), {"reason": "It grows", "analyses": [str(of_bob.public_id)]})
    assert answer.status_code == 422
    assert "Some of these analyses are not yours." in text(answer)
    assert "It grows" in text(answer)
    assert held_by(alice) == hold


@pytest.mark.parametrize(("who", "status"), [("bob", 404), ("chen", 403), ("diaz", 403), ("eve", 403)])
def test_a_hold_is_nobody_elses(
    who: str, status: int, hold: Appointment, browse: Browse, request: pytest.FixtureRequest
) -> None:
    client = browse(request.getfixturevalue(who))
    for name in ("book", "release"):
        address = reverse(f"appointments:{name}", args=[hold.public_id])
        assert client.post(address).status_code == status
    assert client.get(page_of(hold)).status_code == status
    assert Client().get(page_of(hold)).status_code == 302


def test_a_hold_that_ran_out_loses_nothing(
    alice: User, hold: Appointment, browse: Browse, submit: Submit
) -> None:
    analysis, client = submit(alice), browse(alice)
    with time_machine.travel(NOW + datetime.timedelta(minutes=6), tick=False):
        written = {"reason": "It grows", "analyses": [str(analysis.public_id)]}
        answer = client.post(page_of(hold), written)
        assert answer.status_code == 422
        assert "The time that was held for you ran out." in text(answer)
        assert "It grows" in text(answer)
        assert "This time is not kept for you any more" in text(client.get(page_of(hold)))
        assert "It grows" in text(client.get(page_of(hold)))
        again = client.post(page_of(hold), written | {"start": hold.start.isoformat()})
        held = held_by(alice)
        assert (again.url, held.start) == (page_of(held), hold.start)
        page = client.get(again.url).content.decode()
    assert "It grows" in page
    assert re.search(rf'value="{analysis.public_id}"[^>]*checked', page)


def test_who_finds_the_time_taken_after_all_is_offered_the_next(
    alice: User, bob: User, hold: Appointment, browse: Browse
) -> None:
    client = browse(alice)
    with time_machine.travel(NOW + datetime.timedelta(minutes=6), tick=False):
        booking.hold(patient=bob, doctor=hold.doctor, start=hold.start, length=30)
        answer = client.post(page_of(hold), {"reason": "It grows", "start": hold.start.isoformat()})
        assert answer.status_code == 422
        assert "This time has just been taken." in text(answer)
        assert "It grows" in text(answer)
        [first, *_] = re.findall(r'name="start"\s+value="([^"]+)"', answer.content.decode())
        assert client.post(page_of(hold), {"reason": "It grows", "start": first}).status_code == 302
        assert held_by(alice).start == datetime.datetime.fromisoformat(first)


def test_in_two_tabs_the_later_hold_counts(
    alice: User, chen_open: Schedule, hold: Appointment, browse: Browse
) -> None:
    client = browse(alice)
    choose(client, chen_open.doctor, first_free(chen_open, number=3))
    later = held_by(alice)
    answer = client.post(page_of(hold), {"reason": "It grows"})
    assert answer.status_code == 422
    assert "You hold another time now" in text(answer)
    assert page_of(later) in answer.content.decode()
    assert "It grows" in text(client.get(page_of(later)))


def test_who_looks_for_another_time_keeps_what_was_written(
    alice: User, hold: Appointment, browse: Browse
) -> None:
    client = browse(alice)
    answer = client.post(page_of(hold), {"reason": "It grows", "another": "1"})
    assert answer.url == f"{times_of(hold.doctor)}?length=30&day={hold.start:%Y-%m-%d}"
    assert held_by(alice) == hold
    choose(client, hold.doctor, hold.start + datetime.timedelta(hours=1))
    assert "It grows" in text(client.get(page_of(held_by(alice))))


def test_of_a_doctor_who_has_left_no_other_time_is_looked_for(
    alice: User, hold: Appointment, browse: Browse
) -> None:
    User.objects.filter(pk=hold.doctor_id).update(is_active=False)
    answer = browse(alice).post(page_of(hold), {"another": "1"}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("accounts:doctors")
    assert "This doctor cannot be booked at present. Here are the others." in text(answer)


def test_a_reason_that_is_too_long_is_told(alice: User, hold: Appointment, browse: Browse) -> None:
    answer = browse(alice).post(page_of(hold), {"reason": "x" * 1001})
    assert answer.status_code == 422
    assert "at most 1000 characters" in text(answer)


def test_giving_a_time_back(alice: User, hold: Appointment, browse: Browse) -> None:
    client, address = browse(alice), reverse("appointments:release", args=[hold.public_id])
    client.post(page_of(hold), {"reason": "It grows", "another": "1"})
    for _ in range(2):
        assert client.post(address).url == times_of(hold.doctor)
    hold.refresh_from_db()
    assert hold.status == Status.EXPIRED
    assert DRAFT not in client.session
    assert client.get(address).status_code == 405


@needs_visits
def test_what_was_written_is_forgotten_once_it_is_booked(
    alice: User, hold: Appointment, browse: Browse
) -> None:
    client = browse(alice)
    client.post(page_of(hold), {"reason": "It grows"})
    assert DRAFT not in client.session


def test_a_follow_up_is_tied_to_the_visit_before(
    alice: User, bob: User, chen_open: Schedule, visit: Book, browse: Browse
) -> None:
    before, of_bob = visit(alice), visit(bob, 8)
    start = first_free(chen_open, number=12)
    choose(browse(alice), chen_open.doctor, start, follows=of_bob.public_id)
    assert held_by(alice).follows is None
    choose(browse(alice), chen_open.doctor, start, follows=before.public_id)
    assert held_by(alice).follows == before
    assert timezone.now() == NOW
