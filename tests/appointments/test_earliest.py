"""The directory for somebody with an urgent result: the earliest times first, one click away."""

import datetime
import re
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.directory import PAGE_SIZE
from accounts.models import DoctorProfile, User
from appointments import availability, booking
from appointments.models import Appointment, Schedule, ScheduleException, Status, WeeklyRule
from diagnosis.models import Analysis
from tests.appointments.conftest import open_hours
from tests.appointments.test_availability import many_doctors
from tests.census import _examined as examined
from tests.conftest import make_doctor
from tests.test_pages import text

Browse = Callable[[User], Any]
Submit = Callable[..., Analysis]
# A Monday, nearly half past nine in Zurich.
NOW = datetime.datetime(2026, 11, 30, 8, 29, tzinfo=datetime.UTC)
ZURICH, MADRID = (Decimal("47.38"), Decimal("8.54")), (Decimal("40.42"), Decimal("-3.70"))


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def at(day: int, hour: int = 9, minute: int = 0) -> datetime.datetime:
    return datetime.datetime(2026, 12, day, hour, minute, tzinfo=datetime.UTC)


def from_day(doctor: User, day: int, *, for_urgent: bool = False) -> Schedule:
    """Three times a day from that day of December on, 09:00 to 10:30 in UTC."""
    schedule = open_hours(doctor, zone="UTC", begins=9 * 60, ends=10 * 60 + 30, release_hours=0)
    rules = WeeklyRule.objects.filter(schedule=schedule)
    rules.update(valid_from=at(day).date(), for_urgent=for_urgent)
    return schedule


@pytest.fixture
def two(chen: User, diaz: User) -> tuple[Schedule, Schedule]:
    """Chen comes first by name; Díaz is earlier, at times that are kept for urgent cases."""
    return from_day(chen, 4), from_day(diaz, 2, for_urgent=True)


@pytest.fixture
def urgent(alice: User, submit: Submit) -> Analysis:
    return examined(submit(alice))


def address(analysis: Analysis, **more: object) -> str:
    query = "".join(f"&{name}={value}" for name, value in more.items())
    return f"{reverse('accounts:doctors')}?analysis={analysis.public_id}{query}"


def times_of(schedule: Schedule) -> str:
    return reverse("appointments:times", args=[schedule.doctor.public_id])


def names(page: Any) -> list[str]:
    return re.findall(r'class="thing__go"[^>]*>([^<]+)<', page.content.decode())


def offered(page: Any) -> list[datetime.datetime]:
    found = re.findall(r'name="start"\s+value="([^"]+)"', page.content.decode())
    return [datetime.datetime.fromisoformat(start) for start in found]


# Who stands first, and what stands there


def test_the_earliest_stand_first_with_what_is_kept(
    alice: User, two: object, urgent: Analysis, browse: Browse
) -> None:
    page = browse(alice).get(address(urgent))
    assert names(page) == ["Rafael Díaz", "Mei Chen"]
    half = datetime.timedelta(minutes=30)
    assert offered(page) == [start + half * number for start in (at(2), at(4)) for number in range(3)]
    words = text(page)
    assert "Your result is urgent. The doctors with the earliest times come first" in words
    assert words.count("kept for urgent cases") == 1 + 3
    assert "for a visit of 30 minutes" in words
    assert "Wed, Dec. 2, 2026" in words
    assert "Times in UTC." in words


@pytest.mark.parametrize("whose", ["no result yet", "another patient's", "not urgent", "none", "nonsense"])
def test_for_everything_else_the_directory_is_as_it_was(
    *, whose: str, alice: User, bob: User, two: object, browse: Browse, submit: Submit
) -> None:
    if whose == "another patient's":
        analysis = examined(submit(bob))
    else:
        analysis = submit(alice)
        if whose == "not urgent":
            examined(analysis)
            Analysis.objects.update(urgency="soon")
    path = {"none": "/doctors/", "nonsense": "/doctors/?analysis=x"}.get(whose, address(analysis))
    page = browse(alice).get(path + ("&" if "?" in path else "?") + "order=earliest")
    assert names(page) == ["Mei Chen", "Rafael Díaz"]
    assert offered(page) == []
    assert "Your result is urgent" not in text(page)
    assert "Next free time: Dec. 4, 2026" in text(page)
    assert "No free time at present" in text(page)


@pytest.mark.parametrize("who", ["nobody", "bob", "chen", "eve"])
def test_the_address_of_a_result_shows_nobody_else_more(
    who: str, two: object, urgent: Analysis, browse: Browse, request: pytest.FixtureRequest
) -> None:
    client = Client() if who == "nobody" else browse(request.getfixturevalue(who))
    page = client.get(address(urgent))
    assert names(page) == ["Mei Chen", "Rafael Díaz"]
    assert "urgent" not in text(page)


def test_who_has_nothing_free_stands_last(
    alice: User, two: object, frey: User, urgent: Analysis, browse: Browse
) -> None:
    make_doctor("abel@example.org", "Ada Abel")  # first by name, without hours
    page = browse(alice).get(address(urgent))
    assert names(page) == ["Rafael Díaz", "Mei Chen", "Ada Abel"]
    assert text(page).count("No free time at present") == 1


def test_what_the_patient_has_elsewhere_is_not_offered(
    alice: User, two: tuple[Schedule, Schedule], urgent: Analysis, browse: Browse
) -> None:
    WeeklyRule.objects.update(valid_from=at(2).date(), for_urgent=False)
    start = at(2, 9, 30)
    booking.book(hold=booking.hold(patient=alice, doctor=two[0].doctor, start=start, length=30))
    assert start not in offered(browse(alice).get(address(urgent)))


def test_what_the_patient_holds_hides_nothing(
    alice: User, two: tuple[Schedule, Schedule], urgent: Analysis, browse: Browse
) -> None:
    """It is given back for whatever is chosen instead."""
    booking.hold(patient=alice, doctor=two[1].doctor, start=at(2), length=30, urgent=True)
    assert offered(browse(alice).get(address(urgent)))[0] == at(2)


def test_a_search_narrows_and_is_open(alice: User, two: object, urgent: Analysis, browse: Browse) -> None:
    client = browse(alice)
    assert re.search(r'<details class="card finder-fold"\s*>', client.get(address(urgent)).content.decode())
    page = client.get(address(urgent, name="chen"))
    assert names(page) == ["Mei Chen"]
    assert re.search(r'<details class="card finder-fold"\s+open>', page.content.decode())
    assert f'name="analysis" value="{urgent.public_id}"' in page.content.decode()
    nobody = client.get(address(urgent, name="nobody")).content.decode()
    assert nobody.count(f'href="/doctors/?analysis={urgent.public_id}"') == 2


def test_near_a_place_the_nearest_stand_first_and_the_earliest_on_demand(
    *, alice: User, chen: User, diaz: User, two: object, urgent: Analysis, browse: Browse
) -> None:
    for doctor, (latitude, longitude) in ((chen, ZURICH), (diaz, MADRID)):
        DoctorProfile.objects.filter(user=doctor).update(latitude=latitude, longitude=longitude)
    client, near = browse(alice), {"latitude": "47.40", "longitude": "8.50"}
    assert "say below near which place" in text(client.get(address(urgent)))
    page = client.get(address(urgent, **near))
    assert names(page) == ["Mei Chen", "Rafael Díaz"]
    assert offered(page)[:3] == [at(4), at(4, 9, 30), at(4, 10)]
    assert "The nearest doctors come first" in text(page)
    assert "order=earliest" in page.content.decode()
    page = client.get(address(urgent, **near, order="earliest"))
    assert names(page) == ["Rafael Díaz", "Mei Chen"]
    assert "km away" in text(page)


def test_a_long_list_has_pages(alice: User, db: None, urgent: Analysis, browse: Browse) -> None:
    for number in range(PAGE_SIZE + 3):
        from_day(make_doctor(f"d{number}@example.org", f"Doctor {number:02}"), 24 - number)
    client = browse(alice)
    first, second = client.get(address(urgent)), client.get(address(urgent, page=2))
    found = names(first) + names(second)
    assert found == [f"Doctor {number:02}" for number in reversed(range(PAGE_SIZE + 3))]
    assert len(names(second)) == 3
    assert f"analysis={urgent.public_id}&amp;page=2" in first.content.decode()


# One click


def test_a_click_holds_the_time_and_takes_the_result_along(
    alice: User, two: tuple[Schedule, Schedule], urgent: Analysis, browse: Browse
) -> None:
    client = browse(alice)
    page = client.get(address(urgent)).content.decode()
    form = re.search(r'<form method="post"\s+class="earliest"\s+action="([^"]+)">(.*?)</form>', page, re.S)
    assert form
    assert form[1] == times_of(two[1])
    hidden = dict(re.findall(r'<input type="hidden" name="(length|analysis)" value="([^"]*)"', form[2]))
    [start, *_] = re.findall(r'name="start"\s+value="([^"]+)"', form[2])
    answer = client.post(form[1], {**hidden, "start": start})
    held = Appointment.objects.get(status=Status.HELD)
    assert (answer.status_code, held.start, held.urgent, held.minutes) == (302, at(2), True, 30)
    assert answer.url == f"{reverse('appointments:book', args=[held.public_id])}?analysis={urgent.public_id}"


def test_a_click_that_comes_too_late_is_offered_others(
    alice: User, bob: User, two: tuple[Schedule, Schedule], urgent: Analysis, browse: Browse
) -> None:
    diaz = two[1].doctor
    booking.hold(patient=bob, doctor=diaz, start=at(2), length=30, urgent=True)
    sent = {"start": at(2).isoformat(), "length": 30, "analysis": urgent.public_id}
    answer = browse(alice).post(times_of(two[1]), sent)
    assert answer.status_code == 409
    assert offered(answer)[0] == at(2, 9, 30)  # kept for urgent cases as well


def test_a_doctors_page_has_the_same_times(
    alice: User, bob: User, two: tuple[Schedule, Schedule], urgent: Analysis, browse: Browse
) -> None:
    path = f"{reverse('accounts:doctor', args=[two[1].doctor.public_id])}?analysis={urgent.public_id}"
    assert offered(browse(alice).get(path)) == [at(2), at(2, 9, 30), at(2, 10)]
    assert offered(browse(bob).get(path)) == []


def test_what_is_held_already_is_told_and_can_be_given_back(
    alice: User, two: tuple[Schedule, Schedule], urgent: Analysis, browse: Browse
) -> None:
    """Choosing another time gives it back. The result goes along on every way."""
    client = browse(alice)
    assert "You hold" not in text(client.get(address(urgent)))
    hold = booking.hold(patient=alice, doctor=two[1].doctor, start=at(2), length=30, urgent=True)
    page = client.get(address(urgent))
    assert "You hold Wednesday, Dec. 2, 2026, 09:00 with Rafael Díaz" in text(page)
    along = f"?analysis={urgent.public_id}"
    book, release = (reverse(f"appointments:{name}", args=[hold.public_id]) for name in ("book", "release"))
    for shown in (page, client.get(times_of(two[1]) + along)):
        assert f'href="{book}{along}"' in shown.content.decode()
        assert f'action="{release}{along}"' in shown.content.decode()
    assert f'action="{release}{along}"' in client.get(book + along).content.decode()
    assert client.post(release + along).url == times_of(two[1]) + along


def test_near_days_have_names(alice: User, two: object, urgent: Analysis, browse: Browse) -> None:
    with time_machine.travel(at(2, 8), tick=False):
        assert "Today" in text(browse(alice).get(address(urgent)))
    with time_machine.travel(at(1, 23), tick=False):
        assert "Tomorrow" in text(browse(alice).get(address(urgent)))


# What it costs


def test_a_page_asks_the_database_the_same_number_of_times(
    alice: User, urgent: Analysis, browse: Browse
) -> None:
    client, counts = browse(alice), []
    for number in (2, 30):
        for count in range(DoctorProfile.objects.count(), number):
            # Within a week, and later.
            from_day(make_doctor(f"d{count}@example.org", f"Doctor {count}"), (2, 20)[count % 2])
        with CaptureQueriesContext(connection) as queries:
            client.get(address(urgent))
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_what_is_told_of_many_is_what_each_offers(alice: User) -> None:
    doctors = many_doctors(10, closed_days=40)
    WeeklyRule.objects.filter(begins=480).update(for_urgent=True)
    for urgent in (False, True):
        found = availability.next_free_slots(doctors, count=3, urgent=urgent, patient=alice)
        for schedule in Schedule.objects.prefetch_related("rules", "exceptions"):
            free = availability.next_free(schedule, length=15, urgent=urgent, patient=alice)
            assert found[schedule.doctor_id] == free


@pytest.mark.django_db
def test_times_are_looked_for_beyond_the_first_week(alice: User) -> None:
    """One on the last day of the week, the others after the doctor's holidays."""
    schedule = from_day(make_doctor("d@example.org", "Doctor"), 7)
    WeeklyRule.objects.update(begins=6 * 60, ends=6 * 60 + 30)
    ScheduleException.objects.create(
        schedule=schedule,
        kind="off",
        begins=0,
        ends=1440,
        first_day=at(8).date(),
        last_day=at(20).date(),
    )
    found = availability.next_free_slots([schedule.doctor_id], count=3)
    assert [slot.start for slot in found[schedule.doctor_id]] == [at(day, 6) for day in (7, 21, 22)]


@pytest.mark.django_db
def test_200_doctors_take_under_300_ms(alice: User) -> None:
    """Of the processor's time, the best of some: others may be at work on this machine."""
    doctors = many_doctors(200, closed_days=30)
    best = 10.0
    for _ in range(5):
        before = time.process_time()
        found = availability.next_free_slots(doctors, count=3, urgent=True, patient=alice)
        best = min(best, time.process_time() - before)
    assert len(found) == 200
    assert best < 0.3
