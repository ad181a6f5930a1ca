"""The pages of a doctor's hours, as a browser without scripts uses them."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from accounts.models import AccessEvent, Opened, User
from appointments import booking, hours
from appointments.models import Appointment, Schedule, ScheduleException, Status, WeeklyRule, schedule_of
from appointments.slots import Hours, Rule
from tests.appointments.conftest import first_free, open_hours

Browse = Callable[[User], Client]
Booked = Callable[[User, int], Appointment]
NOW = datetime(2026, 6, 1, 6, 0, tzinfo=UTC)  # a Monday, 8 o'clock in Zurich
WEEK, TERMS, DAYS = "/settings/hours/", "/settings/hours/terms/", "/settings/hours/exceptions/"
ADD, PREVIEW = "/settings/hours/exceptions/add/", "/settings/hours/preview/"
PAGES = (WEEK, TERMS, DAYS, ADD, PREVIEW)


@pytest.fixture(autouse=True)
def _on_a_monday() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def mondays(chen: User) -> Schedule:
    """Dr Chen sees patients on Mondays from 9 to 12."""
    schedule = open_hours(chen)
    WeeklyRule.objects.all().delete()
    return hours.set_week(schedule=schedule, rules=[Rule(0, Hours(540, 720, "clinic"))], by=chen)


@pytest.fixture
def visit(mondays: Schedule) -> Booked:
    """A visit of this patient at the free time of that number, from now on."""

    def made(patient: User, number: int) -> Appointment:
        start = first_free(Schedule.objects.get(pk=mondays.pk), number=number)
        held = booking.hold(patient=patient, doctor=mondays.doctor, start=start, length=30)
        return booking.book(hold=held)

    return made


@pytest.fixture
def booked(mondays: Schedule, visit: Booked) -> Booked:
    """The same, from the coming Monday on."""
    hours.set_terms(schedule=mondays, by=mondays.doctor, notice_hours=24)
    return visit


def row(number: int, weekday: int | None, begins: str, ends: str, **others: str) -> dict[str, Any]:
    """A row as a browser sends it."""
    values = {
        "begins": begins,
        "ends": ends,
        "place": "clinic",
        "valid_from": "",
        "valid_until": "",
        **others,
    }
    if weekday is not None:
        values["weekday"] = str(weekday)
    return {"row": [f"i{number}"]} | {f"i{number}-{name}": value for name, value in values.items()}


def rows(*sent: dict[str, Any], **others: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"row": [name for one in sent for name in one["row"]]}
    for one in sent:
        data |= {name: value for name, value in one.items() if name != "row"}
    return data | others


def shown(page: str) -> list[tuple[str, str, str]]:
    """Weekday, from and to of every row on a page of the week."""
    found = []
    for prefix in re.findall(r'name="row" value="(\w+)"', page):
        values = []
        for name in ("weekday", "begins", "ends"):
            tag = re.search(rf'<input[^>]*name="{prefix}-{name}"[^>]*>', page)
            value = re.search(r'value="([^"]*)"', tag.group()) if tag else None
            values.append(value.group(1) if value else "")
        found.append((values[0], values[1], values[2]))
    return found


def sentences(page: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)))


def text_of(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status
    return str(answer.content.decode())


# Who


@pytest.mark.parametrize("page", PAGES)
def test_only_doctors_have_hours(browse: Browse, alice: User, eve: User, client: Client, page: str) -> None:
    assert client.get(page)["Location"] == f"/accounts/login/?next={page}"
    for person in (alice, eve):
        assert browse(person).get(page).status_code == 403
        assert browse(person).post(page).status_code == (405 if page in (DAYS, PREVIEW) else 403)


@pytest.mark.parametrize("page", PAGES)
def test_a_doctor_who_is_not_verified_yet_prepares_them(browse: Browse, frey: User, page: str) -> None:
    assert "once your licence is verified" in text_of(browse(frey).get(page))


def test_who_is_verified_is_not_told_so(browse: Browse, chen: User) -> None:
    assert "once your licence is verified" not in text_of(browse(chen).get(WEEK))


def test_hours_are_a_place_of_the_settings(browse: Browse, chen: User, alice: User) -> None:
    assert f'href="{WEEK}" aria-current="page"' in text_of(browse(chen).get(TERMS))
    assert WEEK not in text_of(browse(alice).get("/settings/"))


def test_everybody_sees_their_own(browse: Browse, mondays: Schedule, diaz: User) -> None:
    exception = hours.add_exception(
        schedule=mondays,
        kind="off",
        first_day=date(2026, 6, 8),
        last_day=date(2026, 6, 8),
        by=mondays.doctor,
        note="To the sea",
    )[0]
    remove = reverse("appointments:hours-exception-remove", args=[exception.public_id])
    client = browse(diaz)
    assert shown(text_of(client.get(WEEK))) == []
    assert "To the sea" not in text_of(client.get(DAYS))
    assert client.post(remove).status_code == 404
    assert client.get(remove).status_code == 405
    assert ScheduleException.objects.exists()


# The week


def test_the_week_is_shown_and_saved(browse: Browse, mondays: Schedule) -> None:
    client = browse(mondays.doctor)
    page = text_of(client.get(WEEK))
    assert shown(page) == [("0", "09:00", "12:00")]
    assert "3 h" in page
    sent = rows(
        row(0, 0, "09:00", "10:30"),
        row(7, 4, "18:00", "00:00", place="video", for_urgent="on", valid_from="2026-07-01"),
    )
    answer = client.post(WEEK, sent, follow=True)
    assert "Your week is saved." in text_of(answer)
    assert hours.rules_of(mondays) == [
        Rule(0, Hours(540, 630, "clinic")),
        Rule(4, Hours(1080, 1440, "video", for_urgent=True), date(2026, 7, 1)),
    ]
    page = text_of(client.get(WEEK))
    assert shown(page) == [("0", "09:00", "10:30"), ("4", "18:00", "00:00")]
    assert '<details class="interval__days" open>' in page
    assert 'value="2026-07-01"' in page


def test_from_midnight_to_midnight_is_the_whole_day(browse: Browse, mondays: Schedule) -> None:
    browse(mondays.doctor).post(WEEK, rows(row(0, 6, "00:00", "00:00")))
    assert hours.rules_of(mondays) == [Rule(6, Hours(0, 1440, "clinic"))]


def test_an_empty_week_is_a_week(browse: Browse, mondays: Schedule) -> None:
    assert browse(mondays.doctor).post(WEEK, {}).status_code == 302
    assert hours.rules_of(mondays) == []


def test_buttons_change_rows_without_saving(browse: Browse, mondays: Schedule) -> None:
    client = browse(mondays.doctor)
    one = row(0, 0, "09:00", "10:00")
    page = text_of(client.post(WEEK, rows(one, add_hours="2")))
    assert shown(page) == [("0", "09:00", "10:00"), ("2", "09:00", "12:00")]
    assert "Undo what is not saved" in page
    page = text_of(client.post(WEEK, rows(one, row(1, 2, "25:00", "", place="video"), add_hours="2")))
    assert shown(page) == [("0", "09:00", "10:00"), ("2", "25:00", ""), ("2", "", "")]
    assert page.count('<option value="video" selected>') == 2
    assert "errorlist" not in page  # judged when it is saved
    page = text_of(client.post(WEEK, rows(one, row(1, 2, "11:00", "12:00"), take_away="i0")))
    assert shown(page) == [("2", "11:00", "12:00")]
    assert hours.rules_of(mondays) == [Rule(0, Hours(540, 720, "clinic"))]


def test_a_day_is_copied_to_others(browse: Browse, mondays: Schedule) -> None:
    sent = rows(
        row(0, 0, "09:00", "10:00", for_urgent="on"),
        row(1, 0, "11:00", "12:00"),
        row(2, 1, "07:00", "08:00"),
        row(3, 6, "20:00", "21:00"),
    )
    copy = {"copy_day": "0", "to-0-1": "on", "to-0-3": "on", "to-6-2": "on"}
    page = text_of(browse(mondays.doctor).post(WEEK, sent | copy))
    monday = [("09:00", "10:00"), ("11:00", "12:00")]
    expected = [(str(day), *times) for day in (0, 1, 3) for times in monday]
    assert sorted(shown(page)) == sorted([*expected, ("6", "20:00", "21:00")])
    assert "Monday is copied to Tuesday, Thursday. Save the week when it is right." in page
    assert page.count("checked") == 3


@pytest.mark.parametrize(
    ("button", "says"),
    [
        ({"copy_day": "0"}, "Tick the days"),
        ({"copy_day": "9"}, ""),
        ({"add_hours": "monday"}, ""),
        ({"take_away": "i9"}, "Taken away."),
    ],
)
def test_a_button_with_nothing_to_do_loses_nothing(
    browse: Browse, mondays: Schedule, button: dict[str, str], says: str
) -> None:
    page = text_of(browse(mondays.doctor).post(WEEK, rows(row(0, 0, "09:00", "10:00")) | button))
    assert shown(page) == [("0", "09:00", "10:00")]
    assert says in page


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (rows(row(0, 0, "", "10:00")), "Write a time."),
        (rows(row(0, 0, "9 o'clock", "10:00")), "Write the time as hours and minutes, such as 09:30."),
        (rows(row(0, 0, "09:00", "25:00")), "Write the time as hours and minutes, such as 09:30."),
        (rows(row(0, 0, "12:00", "09:00")), "The end must lie after the beginning, on the same day."),
        (rows(row(0, 0, "09:00", "10:00", place="pub")), "Choose a place from the list."),
        (rows(row(0, 0, "09:00", "10:00", valid_from="soon")), "Write the date as year-month-day"),
        (
            rows(row(0, 0, "09:00", "10:00", valid_from="2026-07-02", valid_until="2026-07-01")),
            "The last day must not lie before the first.",
        ),
        (
            rows(row(0, 0, "09:00", "10:00"), row(1, 0, "09:30", "11:00")),
            "On Monday, 09:00\u201310:00 and 09:30\u201311:00 overlap. Change one of them, or join them.",
        ),
        (rows(row(0, 8, "09:00", "10:00")), "Select a valid choice"),
        (rows(*[row(number, 0, "09:00", "10:00") for number in range(101)]), "more than 100 intervals"),
    ],
)
def test_what_is_not_right_is_said_where_it_is(
    browse: Browse, mondays: Schedule, sent: dict[str, Any], sentence: str
) -> None:
    page = text_of(browse(mondays.doctor).post(WEEK, sent), 422)
    assert sentence in sentences(page)
    assert 'role="alert"' in page
    assert "Nothing was saved yet" in page
    assert hours.rules_of(mondays) == [Rule(0, Hours(540, 720, "clinic"))]


def test_errors_lead_to_their_field(browse: Browse, mondays: Schedule) -> None:
    page = text_of(
        browse(mondays.doctor).post(WEEK, rows(row(0, 0, "09:00", "10:00"), row(5, 2, "12:00", "09:00"))), 422
    )
    assert 'href="#id_i5-ends"' in page
    assert 'id="id_i5-ends"' in page
    assert "Wednesday, To" in sentences(page)
    tag = re.search(r'<input[^>]*id="id_i5-ends"[^>]*>', page)
    assert tag
    assert 'aria-invalid="true"' in tag.group()


# Visits in the way


def test_a_change_over_visits_asks_first(
    browse: Browse,
    alice: User,
    bob: User,
    mondays: Schedule,
    booked: Booked,
) -> None:
    of_alice, of_bob = booked(alice, 0), booked(bob, 1)
    client = browse(mondays.doctor)
    sent = rows(row(0, 2, "09:00", "12:00", place="video"))
    page = text_of(client.post(WEEK, sent), 409)
    assert "2 visits that are booked already would lie outside" in sentences(page)
    assert "Mon, June 8, 2026, 09:00\u201309:30 Alice Sommer" in sentences(page)
    assert '<input type="hidden" name="i0-place" value="video">' in page
    assert page.count('name="seen"') == 2
    assert {event.patient for event in AccessEvent.objects.filter(opened=Opened.PATIENTS)} == {alice, bob}
    assert hours.rules_of(mondays)[0].weekday == 0

    seen = {"decided": "1", "seen": [str(of_alice.public_id), str(of_bob.public_id)]}
    page = text_of(client.post(WEEK, sent | seen | {"cancel": [str(of_bob.public_id)]}), 409)
    assert "Say why: the patients read it." in page
    assert len(re.findall(r"checked", page)) == 1
    assert hours.rules_of(mondays)[0].weekday == 0

    decided = seen | {"cancel": [str(of_bob.public_id)], "reason": "I am away."}
    assert client.post(WEEK, sent | decided)["Location"] == WEEK
    of_alice.refresh_from_db()
    of_bob.refresh_from_db()
    assert (of_alice.status, of_bob.status) == (Status.CONFIRMED, Status.CANCELLED_BY_DOCTOR)
    assert of_bob.ended_because == "I am away."
    assert hours.rules_of(mondays)[0].weekday == 2


def test_all_are_cancelled_with_one_tick(
    browse: Browse, alice: User, bob: User, mondays: Schedule, booked: Booked
) -> None:
    visits = [booked(alice, 0), booked(bob, 1)]
    decided = {
        "decided": "1",
        "seen": [str(visit.public_id) for visit in visits],
        "cancel_all": "1",
        "reason": "Closed for good.",
    }
    browse(mondays.doctor).post(WEEK, decided)
    assert set(Appointment.objects.values_list("status", flat=True)) == {Status.CANCELLED_BY_DOCTOR}


def test_what_was_booked_in_the_meantime_is_asked_about(
    browse: Browse, alice: User, bob: User, mondays: Schedule, booked: Booked
) -> None:
    first = booked(alice, 0)
    booked(bob, 1)
    decided = {"decided": "1", "seen": [str(first.public_id), "nonsense"]}
    page = text_of(browse(mondays.doctor).post(WEEK, decided), 409)
    assert "In the meantime something was booked." in page
    assert "Bob Keller" in page


def test_a_day_off_over_visits_asks_too(
    browse: Browse, alice: User, mondays: Schedule, booked: Booked
) -> None:
    visit = booked(alice, 0)
    client = browse(mondays.doctor)
    sent = {"kind": "off", "first_day": "2026-06-08", "note": "Sea"} | row(0, None, "", "")
    assert "Alice Sommer" in text_of(client.post(ADD, sent), 409)
    assert not ScheduleException.objects.exists()
    kept = {"decided": "1", "seen": [str(visit.public_id)]}
    assert client.post(ADD, sent | kept)["Location"] == DAYS
    assert ScheduleException.objects.get().note == "Sea"


def test_removing_extra_hours_over_visits_asks_too(
    browse: Browse, alice: User, mondays: Schedule, visit: Booked
) -> None:
    doctor, day = mondays.doctor, date(2026, 6, 2)
    (extra,) = hours.add_exception(
        schedule=mondays,
        kind="extra",
        first_day=day,
        last_day=day,
        hours=[Hours(540, 600, "video")],
        by=doctor,
    )
    hours.set_terms(schedule=mondays, by=doctor, notice_hours=12)
    seen = visit(alice, 0)
    assert seen.place == "video"
    client = browse(doctor)
    remove = reverse("appointments:hours-exception-remove", args=[extra.public_id])
    assert "Alice Sommer" in text_of(client.post(remove), 409)
    decided = {"decided": "1", "seen": [str(seen.public_id)], "cancel_all": "1", "reason": "Ill"}
    assert "These days are as usual again." in text_of(client.post(remove, decided, follow=True))
    assert not ScheduleException.objects.exists()


def test_a_visit_that_ended_by_then_changes_nothing(
    browse: Browse,
    alice: User,
    mondays: Schedule,
    visit: Booked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The patient cancels at the same moment: everything is undone, and said."""
    doctor, day = mondays.doctor, date(2026, 6, 2)
    (extra,) = hours.add_exception(
        schedule=mondays,
        kind="extra",
        first_day=day,
        last_day=day,
        hours=[Hours(540, 600, "video")],
        by=doctor,
    )
    hours.set_terms(schedule=mondays, by=doctor, notice_hours=12)
    seen = visit(alice, 0)
    monkeypatch.setattr(Appointment, "move", lambda self, to, **others: False)
    decided = {"decided": "1", "seen": [str(seen.public_id)], "cancel_all": "1", "reason": "Ill"}
    remove = reverse("appointments:hours-exception-remove", args=[extra.public_id])
    assert "This cannot be done now" in text_of(browse(doctor).post(remove, decided, follow=True))
    assert ScheduleException.objects.exists()


# Other days


def test_days_are_added_listed_and_removed(browse: Browse, mondays: Schedule) -> None:
    client = browse(mondays.doctor)
    assert "Every week is as usual" in text_of(client.get(DAYS))
    sent = {"kind": "changed", "first_day": "2026-07-06", "last_day": "2026-07-08", "note": "Locum"} | rows(
        row(0, None, "08:00", "09:00", place="video"),
        row(1, None, "20:00", "00:00", for_urgent="on"),
        row(2, None, "", ""),
    )
    page = sentences(text_of(client.post(ADD, sent, follow=True)))
    assert "Mon, July 6, 2026 to Wed, July 8, 2026" in page
    assert "Other hours than usual, 08:00\u201309:00 · By video" in page
    assert "20:00\u201324:00 · At the clinic · kept for urgent cases" in page
    assert page.count("Locum") == 2
    exception = ScheduleException.objects.get(begins=480)
    client.post(reverse("appointments:hours-exception-remove", args=[exception.public_id]))
    assert ScheduleException.objects.count() == 1


def test_days_that_are_over_are_not_listed(browse: Browse, mondays: Schedule) -> None:
    day = NOW.date() - timedelta(days=1)
    ScheduleException.objects.create(
        schedule=mondays, kind="off", first_day=day, last_day=day, begins=0, ends=1440, note="Over"
    )
    assert "Over" not in text_of(browse(mondays.doctor).get(DAYS))


def test_rows_of_other_days_are_added_and_taken_away(browse: Browse, mondays: Schedule) -> None:
    client = browse(mondays.doctor)
    sent = {"kind": "extra", "first_day": "2026-07-06", "last_day": "", "note": "A note"}
    page = text_of(client.post(ADD, sent | rows(row(0, None, "08:00", "09:00"), add_hours="row")))
    assert shown(page) == [("", "08:00", "09:00"), ("", "", "")]
    assert 'value="A note"' in page
    assert re.search(r'value="extra"[^>]*checked', page)
    assert "errorlist" not in page
    page = text_of(client.post(ADD, sent | rows(row(0, None, "08:00", "09:00"), take_away="i0")))
    assert shown(page) == []
    assert not ScheduleException.objects.exists()


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"kind": ""}, "Choose what is different."),
        ({"kind": "party"}, "Choose what is different."),
        ({"first_day": ""}, "Choose a day."),
        ({"first_day": "tomorrow"}, "Write the date as year-month-day, such as 2030-12-31."),
        ({"last_day": "2026-06-07"}, "The last day must not lie before the first."),
        ({"first_day": "2026-05-01", "last_day": "2026-05-02"}, "These days are over. Choose days to come."),
        ({"last_day": "2036-01-01"}, "This lies too far ahead: at most three years."),
        ({"kind": "extra"}, "Say from when to when you are open."),
        ({"kind": "extra"} | row(0, None, "09:00", ""), "Write a time."),
        ({"kind": "extra"} | row(0, None, "", "10:00"), "Write a time."),
        ({"kind": "extra"} | row(0, None, "10:00", "09:00"), "The end must lie after the beginning"),
        ({"note": "x" * 201}, "at most 200 characters"),
        (
            {"kind": "extra"}
            | rows(row(0, None, "", ""), row(1, None, "09:00", "10:00"), row(2, None, "09:00", "10:00")),
            "09:00\u201310:00 and 09:00\u201310:00 overlap.",
        ),
    ],
)
def test_days_that_cannot_be_are_refused(
    browse: Browse, mondays: Schedule, sent: dict[str, Any], sentence: str
) -> None:
    usual = {"kind": "off", "first_day": "2026-06-08", "last_day": "2026-06-09"} | row(0, None, "", "")
    page = text_of(browse(mondays.doctor).post(ADD, usual | sent), 422)
    assert sentence in sentences(page)
    assert not ScheduleException.objects.exists()


# Terms


def all_terms(**others: Any) -> dict[str, Any]:
    terms = {
        "lengths": ["15", "45"],
        "buffer_before": "5",
        "buffer_after": "10",
        "visits_a_day": "",
        "notice_hours": "48",
        "horizon_days": "90",
        "release_hours": "12",
        "cancel_hours": "24",
        "confirms_by_hand": "on",
        "time_zone": "America/New_York",
    }
    return terms | others


def test_terms_are_shown_and_saved(browse: Browse, mondays: Schedule) -> None:
    client = browse(mondays.doctor)
    assert '<option value="Europe/Zurich" selected>' in text_of(client.get(TERMS))
    assert "Saved." in text_of(client.post(TERMS, all_terms(), follow=True))
    mondays.refresh_from_db()
    assert (mondays.lengths, mondays.buffer_after, mondays.visits_a_day) == ([15, 45], 10, None)
    assert (mondays.confirms_by_hand, mondays.time_zone) == (True, "America/New_York")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("lengths", [], "Choose at least one length from the list."),
        ("lengths", ["20"], "Choose at least one length from the list."),
        ("time_zone", "Europe/Atlantis", "This time zone is not known. Choose one from the list."),
        ("buffer_before", "121", "Write a whole number from 0 to 120."),
        ("buffer_after", "-1", "Write a whole number from 0 to 120."),
        ("visits_a_day", "0", "Write a whole number from 1 to 100."),
        ("notice_hours", "", "Write a whole number from 0 to 720."),
        ("notice_hours", "two", "Write a whole number from 0 to 720."),
        ("horizon_days", "0", "Write a whole number from 1 to 365."),
        ("release_hours", "337", "Write a whole number from 0 to 336."),
        ("cancel_hours", "1.5", "Write a whole number from 0 to 336."),
    ],
)
def test_terms_that_cannot_be_are_refused(
    browse: Browse, mondays: Schedule, field: str, value: Any, sentence: str
) -> None:
    page = text_of(browse(mondays.doctor).post(TERMS, all_terms(**{field: value})), 422)
    assert sentence in sentences(page)
    mondays.refresh_from_db()
    assert mondays.notice_hours == 0


def test_another_zone_over_visits_asks_first(
    browse: Browse, alice: User, mondays: Schedule, booked: Booked
) -> None:
    visit = booked(alice, 0)
    client = browse(mondays.doctor)
    page = text_of(client.post(TERMS, all_terms()), 409)
    assert "Alice Sommer" in page
    assert page.count('name="lengths"') == 2  # everything is carried over the question
    client.post(TERMS, all_terms(decided="1", seen=[str(visit.public_id)]))
    mondays.refresh_from_db()
    assert mondays.time_zone == "America/New_York"


# As patients see it


def test_the_preview_shows_what_patients_are_offered(
    browse: Browse, alice: User, mondays: Schedule, booked: Booked
) -> None:
    booked(alice, 1)
    page = sentences(text_of(browse(mondays.doctor).get(PREVIEW)))
    assert "Monday, June 8 5 free 09:00 clinic 10:00 clinic" in page
    assert "Tuesday, June 9 nothing free" in page
    assert "Earlier weeks" not in page
    assert "Later weeks" in page
    hour = sentences(text_of(browse(mondays.doctor).get(PREVIEW, {"length": 60})))
    assert "Monday, June 8 3 free 10:00 clinic 10:30 clinic 11:00 clinic" in hour


def test_the_preview_goes_on_to_the_horizon(browse: Browse, mondays: Schedule) -> None:
    client = browse(mondays.doctor)
    later = sentences(text_of(client.get(PREVIEW, {"since": "2026-07-27"})))
    assert "Monday, July 27 6 free" in later
    assert "Earlier weeks" in later
    assert "Later weeks" not in later
    assert "August" not in later  # 60 days from the first of June


@pytest.mark.parametrize(
    "asked",
    [{"length": "20"}, {"length": "x", "since": "y"}, {"since": "0001-01-01"}, {"since": "9999-12-31"}],
)
def test_the_preview_takes_what_it_understands(
    browse: Browse, mondays: Schedule, asked: dict[str, str]
) -> None:
    assert "free" in text_of(browse(mondays.doctor).get(PREVIEW, asked))


def test_a_week_without_hours_has_an_empty_preview(browse: Browse, frey: User) -> None:
    schedule_of(frey)
    assert "Nothing is free in these weeks" in text_of(browse(frey).get(PREVIEW))
