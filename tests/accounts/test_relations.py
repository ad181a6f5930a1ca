"""Sharing: who may share what with whom, until when, and who is told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import (
    ApplicationStatus,
    CareRelation,
    DoctorApplication,
    OutgoingMail,
    Scope,
    Source,
    User,
)
from accounts.relations import end_all, extend, name_of, revoke, share
from diagnosis.models import Analysis
from tests import mails
from tests.conftest import make_doctor
from tests.test_pages import text

Browse = Callable[[User], Client]
App = Callable[[User], APIClient]
Submit = Callable[..., Analysis]


def tomorrow() -> datetime:
    return timezone.now() + timedelta(days=1)


def code_of(**arguments: Any) -> str:
    """Why `share` refuses."""
    with pytest.raises(ValidationError) as refusal:
        share(**arguments)
    return str(refusal.value.code)


# Sharing


def test_a_whole_record_is_shared_until_it_is_stopped(alice: User, chen: User) -> None:
    relation = share(patient=alice, doctor=chen)
    assert (relation.scope, relation.source, relation.until) == (Scope.RECORD, Source.SHARE, None)
    assert relation.is_in_force
    assert CareRelation.objects.in_force().get() == relation


def test_named_analyses_are_shared_until_a_day(alice: User, chen: User, submit: Submit) -> None:
    analysis = submit(alice)
    relation = share(patient=alice, doctor=chen, items=[analysis.public_id], until=tomorrow())
    assert relation.scope == Scope.NAMED
    assert relation.named_items() == {analysis.public_id}
    with time_machine.travel(tomorrow() + timedelta(seconds=1)):
        assert not relation.is_in_force
        assert not CareRelation.objects.in_force().exists()


def test_a_share_is_with_a_verified_doctor_and_nobody_else(
    alice: User, bob: User, chen: User, frey: User, eve: User
) -> None:
    assert code_of(patient=alice, doctor=alice) == "oneself"
    for other in (bob, frey, eve):
        assert code_of(patient=alice, doctor=other) == "not_verified"
    assert code_of(patient=chen, doctor=chen) == "oneself"
    assert not CareRelation.objects.exists()


def test_only_patients_share(chen: User, diaz: User, eve: User) -> None:
    assert code_of(patient=diaz, doctor=chen) == "not_a_patient"
    assert code_of(patient=eve, doctor=chen) == "not_a_patient"


def test_the_database_too_keeps_a_share_between_two(alice: User) -> None:
    with pytest.raises(IntegrityError, match="relation_between_two"), transaction.atomic():
        CareRelation.objects.create(patient=alice, doctor=alice, scope=Scope.RECORD)


def test_a_share_ends_after_it_begins(alice: User, chen: User) -> None:
    assert code_of(patient=alice, doctor=chen, until=timezone.now()) == "past"
    now = timezone.now()
    with pytest.raises(IntegrityError, match="relation_ends_after_it_begins"), transaction.atomic():
        CareRelation.objects.create(patient=alice, doctor=chen, scope=Scope.RECORD, since=now, until=now)


def test_a_patient_shares_what_is_theirs(alice: User, bob: User, chen: User, submit: Submit) -> None:
    own, of_bob = submit(alice), submit(bob)
    for items in ([of_bob.public_id], [own.public_id, of_bob.public_id], [uuid4()]):
        assert code_of(patient=alice, doctor=chen, items=items) == "not_yours"
    assert code_of(patient=alice, doctor=chen, items=[]) == "nothing_named"


def test_sharing_the_same_again_changes_nothing(alice: User, chen: User, submit: Submit) -> None:
    analysis = submit(alice)
    for items in (None, [analysis.public_id]):
        first = share(patient=alice, doctor=chen, items=items)
        assert share(patient=alice, doctor=chen, items=items) == first
        assert first.history.count() == 1
    assert CareRelation.objects.count() == 2


def test_more_analyses_join_in_a_new_relation(alice: User, chen: User, submit: Submit) -> None:
    first, second = submit(alice, 1), submit(alice, 2)
    before = share(patient=alice, doctor=chen, items=[first.public_id])
    after = share(patient=alice, doctor=chen, items=[second.public_id], until=tomorrow())
    before.refresh_from_db()
    assert not before.is_in_force
    assert before.named_items() == {first.public_id}
    assert after.named_items() == {first.public_id, second.public_id}
    assert CareRelation.objects.in_force().get() == after


def test_what_has_ended_by_itself_is_shared_anew(alice: User, chen: User, submit: Submit) -> None:
    first, second = submit(alice, 1), submit(alice, 2)
    with time_machine.travel(timezone.now() - timedelta(days=3), tick=True):
        old = share(patient=alice, doctor=chen, items=[first.public_id], until=tomorrow())
    new = share(patient=alice, doctor=chen, items=[second.public_id])
    old.refresh_from_db()
    assert old.revoked_at == old.until
    assert new.named_items() == {second.public_id}


def test_two_people_share_with_two_doctors_independently(
    alice: User, bob: User, chen: User, diaz: User
) -> None:
    relations = {share(patient=patient, doctor=doctor) for patient in (alice, bob) for doctor in (chen, diaz)}
    assert len(relations) == 4
    revoke(relation=CareRelation.objects.get(patient=alice, doctor=chen))
    assert CareRelation.objects.in_force().count() == 3


@pytest.mark.django_db(transaction=True)
def test_the_same_click_many_times_is_one_share(alice: User, chen: User, submit: Submit) -> None:
    items = [submit(alice, seed).public_id for seed in range(4)]

    def one(item: UUID) -> None:
        try:
            share(patient=alice, doctor=chen, items=[item])
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, items))
    assert CareRelation.objects.in_force().get().named_items() == set(items)


# Changing and stopping


def test_the_end_of_a_share_can_be_changed(alice: User, chen: User) -> None:
    relation = share(patient=alice, doctor=chen)
    end = tomorrow()
    assert extend(relation=relation, until=end).until == end
    assert extend(relation=relation, until=None).until is None
    with pytest.raises(ValidationError, match="must lie in the future"):
        extend(relation=relation, until=timezone.now() - timedelta(minutes=1))


def test_what_is_over_is_not_prolonged(alice: User, chen: User) -> None:
    relation = share(patient=alice, doctor=chen)
    revoke(relation=relation)
    with pytest.raises(ValidationError, match="has ended"):
        extend(relation=relation, until=None)


def test_stopping_twice_is_no_error(alice: User, chen: User) -> None:
    relation = share(patient=alice, doctor=chen)
    revoke(relation=relation)
    stopped = relation.revoked_at
    revoke(relation=relation)
    relation.refresh_from_db()
    assert relation.revoked_at == stopped
    assert not relation.is_in_force


def test_one_analysis_is_taken_out_of_a_share(alice: User, chen: User, submit: Submit) -> None:
    first, second = submit(alice, 1), submit(alice, 2)
    end = tomorrow()
    relation = share(patient=alice, doctor=chen, items=[first.public_id, second.public_id], until=end)
    left = revoke(relation=relation, item=first.public_id)
    assert left is not None
    assert left.named_items() == {second.public_id}
    assert left.until == end
    assert revoke(relation=left, item=uuid4()) == left
    assert revoke(relation=left, item=second.public_id) is None
    assert not CareRelation.objects.in_force().exists()


def test_what_a_visit_opens_is_not_stopped_here(alice: User, chen: User) -> None:
    visit = CareRelation.objects.create(
        patient=alice, doctor=chen, scope=Scope.RECORD, source=Source.VISIT, until=tomorrow()
    )
    with pytest.raises(ValidationError, match="belongs to a visit"):
        revoke(relation=visit)
    with pytest.raises(ValidationError):
        extend(relation=visit, until=None)
    assert visit.is_in_force


def test_whoever_leaves_ends_all_of_theirs(alice: User, bob: User, chen: User, diaz: User) -> None:
    for patient in (alice, bob):
        for doctor in (chen, diaz):
            share(patient=patient, doctor=doctor)
    assert end_all(person=alice, why="erased") == 2
    assert end_all(person=chen, why="erased") == 1
    (left,) = CareRelation.objects.in_force()
    assert (left.patient, left.doctor) == (bob, diaz)
    assert set(CareRelation.history.values_list("history_change_reason", flat=True)) == {"shared", "erased"}


# Who and why, and who is told


def test_every_version_says_who_and_why(alice: User, chen: User) -> None:
    relation = share(patient=alice, doctor=chen)
    extend(relation=relation, until=tomorrow())
    revoke(relation=relation)
    versions = list(relation.history.order_by("pk"))
    assert [version.history_change_reason for version in versions] == ["shared", "end changed", "stopped"]
    assert {version.history_user for version in versions} == {alice}
    assert versions[0].until is None
    assert versions[1].until is not None


def test_the_doctor_is_told_without_a_name(alice: User, chen: User) -> None:
    relation = share(patient=alice, doctor=chen)
    extend(relation=relation, until=tomorrow())
    revoke(relation=relation)
    told = mails.sent()
    assert [mail.to for mail in told] == [[chen.email]] * 3
    assert ["shared something" in told[0].subject, "another end" in told[1].subject] == [True, True]
    assert "stopped sharing" in told[2].subject
    for mail in told:
        html = str(mail.alternatives[0][0])  # type: ignore[attr-defined]
        assert "Hello Mei Chen" in str(mail.body)
        assert "Hello Mei Chen" in html
        for words in (mail.subject, str(mail.body), html):
            assert "Alice" not in words
            assert "Sommer" not in words


# Who reads of a relation


def test_a_relation_is_known_to_its_two_people(
    alice: User, bob: User, chen: User, diaz: User, eve: User
) -> None:
    relation = share(patient=alice, doctor=chen)
    for knows, user in ((True, alice), (True, chen), (False, bob), (False, diaz), (False, eve)):
        assert CareRelation.objects.visible_to(user).exists() is knows
    revoke(relation=relation)
    assert CareRelation.objects.visible_to(alice).exists()
    assert not CareRelation.objects.visible_to(chen).exists()


def test_people_are_called_by_name_and_title(alice: User, chen: User) -> None:
    assert name_of(alice) == "Alice Sommer"
    chen.doctor_profile.title = "Dr. med."
    assert name_of(chen) == "Dr. med. Mei Chen"
    assert name_of(User(name="")) == "Somebody whose account was erased"


# Pages


def test_an_analysis_is_shared_in_three_steps(
    alice: User, chen: User, submit: Submit, browse: Browse
) -> None:
    analysis = submit(alice, body_site="face")
    client = browse(alice)
    found = client.get(f"/share/?analysis={analysis.public_id}&name=chen")
    assert "Mei Chen" in text(found)
    address = f"/share/?analysis={analysis.public_id}&doctor={chen.public_id}"
    assert address.removeprefix("/share/").replace("&", "&amp;") in found.content.decode()
    page = client.get(address).content.decode()
    assert f'value="{analysis.public_id}"' in page
    assert page.count("checked") == 2  # the analysis, and “only the analyses that I choose”
    done = client.post(address, {"scope": "named", "items": [str(analysis.public_id)]}, follow=True)
    assert "Mei Chen can open this now." in text(done)
    assert CareRelation.objects.get().named_items() == {analysis.public_id}
    assert "Face" in text(done)


def test_the_last_day_counts_to_its_end_where_the_patient_lives(
    alice: User, chen: User, browse: Browse
) -> None:
    alice.time_zone = "Pacific/Auckland"
    alice.save()
    day = timezone.localdate() + timedelta(days=10)
    client = browse(alice)
    client.post(f"/share/?doctor={chen.public_id}", {"scope": "record", "until": day.isoformat()})
    until = CareRelation.objects.get().until
    assert until is not None
    with timezone.override("Pacific/Auckland"):
        assert timezone.localtime(until).date() == day + timedelta(days=1)
        assert timezone.localtime(until).time().isoformat() == "00:00:00"
    end = client.get(f"/settings/sharing/{CareRelation.objects.get().public_id}/")
    assert f'value="{day.isoformat()}"' in end.content.decode()


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({}, "Choose one of the two."),
        ({"scope": "named"}, "Choose at least one analysis, or share the whole record."),
        ({"scope": "record", "until": "2001-01-31"}, "This day is over."),
        ({"scope": "record", "until": "9999-12-31"}, "This day is too far away."),
        ({"scope": "record", "until": "soon"}, "Give the day as year, month and day"),
    ],
)
def test_a_refused_share_says_why(
    alice: User, chen: User, browse: Browse, answers: dict[str, str], sentence: str
) -> None:
    response = browse(alice).post(f"/share/?doctor={chen.public_id}", answers)
    assert response.status_code == 422
    assert text(response).count(sentence) >= 2
    assert not CareRelation.objects.exists()


def test_a_refusal_loses_no_answer(alice: User, chen: User, submit: Submit, browse: Browse) -> None:
    first, second = submit(alice, 1), submit(alice, 2)
    answers = {"scope": "named", "items": [str(second.public_id)], "until": "2001-01-31"}
    page = browse(alice).post(f"/share/?doctor={chen.public_id}", answers).content.decode()
    ticked = [part for part in page.split("<input") if "checked" in part.split(">")[0]]
    assert any(str(second.public_id) in part for part in ticked)
    assert not any(str(first.public_id) in part for part in ticked)
    assert 'value="2001-01-31"' in page


def test_sharing_with_an_unverified_doctor_is_refused_with_a_sentence(
    alice: User, frey: User, browse: Browse
) -> None:
    response = browse(alice).post(f"/share/?doctor={frey.public_id}", {"scope": "record"})
    assert response.status_code == 422
    assert "not a verified doctor" in text(response)


def test_another_patients_analysis_cannot_be_shared(
    alice: User, bob: User, chen: User, submit: Submit, browse: Browse
) -> None:
    stranger = submit(bob).public_id
    page = browse(alice).get(f"/share/?doctor={chen.public_id}&analysis={stranger}")
    assert f'value="{stranger}"' not in page.content.decode()
    answers = {"scope": "named", "items": [str(stranger)]}
    assert browse(alice).post(f"/share/?doctor={chen.public_id}", answers).status_code == 422
    assert not CareRelation.objects.exists()


def test_who_is_no_doctor_is_not_found(alice: User, bob: User, eve: User, browse: Browse) -> None:
    for other in (bob.public_id, eve.public_id, uuid4(), "nonsense"):
        assert browse(alice).get(f"/share/?doctor={other}").status_code == 404


def test_the_search_finds_verified_doctors_only(alice: User, chen: User, frey: User, browse: Browse) -> None:
    assert "Nobody of this name" in text(browse(alice).get("/share/?name=frey"))
    assert "Mei Chen" in text(browse(alice).get("/share/?name=CHEN"))
    assert "Mei Chen" not in text(browse(alice).get("/share/"))
    share(patient=alice, doctor=chen)
    assert "Mei Chen" in text(browse(alice).get("/share/"))


def test_the_page_of_shares_shows_and_stops_them(
    alice: User, chen: User, diaz: User, submit: Submit, browse: Browse
) -> None:
    first, second = submit(alice, 1), submit(alice, 2)
    whole = share(patient=alice, doctor=chen)
    named = share(patient=alice, doctor=diaz, items=[first.public_id, second.public_id])
    client = browse(alice)
    page = text(client.get("/settings/sharing/"))
    assert "Mei Chen Your whole record · until you stop it" in page
    assert "Rafael Díaz 2 analyses · until you stop it" in page
    one = {"item": str(first.public_id)}
    done = client.post(f"/settings/sharing/{named.public_id}/stop/", one, follow=True)
    assert "What else you share with Rafael Díaz stays open to them." in text(done)
    assert CareRelation.objects.in_force().get(doctor=diaz).named_items() == {second.public_id}
    done = client.post(f"/settings/sharing/{whole.public_id}/stop/", follow=True)
    assert "Mei Chen cannot open anything of yours any more." in text(done)
    assert "What has ended" in text(done)
    assert CareRelation.objects.in_force().get().doctor == diaz


def test_the_page_of_shares_asks_the_database_few_times(
    alice: User, submit: Submit, browse: Browse, django_assert_max_num_queries: Any
) -> None:
    for number in range(6):
        doctor = make_doctor(f"d{number}@example.org", f"Doctor {number}")
        share(patient=alice, doctor=doctor, items=[submit(alice, number).public_id])
    client = browse(alice)
    client.get("/settings/sharing/")
    with django_assert_max_num_queries(10):
        assert "Doctor 5" in text(client.get("/settings/sharing/"))


def test_the_page_says_when_a_doctor_is_not_verified_any_more(
    alice: User, chen: User, browse: Browse
) -> None:
    share(patient=alice, doctor=chen)
    words = "nothing is open to them"
    assert words not in text(browse(alice).get("/settings/sharing/"))
    DoctorApplication.objects.get(doctor=chen).move(ApplicationStatus.SUSPENDED, by=None, reason="Asked to.")
    assert words in text(browse(alice).get("/settings/sharing/"))


def test_the_last_day_is_changed_on_its_page(alice: User, chen: User, browse: Browse) -> None:
    relation = share(patient=alice, doctor=chen)
    address = f"/settings/sharing/{relation.public_id}/"
    client = browse(alice)
    assert client.post(address, {"until": "2001-01-31"}).status_code == 422
    day = date.today() + timedelta(days=7)  # noqa: DTZ011
    assert client.post(address, {"until": day.isoformat()}).status_code == 302
    relation.refresh_from_db()
    assert relation.until is not None
    revoke(relation=relation)
    over = client.post(address, {"until": ""})
    assert over.status_code == 422
    assert "This share has ended" in text(over)


def test_nobody_else_changes_a_share(alice: User, bob: User, chen: User, eve: User, browse: Browse) -> None:
    relation = share(patient=alice, doctor=chen)
    address = f"/settings/sharing/{relation.public_id}/"
    for user, status in ((bob, 404), (chen, 403), (eve, 403)):
        client = browse(user)
        assert client.get(address).status_code == status
        assert client.post(address, {"until": ""}).status_code == status
        assert client.post(f"{address}stop/").status_code == status
    for path in ("/share/", "/settings/sharing/"):
        assert browse(chen).get(path).status_code == 403
        assert Client().get(path).status_code == 302
    relation.refresh_from_db()
    assert relation.is_in_force


def test_without_shares_the_pages_say_what_to_do(alice: User, browse: Browse) -> None:
    assert "Nothing is shared" in text(browse(alice).get("/settings/sharing/"))
    assert "Choose the doctor first" in text(browse(alice).get("/share/"))


# API

SHARES = "/api/v1/shares/"


def test_an_app_shares_lists_and_stops(alice: User, chen: User, submit: Submit, app_of: App) -> None:
    item = str(submit(alice).public_id)
    client = app_of(alice)
    named = {"doctor": str(chen.public_id), "scope": "named", "analyses": [item]}
    made = client.post(SHARES, named)
    assert made.status_code == 201
    body = made.json()
    assert body["doctor"] == {"id": str(chen.public_id), "name": "Mei Chen"}
    assert (body["scope"], body["analyses"], body["in_force"]) == ("named", [item], True)
    everything = {"doctor": str(chen.public_id), "scope": "record", "until": tomorrow().isoformat()}
    whole = client.post(SHARES, everything).json()
    assert (whole["scope"], whole["analyses"]) == ("record", [])
    assert [row["id"] for row in client.get(SHARES).json()["results"]] == [whole["id"], body["id"]]
    assert client.delete(f"{SHARES}{body['id']}/").status_code == 204
    assert client.delete(f"{SHARES}{body['id']}/").status_code == 204
    assert [row["in_force"] for row in client.get(SHARES).json()["results"]] == [True, False]


def test_an_app_is_told_what_is_wrong_with_which_field(
    alice: User, bob: User, frey: User, submit: Submit, app_of: App
) -> None:
    client = app_of(alice)
    doctor = str(make_doctor("chen@example.org", "Mei Chen").public_id)
    record = {"doctor": doctor, "scope": "record"}
    named = {"doctor": doctor, "scope": "named"}
    stranger = [str(submit(bob).public_id)]
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"scope": "record"}, "doctor", "required"),
        ({"doctor": doctor}, "scope", "required"),
        ({**record, "scope": "all"}, "scope", "invalid_choice"),
        ({**record, "doctor": "nonsense"}, "doctor", "invalid"),
        ({**record, "doctor": str(uuid4())}, "doctor", "not_verified"),
        ({**record, "doctor": str(bob.public_id)}, "doctor", "not_verified"),
        ({**record, "doctor": str(frey.public_id)}, "doctor", "not_verified"),
        ({**record, "doctor": str(alice.public_id)}, "doctor", "oneself"),
        ({**record, "analyses": stranger}, "analyses", "not_named"),
        (named, "analyses", "nothing_named"),
        ({**named, "analyses": []}, "analyses", "nothing_named"),
        ({**named, "analyses": stranger}, "analyses", "not_yours"),
        ({**record, "until": "2001-01-31T00:00:00Z"}, "until", "past"),
        ({**record, "until": "9999-12-31T23:59:59Z"}, "until", "too_far"),
    ]
    for body, field, code in wrong:
        answer = client.post(SHARES, body)
        assert answer.status_code == 400
        assert [(row["field"], row["code"]) for row in answer.json()["errors"]] == [(field, code)]
        assert answer.json()["detail"]
    assert not CareRelation.objects.exists()


def test_apps_of_others_see_and_stop_nothing(
    alice: User, bob: User, chen: User, eve: User, app_of: App
) -> None:
    relation = share(patient=alice, doctor=chen)
    address = f"{SHARES}{relation.public_id}/"
    assert app_of(bob).get(SHARES).json()["results"] == []
    assert app_of(bob).delete(address).status_code == 404
    for user in (chen, eve):
        assert app_of(user).get(SHARES).status_code == 403
        assert app_of(user).delete(address).status_code == 403
    assert APIClient().delete(address).status_code == 401
    relation.refresh_from_db()
    assert relation.is_in_force


def test_a_name_that_no_database_takes_is_refused(browse: Browse, alice: User) -> None:
    answer = browse(alice).get("/share/?name=che%00n")
    assert (answer.status_code, "Null characters are not allowed." in text(answer)) == (422, True)


def test_the_mail_says_no_more_than_that_the_share_has_ended(alice: User, chen: User) -> None:
    revoke(relation=share(patient=alice, doctor=chen))  # a visit may keep the record open
    mail = OutgoingMail.objects.get(kind="share_ended")
    for words in (mail.text, mail.html):
        assert "This share has ended." in words
        assert "cannot open" not in words
