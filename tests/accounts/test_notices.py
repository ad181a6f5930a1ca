"""The bell, the list behind it, and the ways that people choose."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts import notices
from accounts.models import Notice, NoticeGroup, NotificationChoice, OutgoingMail, User
from accounts.notices import Way
from accounts.notifications import notify
from tests.mails import sent

Browse = Callable[[User], Client]
LIST = "/notices/"
CHOICES = "/settings/notifications/"


def told(person: User, kind: str = "copy_ready", **context: Any) -> Notice:
    notify(person, kind, **{"link": "https://derma.example/settings/data/?a=1", "days": 7, **context})
    return Notice.objects.filter(recipient=person).latest("pk")


def page(client: Client, address: str = LIST) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_what_is_told_by_mail_stands_in_the_list_too(alice: User, browse: Browse) -> None:
    notice = told(alice)
    assert notice.url == "/settings/data/?a=1"
    assert "The copy of your data is ready" in page(browse(alice))
    assert sent()[0].to == [alice.email]


def test_the_bell_counts_what_is_not_read(alice: User, browse: Browse) -> None:
    client = browse(alice)
    assert "Notices: nothing new" in page(client, "/")
    told(alice)
    told(alice)
    assert "Notices: 2 not read yet" in page(client, "/")
    client.post(f"{LIST}{told(alice).public_id}/", {"stay": "1"})
    assert "Notices: 2 not read yet" in page(client, "/")
    assert browse(alice).post(f"{LIST}read/").status_code == 302
    assert "Notices: nothing new" in page(client, "/")


def test_a_visitor_has_no_bell(client: Client, db: None) -> None:
    assert 'class="bell"' not in page(client, "/")
    assert client.get(LIST).status_code == 302
    assert client.get(CHOICES).status_code == 302


def test_opening_one_marks_it_and_leads_on(alice: User, browse: Browse) -> None:
    notice = told(alice)
    answer = browse(alice).post(f"{LIST}{notice.public_id}/")
    assert answer["Location"] == "/settings/data/?a=1"
    notice.refresh_from_db()
    first = notice.read_at
    assert first
    assert browse(alice).post(f"{LIST}{notice.public_id}/").status_code == 302  # twice is no error
    notice.refresh_from_db()
    assert notice.read_at == first


def test_one_without_a_page_leads_back_to_the_list(alice: User, browse: Browse) -> None:
    notify(alice, "share_ended")
    notice = Notice.objects.get()
    assert notice.url == ""
    assert browse(alice).post(f"{LIST}{notice.public_id}/")["Location"] == LIST


def test_somebody_elses_notice_is_not_there(alice: User, bob: User, browse: Browse) -> None:
    notice = told(alice)
    assert browse(bob).post(f"{LIST}{notice.public_id}/").status_code == 404
    assert "The copy" not in page(browse(bob))
    browse(bob).post(f"{LIST}read/")
    notice.refresh_from_db()
    assert notice.read_at is None


def test_reading_needs_a_post(alice: User, browse: Browse) -> None:
    notice = told(alice)
    assert browse(alice).get(f"{LIST}{notice.public_id}/").status_code == 405
    assert browse(alice).get(f"{LIST}read/").status_code == 405


def test_the_list_has_pages(alice: User, browse: Browse) -> None:
    for _ in range(31):
        told(alice)
    assert "Page 1 of 2" in page(browse(alice))
    assert page(browse(alice), f"{LIST}?page=2").count("The copy of your data is ready") == 1


def test_an_empty_list_says_what_will_stand_there(alice: User, browse: Browse) -> None:
    assert "Nothing yet" in page(browse(alice))


def test_a_notice_names_nobody(eve: User) -> None:
    notice = told(eve, "doctor_suspended", doctor="Jonas Frey", link="/admin/")
    assert "Frey" not in f"{notice.params}"
    assert notices.told([notice])[0].words == "A doctor is suspended."
    assert OutgoingMail.objects.get().subject == "Jonas Frey is suspended"


def test_a_kind_that_is_not_known_any_more_breaks_no_list(alice: User, browse: Browse) -> None:
    Notice.objects.create(recipient=alice, kind="of_long_ago")
    assert "Something has happened in Derma." in page(browse(alice))


@pytest.mark.parametrize("url", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:x"])
def test_a_notice_leads_to_our_own_pages_only(alice: User, url: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Notice.objects.create(recipient=alice, kind="copy_ready", url=url)
    Notice.objects.create(recipient=alice, kind="copy_ready", url="/settings/")


def test_an_account_that_is_switched_off_is_told_nothing(alice: User) -> None:
    alice.is_active = False
    notify(alice, "share_ended")
    assert not Notice.objects.exists()


# The ways


def test_without_a_choice_both_ways_are_taken(chen: User) -> None:
    assert notices.ways(chen, "record_shared") == {Way.EMAIL, Way.IN_APP}


@pytest.mark.parametrize(
    ("chosen", "mails", "in_list"),
    [([], 0, 0), (["email"], 1, 0), (["in_app"], 0, 1), (["email", "in_app"], 1, 1)],
)
def test_each_way_by_itself(chen: User, browse: Browse, chosen: list[str], mails: int, in_list: int) -> None:
    answer = browse(chen).post(CHOICES, {"sharing": chosen, "visits": ["email"], "reminders": []})
    assert answer.status_code == 302
    notify(chen, "record_shared", link="/patients/")
    assert (OutgoingMail.objects.count(), Notice.objects.count()) == (mails, in_list)
    again = browse(chen).get(CHOICES).content.decode()
    assert again.count("checked") == len(chosen) + 1


def test_what_concerns_the_account_cannot_be_switched_off(alice: User) -> None:
    nothing: dict[str, list[str]] = {group.value: [] for group in notices.groups_of(alice)}
    notices.choose(user=alice, chosen=nothing)
    told(alice)
    assert (OutgoingMail.objects.count(), Notice.objects.count()) == (1, 1)


def test_only_the_groups_that_concern_somebody_are_offered(alice: User, eve: User, browse: Browse) -> None:
    assert notices.groups_of(alice) == [NoticeGroup.VISITS, NoticeGroup.REMINDERS]
    assert "Sharing: what patients open" not in page(browse(alice), CHOICES)
    assert "nothing that could be switched off" in page(browse(eve), CHOICES)
    browse(alice).post(CHOICES, {"sharing": ["email"], "visits": [], "reminders": []})
    assert not NotificationChoice.objects.filter(group="sharing").exists()


def test_a_way_that_does_not_exist_gets_its_sentence(alice: User, browse: Browse) -> None:
    answer = browse(alice).post(CHOICES, {"visits": ["pigeon"]})
    assert answer.status_code == 422
    assert "There is no such way. Choose from the list." in answer.content.decode()
    assert not NotificationChoice.objects.exists()


def test_a_choice_is_there_once(alice: User) -> None:
    NotificationChoice.objects.create(user=alice, group=NoticeGroup.VISITS)
    with pytest.raises(IntegrityError), transaction.atomic():
        NotificationChoice.objects.create(user=alice, group=NoticeGroup.VISITS)
    with pytest.raises(IntegrityError), transaction.atomic():
        NotificationChoice.objects.create(user=alice, group="pigeons")


def test_old_notices_are_forgotten(alice: User) -> None:
    told(alice)
    with time_machine.travel(timezone.now() + timedelta(days=364)):
        notices.forget_old()
        assert Notice.objects.exists()
    with time_machine.travel(timezone.now() + timedelta(days=366)):
        notices.forget_old()
        assert not Notice.objects.exists()


def test_the_copy_of_a_persons_data_has_their_notices(alice: User) -> None:
    from accounts import own_data

    told(alice)
    notices.choose(user=alice, chosen={"visits": ["email"]})
    [row] = own_data.told(alice).rows
    assert "The copy of your data is ready" in row.values()
    [row] = own_data.notification_choices(alice).rows
    assert list(row.values())[1:] == ["yes", "no"]


def test_an_erasure_takes_them_along(alice: User, bob: User) -> None:
    from accounts import erasure

    told(alice)
    kept = told(bob)
    notices.choose(user=alice, chosen={"visits": ["email"]})
    assert erasure.preview(alice).erased["Notices"] == 1
    erasure.erase(person=alice)
    assert list(Notice.objects.all()) == [kept]
    assert not NotificationChoice.objects.exists()
