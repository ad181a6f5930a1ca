"""What both are told about visits: each event, in their language and zone, with the calendar attached."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any

import pytest
import time_machine
import vobject
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation

from accounts import notices as told
from accounts.models import MailStatus, Notice, OutgoingMail, User
from appointments import booking, calendars, notices
from appointments.models import Appointment, Schedule, Status
from appointments.signals import Happened
from tests.appointments.conftest import first_free
from tests.mails import sent

Visit = Callable[..., Appointment]
CLINICAL = ("urgent", "melanom", "lesion", "cancer", "probabilit", "diagnos", "analys", "skin")


def kinds(person: User) -> list[str]:
    """What this person was told by mail, and that it stands in their list too, in the order of time."""
    mails = list(OutgoingMail.objects.filter(recipient=person).values_list("kind", flat=True))
    assert (
        list(Notice.objects.filter(recipient=person).order_by("pk").values_list("kind", flat=True)) == mails
    )
    return mails


def last_mail(person: User) -> EmailMessage:
    return [message for message in sent() if message.to == [person.email]][-1]


def calendar_of(message: EmailMessage) -> Any:
    """The attached calendar, read by another library than the one that wrote it."""
    [part] = [part for part in message.attachments if isinstance(part, Message)]
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    read = vobject.readOne(payload.decode())
    assert part.get_content_type() == "text/calendar"
    assert part.get_param("method") == read.method.value
    assert part.get_filename() == "visit.ics"
    return read


@pytest.fixture
def by_hand(chen_open: Schedule) -> Schedule:
    chen_open.confirms_by_hand = True
    chen_open.save()
    return chen_open


def test_both_are_told_of_a_visit_that_is_confirmed_at_once(alice: User, chen: User, visit: Visit) -> None:
    visit(alice)
    assert kinds(alice) == ["visit_confirmed"] == kinds(chen)


def test_a_hold_is_told_to_nobody(alice: User, chen_open: Schedule) -> None:
    booking.hold(patient=alice, doctor=chen_open.doctor, start=first_free(chen_open), length=30)
    assert not OutgoingMail.objects.exists()
    assert not Notice.objects.exists()


@pytest.mark.usefixtures("by_hand")
def test_a_request_and_its_answer(alice: User, chen: User, visit: Visit) -> None:
    booking.confirm(appointment=visit(alice), by=chen)
    booking.decline(appointment=visit(alice, 8), by=chen, reason="Full")
    expected = ["visit_requested", "visit_confirmed", "visit_requested", "visit_declined"]
    assert kinds(alice) == expected == kinds(chen)


@pytest.mark.usefixtures("by_hand")
def test_a_request_that_nobody_answers(alice: User, chen: User, visit: Visit) -> None:
    expires_at = visit(alice).expires_at
    assert expires_at
    with time_machine.travel(expires_at + timedelta(minutes=1)):
        booking.expire_stale()
    assert kinds(alice) == ["visit_requested", "visit_expired"] == kinds(chen)
    assert calendars_attached() == []


def calendars_attached() -> list[str]:
    return [mail.kind for mail in OutgoingMail.objects.exclude(calendar="")]


def test_a_visit_that_is_moved_flagged_and_cancelled(
    alice: User, chen: User, visit: Visit, chen_open: Schedule
) -> None:
    appointment = visit(alice)
    booking.reschedule(appointment=appointment, by=chen, start=first_free(chen_open, number=9))
    booking.flag_coming(chen)
    booking.cancel(appointment=appointment, by=alice)
    expected = ["visit_confirmed", "visit_moved", "visit_flagged", "visit_cancelled"]
    assert kinds(alice) == expected == kinds(chen)


def test_the_patient_of_a_flagged_visit_is_told_that_it_takes_place(
    alice: User, bob: User, chen: User, visit: Visit
) -> None:
    visit(alice)
    booking.flag_coming(chen)
    later = visit(bob, 9)  # as if booked since: it was never flagged
    booking.unflag_coming(chen)
    assert kinds(alice) == ["visit_confirmed", "visit_flagged", "visit_unflagged"]
    assert kinds(chen) == ["visit_confirmed", "visit_flagged", "visit_confirmed"]
    assert kinds(bob) == ["visit_confirmed"]
    assert "it takes place as planned" in last_mail(alice).body
    booking.cancel(appointment=later, by=bob)
    booking.unflag_coming(chen)
    assert kinds(alice)[-1] == "visit_unflagged"


@pytest.mark.usefixtures("by_hand")
def test_a_flagged_request_is_not_said_to_take_place(alice: User, chen: User, visit: Visit) -> None:
    visit(alice)
    booking.flag_coming(chen)
    booking.unflag_coming(chen)
    mail = last_mail(alice)
    assert mail.subject == "Your doctor can answer you again"
    assert "takes place" not in mail.body


def test_nobody_is_asked_how_it_was_when_the_clock_completes_it(
    alice: User, chen: User, visit: Visit
) -> None:
    appointment = visit(alice)
    with time_machine.travel(appointment.start + timedelta(minutes=5)):
        booking.check_in(appointment=appointment, by=chen)
    with time_machine.travel(appointment.end + timedelta(hours=25)):
        assert booking.complete_left() == 1
    assert kinds(alice) == ["visit_confirmed"] == kinds(chen)


def test_only_the_patient_is_told_that_a_visit_is_completed(alice: User, chen: User, visit: Visit) -> None:
    appointment = visit(alice)
    with time_machine.travel(appointment.start + timedelta(minutes=5)):
        booking.check_in(appointment=appointment, by=chen)
        booking.complete(appointment=appointment, by=chen)
    assert kinds(alice) == ["visit_confirmed", "visit_completed"]
    assert kinds(chen) == ["visit_confirmed"]


def test_what_is_undone_is_told_to_nobody(alice: User, visit: Visit) -> None:
    with transaction.atomic():
        visit(alice)
        transaction.set_rollback(True)
    assert not OutgoingMail.objects.exists()
    assert not Notice.objects.exists()


def test_each_reads_the_time_in_their_own_zone(alice: User, chen: User, visit: Visit) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tokyo")
    User.objects.filter(pk=chen.pk).update(time_zone="America/New_York")
    with time_machine.travel(datetime(2027, 1, 11, 12, 0, tzinfo=UTC)):
        alice.refresh_from_db()
        chen.refresh_from_db()
        start = visit(alice).start
    assert start == datetime(2027, 1, 11, 14, 0, tzinfo=UTC)
    assert "Jan. 11, 2027, 23:00 (JST)" in OutgoingMail.objects.get(recipient=alice).text
    assert "Jan. 11, 2027, 09:00 (EST)" in OutgoingMail.objects.get(recipient=chen).text


def test_a_zone_without_letters_is_named_by_its_offset() -> None:
    with timezone.override("Asia/Dubai"):
        from accounts.templatetags.told import in_zone

        assert in_zone(datetime(2027, 1, 11, 12, 0, tzinfo=UTC)).endswith("16:00 (UTC+04)")


def test_each_is_written_to_in_their_language(
    alice: User, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def noted(name: str, values: dict[str, Any]) -> str:
        asked.append(translation.get_language())
        return render_to_string(name, values)

    monkeypatch.setattr("accounts.notifications.render_to_string", noted)
    User.objects.filter(pk=alice.pk).update(language="de")
    alice.refresh_from_db()
    visit(alice)
    assert asked == ["de", "en"]


@pytest.mark.parametrize("happened", list(Happened))
@pytest.mark.parametrize("is_request", [False, True])
def test_mails_have_no_clinical_words_and_no_names(
    alice: User, chen: User, visit: Visit, happened: Happened, is_request: bool
) -> None:
    appointment = visit(alice, reason="A lesion that may be skin cancer")
    appointment.status = Status.REQUESTED if is_request else appointment.status
    OutgoingMail.objects.all().delete()
    for by in (alice, chen, None):
        notices._tell(appointment, happened, by=by, start_before=appointment.start - timedelta(days=1))
    for mail in OutgoingMail.objects.all():
        other = chen if mail.recipient == alice else alice
        words = f"{mail.subject} {mail.text} {mail.html} {mail.calendar}".lower()
        words = words.replace("derma: decision support for clinicians, not a diagnosis.", "")
        assert [word for word in (*CLINICAL, other.name.lower(), other.email) if word in words] == []
        assert f"/visits/{appointment.public_id}/" in mail.text
        assert f"/visits/{appointment.public_id}/" in mail.html
        assert not re.search(r"\{[%{]|None|  \.", mail.text)


def test_the_words_tell_who_did_it(alice: User, chen: User, visit: Visit) -> None:
    booking.cancel(appointment=visit(alice), by=alice)
    assert last_mail(alice).body.count("You have cancelled your visit on ") == 1
    assert "The visit on " in last_mail(chen).body


def test_a_notice_reads_like_the_mail_and_leads_to_the_visit(alice: User, visit: Visit) -> None:
    appointment = visit(alice)
    [notice] = told.told(told.of(alice))
    assert notice.words in last_mail(alice).body
    assert notice.notice.url == f"/visits/{appointment.public_id}/"
    with timezone.override("Asia/Tokyo"):
        [notice] = told.told(told.of(alice))
    assert "(JST)" in notice.words


# What is attached for calendars


def test_a_confirmation_puts_the_visit_into_the_calendar(alice: User, chen: User, visit: Visit) -> None:
    appointment = visit(alice)
    for person in (alice, chen):
        read = calendar_of(last_mail(person))
        event = read.vevent
        assert read.method.value == "REQUEST"
        assert event.uid.value == calendars.uid(appointment)
        assert (event.dtstart.value, event.dtend.value) == (appointment.start, appointment.end)
        assert event.sequence.value == "0"
        assert event.status.value == "CONFIRMED"
        assert event.attendee.value == f"mailto:{person.email}"
        assert event.organizer.value.startswith("mailto:")
        assert event.url.value.endswith(f"/visits/{appointment.public_id}/")
        assert event.location.value == "At the clinic"


def test_a_change_keeps_the_uid_and_raises_the_sequence(
    alice: User, visit: Visit, chen_open: Schedule
) -> None:
    appointment = visit(alice)
    first = calendar_of(last_mail(alice)).vevent
    booking.reschedule(appointment=appointment, by=alice, start=first_free(chen_open, number=9))
    moved = calendar_of(last_mail(alice))
    assert moved.method.value == "REQUEST"
    assert moved.vevent.uid.value == first.uid.value
    assert moved.vevent.dtstart.value == appointment.start != first.dtstart.value
    booking.cancel(appointment=appointment, by=alice)
    off = calendar_of(last_mail(alice))
    assert (off.method.value, off.vevent.status.value) == ("CANCEL", "CANCELLED")
    assert off.vevent.uid.value == first.uid.value
    sequences = [int(event.sequence.value) for event in (first, moved.vevent, off.vevent)]
    assert sequences == sorted(set(sequences))


def test_a_confirmed_visit_that_is_asked_for_anew_is_tentative(
    alice: User, chen: User, visit: Visit, by_hand: Schedule
) -> None:
    appointment = visit(alice)
    assert not calendars_attached()
    booking.confirm(appointment=appointment, by=chen)
    booking.reschedule(appointment=appointment, by=alice, start=first_free(by_hand, number=9))
    assert calendar_of(last_mail(chen)).vevent.status.value == "TENTATIVE"
    booking.decline(appointment=appointment, by=chen, reason="Full")
    assert calendar_of(last_mail(chen)).method.value == "CANCEL"


def test_each_answer_about_a_moved_visit_is_newer_for_calendars(
    alice: User, chen: User, visit: Visit, by_hand: Schedule
) -> None:
    appointment = visit(alice)
    sequences = []
    booking.confirm(appointment=appointment, by=chen)
    sequences.append(calendar_of(last_mail(alice)).vevent)
    for number in (9, 12):
        booking.reschedule(appointment=appointment, by=alice, start=first_free(by_hand, number=number))
        sequences.append(calendar_of(last_mail(alice)).vevent)
        booking.confirm(appointment=appointment, by=chen)
        sequences.append(calendar_of(last_mail(alice)).vevent)
    numbers = [int(event.sequence.value) for event in sequences]
    assert numbers == sorted(set(numbers))
    assert [event.status.value for event in sequences[-2:]] == ["TENTATIVE", "CONFIRMED"]
    assert len({event.uid.value for event in sequences}) == 1


def test_a_request_that_is_called_off_was_in_no_calendar(
    alice: User, visit: Visit, by_hand: Schedule
) -> None:
    appointment = visit(alice)
    booking.reschedule(appointment=appointment, by=alice, start=first_free(by_hand, number=9))
    booking.cancel(appointment=appointment, by=alice)
    assert calendars_attached() == []


def test_names_with_odd_characters_stay_one_line(alice: User, chen: User, visit: Visit) -> None:
    User.objects.filter(pk=alice.pk).update(name="A;B,C\\ D\u2028ü" + "x" * 80)
    alice.refresh_from_db()
    text = calendars.feed(chen, [(visit(alice), timezone.now())], with_names=True)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert vobject.readOne(text).vevent.summary.value == "Visit: " + alice.name


def test_the_calendar_is_blanked_with_the_mail(alice: User, visit: Visit) -> None:
    visit(alice)
    assert calendars_attached()
    sent()
    assert not OutgoingMail.objects.exclude(status=MailStatus.SENT).exists()
    assert not calendars_attached()
