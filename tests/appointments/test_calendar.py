"""The private feed: read back with another library, without names unless asked for, gone when revoked."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
import vobject
from django.test import Client
from django.utils import timezone

from accounts import erasure
from accounts.models import DoctorApplication, User
from appointments import booking, calendars, feeds
from appointments.models import Appointment, CalendarFeed, Schedule, Status
from dermaplatform.logs import redact
from tests.appointments.conftest import first_free
from tests.appointments.test_races import at_once
from tests.conftest import make_user

Browse = Callable[[User], Client]
Visit = Callable[..., Appointment]
PAGE = "/settings/calendar/"


def path_of(address: str) -> str:
    return urlsplit(address).path


def events(address: str) -> list[Any]:
    """What a calendar program that is not signed in reads there."""
    answer = Client().get(path_of(address))
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    read = vobject.readOne(answer.content.decode())
    assert not hasattr(read, "method")
    return list(read.contents.get("vevent", []))


def test_a_feed_holds_the_visits_that_stand(alice: User, visit: Visit) -> None:
    address = feeds.make(user=alice)
    assert events(address) == []
    first, second = visit(alice), visit(alice, 10)
    booking.cancel(appointment=second, by=alice)
    [event] = events(address)
    assert event.uid.value == calendars.uid(first)
    assert (event.dtstart.value, event.dtend.value) == (first.start, first.end)
    assert event.location.value == "At the clinic"
    assert event.status.value == "CONFIRMED"


def test_it_follows_a_visit_that_is_moved(alice: User, visit: Visit, chen_open: Schedule) -> None:
    address = feeds.make(user=alice)
    appointment = visit(alice)
    [before] = events(address)
    booking.reschedule(appointment=appointment, by=alice, start=first_free(chen_open, number=9))
    [after] = events(address)
    assert after.uid.value == before.uid.value
    assert int(after.sequence.value) > int(before.sequence.value)
    assert after.dtstart.value == appointment.start


def test_a_request_is_tentative_and_a_hold_is_not_there(
    alice: User, visit: Visit, chen_open: Schedule
) -> None:
    chen_open.confirms_by_hand = True
    chen_open.save()
    booking.hold(patient=alice, doctor=chen_open.doctor, start=first_free(chen_open, number=9), length=30)
    address = feeds.make(user=alice)
    assert events(address) == []
    visit(alice)
    assert events(address)[0].status.value == "TENTATIVE"


def test_it_has_no_patients_names_and_nothing_clinical(alice: User, chen: User, visit: Visit) -> None:
    visit(alice, reason="A lesion that itches")
    for person in (alice, chen):
        text = Client().get(path_of(feeds.make(user=person))).content.decode()
        assert alice.name not in text
        assert alice.email not in text
        assert "lesion" not in text
    [event] = events(feeds.make(user=chen))
    assert event.summary.value == "Visit"


def test_a_doctor_can_turn_names_on(alice: User, chen: User, visit: Visit) -> None:
    visit(alice)
    [event] = events(feeds.make(user=chen, with_names=True))
    assert event.summary.value == "Visit: Alice Sommer"


def test_a_patient_reads_whom_they_see(alice: User, chen: User, visit: Visit) -> None:
    visit(alice)
    [event] = events(feeds.make(user=alice, with_names=True))
    assert event.summary.value == f"Visit: {chen.doctor_profile}"
    assert not CalendarFeed.objects.get().with_names


def test_it_can_be_read_when_a_doctor_has_left(alice: User, chen: User, visit: Visit) -> None:
    visit(alice)
    Appointment.objects.update(status=Status.COMPLETED)
    erasure.erase(person=User.objects.get(pk=chen.pk))
    [event] = events(feeds.make(user=alice))
    assert event.summary.value == "Visit: Erased account"


def test_it_is_of_one_person(alice: User, bob: User, visit: Visit) -> None:
    visit(alice)
    assert events(feeds.make(user=bob)) == []


def test_old_visits_leave_it(alice: User, visit: Visit) -> None:
    appointment = visit(alice)
    address = feeds.make(user=alice)
    with time_machine.travel(appointment.start + timedelta(days=89)):
        assert len(events(address)) == 1
    with time_machine.travel(appointment.start + timedelta(days=91)):
        assert events(address) == []


def test_a_revoked_address_is_not_there(alice: User, client: Client) -> None:
    path = path_of(feeds.make(user=alice))
    assert client.get(path).status_code == 200
    assert feeds.revoke(user=alice)
    gone, never = client.get(path), client.get("/calendar/none.ics")
    assert (gone.status_code, never.status_code) == (404, 404)
    assert "it was revoked or replaced" in gone.content.decode()
    assert gone.content == never.content
    assert not feeds.revoke(user=alice)


def test_a_new_address_replaces_the_old(alice: User, client: Client) -> None:
    old, new = feeds.make(user=alice), feeds.make(user=alice)
    assert old != new
    assert client.get(path_of(old)).status_code == 404
    assert client.get(path_of(new)).status_code == 200


@pytest.mark.parametrize("token", ["x", "0" * 43, "é", "a.ics", "%00", "a" * 3000])
def test_an_address_that_was_never_given_out(client: Client, db: None, token: str) -> None:
    assert client.get(f"/calendar/{token}.ics").status_code == 404


def test_the_digest_opens_nothing(alice: User, client: Client) -> None:
    feeds.make(user=alice)
    assert client.get(f"/calendar/{CalendarFeed.objects.get().digest}.ics").status_code == 404


def test_the_address_itself_is_not_kept(alice: User) -> None:
    token = path_of(feeds.make(user=alice)).removeprefix("/calendar/").removesuffix(".ics")
    assert len(token) >= 43
    assert token not in str(CalendarFeed.objects.values_list())


def test_it_ends_with_the_account(alice: User, client: Client) -> None:
    path = path_of(feeds.make(user=alice))
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert client.get(path).status_code == 404


def test_it_is_read_only_and_stored_by_nobody_else(alice: User, client: Client) -> None:
    path = path_of(feeds.make(user=alice))
    assert client.post(path).status_code == 405
    assert set(client.get(path)["Cache-Control"].split(", ")) == {"private", "no-cache"}


def test_while_nothing_changes_it_is_not_sent_again(alice: User, client: Client, visit: Visit) -> None:
    path = path_of(feeds.make(user=alice))
    appointment = visit(alice)
    first = client.get(path)
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        same = client.get(path, headers={"If-None-Match": first["ETag"]})
        assert (same.status_code, same.content, same["ETag"]) == (304, b"", first["ETag"])
        assert "private" in same["Cache-Control"]
        booking.cancel(appointment=appointment, by=alice)
        changed = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_a_revoked_address_is_not_unchanged_but_gone(alice: User, client: Client) -> None:
    path = path_of(feeds.make(user=alice))
    etag = client.get(path)["ETag"]
    feeds.revoke(user=alice)
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 404


def test_whoever_guesses_addresses_has_to_wait(alice: User, client: Client, settings: Any) -> None:
    settings.DERMA_RATES = {"api": {"address": "3/h"}}
    path = path_of(feeds.make(user=alice))
    with time_machine.travel("2026-05-04T10:00:01Z"):
        assert [client.get("/calendar/guess.ics").status_code for _ in range(3)] == [404] * 3
        answer = client.get(path)
        assert answer.status_code == 429
        assert int(answer["Retry-After"]) > 0
    with time_machine.travel("2026-05-04T11:00:01Z"):
        assert client.get(path).status_code == 200


def test_a_doctor_who_may_not_practise_reads_no_names(alice: User, chen: User, visit: Visit) -> None:
    visit(alice)
    address = feeds.make(user=chen, with_names=True)
    DoctorApplication.objects.filter(doctor=chen).update(
        licence_expires_on=timezone.localdate() - timedelta(days=1)
    )
    [event] = events(address)
    assert event.summary.value == "Visit"


def test_logs_do_not_have_the_address(alice: User) -> None:
    path = path_of(feeds.make(user=alice))
    event = redact(None, "", {"event": "request_started", "request": f"GET {path}"})
    assert event["request"] == "GET /calendar/[redacted]"


def test_a_feed_is_read_in_a_constant_number_of_queries(
    alice: User, visit: Visit, django_assert_num_queries: Any
) -> None:
    token = path_of(feeds.make(user=alice)).removeprefix("/calendar/").removesuffix(".ics")
    for number in (4, 10, 14):
        visit(alice, number)
    with django_assert_num_queries(2):
        text = feeds.read(token)
    assert text
    assert text.count("BEGIN:VEVENT") == 3


@pytest.mark.django_db(transaction=True)
def test_one_is_in_use_however_often_somebody_clicks() -> None:
    person = make_user("p@example.org", "P")
    answers = at_once(*[partial(feeds.make, user=person)] * 5)
    assert all(isinstance(answer, str) for answer in answers), answers
    assert CalendarFeed.objects.filter(revoked_at=None).count() == 1


# The page


def test_the_address_is_shown_once(alice: User, browse: Browse) -> None:
    client = browse(alice)
    assert "Make an address" in client.get(PAGE).content.decode()
    page = client.post(PAGE).content.decode()
    assert "it is shown this once" in page
    [address] = [word.split('"')[1] for word in page.split() if word.startswith('value="http')]
    assert events(address) == []
    again = client.get(PAGE).content.decode()
    assert address not in again
    assert "An address is in use" in again


def test_it_is_revoked_on_the_page(alice: User, browse: Browse) -> None:
    path = path_of(feeds.make(user=alice))
    answer = browse(alice).post(f"{PAGE}revoke/", follow=True)
    assert "does not work any more" in answer.content.decode()
    assert Client().get(path).status_code == 404
    assert "no address to revoke" in browse(alice).post(f"{PAGE}revoke/", follow=True).content.decode()


def test_only_doctors_are_asked_about_names(alice: User, chen: User, browse: Browse) -> None:
    words = "With the names of patients"
    assert words not in browse(alice).get(PAGE).content.decode()
    assert words in browse(chen).get(PAGE).content.decode()
    assert "shows no names" in browse(chen).post(PAGE).content.decode()
    assert "shows the names of patients" in browse(chen).post(PAGE, {"with_names": "on"}).content.decode()


def test_who_has_no_visits_has_no_calendar(eve: User, browse: Browse, client: Client) -> None:
    assert browse(eve).get(PAGE).status_code == 403
    assert client.get(PAGE).status_code == 302
    assert browse(eve).post(f"{PAGE}revoke/").status_code == 403
