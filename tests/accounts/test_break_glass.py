"""Emergencies: an administrator opens a record for a reason, for a short time, and the patient knows."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.break_glass import break_glass, close_glass, glass_of
from accounts.models import AccessEvent, BreakGlass, User
from diagnosis.models import Analysis
from tests import mails
from tests.test_pages import text

Browse = Callable[[User], Client]
Submit = Callable[..., Analysis]

REASON = "She was found unconscious."
ADD = "/admin/accounts/breakglass/add/"
LIST = "/admin/accounts/breakglass/"


def refusal(**arguments: Any) -> dict[str, list[str]]:
    """What `break_glass` refuses, by field."""
    with pytest.raises(ValidationError) as refused:
        break_glass(**arguments)
    return refused.value.message_dict


# The service


def test_a_record_is_open_for_a_time(alice: User, bob: User, eve: User) -> None:
    glass = break_glass(admin=eve, patient=alice, reason=REASON, minutes=30)
    assert glass.until - glass.opened_at == timedelta(minutes=30)
    assert glass_of(eve, alice) == glass
    assert glass_of(eve, bob) is None
    assert glass_of(alice, alice) is None
    with time_machine.travel(glass.until):
        assert glass_of(eve, alice) is None


@pytest.mark.parametrize("who", ["alice", "chen"])
def test_only_administrators_break_glass(who: str, bob: User, request: pytest.FixtureRequest) -> None:
    with pytest.raises(PermissionDenied):
        break_glass(admin=request.getfixturevalue(who), patient=bob, reason=REASON, minutes=5)


def test_an_administrator_who_was_switched_off_does_not(alice: User, eve: User) -> None:
    eve.is_active = False
    with pytest.raises(PermissionDenied):
        break_glass(admin=eve, patient=alice, reason=REASON, minutes=5)


def test_a_reason_a_patient_and_a_bounded_time_are_needed(
    alice: User, chen: User, eve: User, settings: Any
) -> None:
    settings.DERMA_BREAK_GLASS_MINUTES = 60
    for reason in ("", "   ", "because  "):
        assert refusal(admin=eve, patient=alice, reason=reason, minutes=5).keys() == {"reason"}
    for minutes in (0, -1, 61):
        assert refusal(admin=eve, patient=alice, reason=REASON, minutes=minutes).keys() == {"minutes"}
    for other in (chen, eve):
        assert refusal(admin=eve, patient=other, reason=REASON, minutes=5).keys() == {"patient"}
    assert not BreakGlass.objects.exists()
    assert break_glass(admin=eve, patient=alice, reason=REASON, minutes=60)


def test_no_setting_makes_it_longer_than_a_day(alice: User, eve: User, settings: Any) -> None:
    settings.DERMA_BREAK_GLASS_MINUTES = 10_000
    assert refusal(admin=eve, patient=alice, reason=REASON, minutes=1441).keys() == {"minutes"}
    assert break_glass(admin=eve, patient=alice, reason=REASON, minutes=1440)


def test_the_database_keeps_these_rules_too(alice: User, eve: User) -> None:
    now = timezone.now()
    good = {"admin": eve, "patient": alice, "reason": REASON, "opened_at": now}
    soon = now + timedelta(minutes=5)
    wrong = [
        {**good, "until": soon, "reason": ""},
        {**good, "until": soon, "patient": eve},
        {**good, "until": now},
        {**good, "until": now + timedelta(hours=25)},
    ]
    for fields in wrong:
        with pytest.raises(IntegrityError, match="break_glass"), transaction.atomic():
            BreakGlass.objects.create(**fields)
    BreakGlass.objects.create(**good, until=soon)


def test_what_is_open_is_not_opened_again(alice: User, bob: User, eve: User) -> None:
    glass = break_glass(admin=eve, patient=alice, reason=REASON, minutes=5)
    assert refusal(admin=eve, patient=alice, reason=REASON, minutes=5).keys() == {"patient"}
    break_glass(admin=eve, patient=bob, reason=REASON, minutes=5)
    assert close_glass(glass=glass)
    assert break_glass(admin=eve, patient=alice, reason=REASON, minutes=5)


def test_closing_ends_it_once(alice: User, eve: User) -> None:
    glass = break_glass(admin=eve, patient=alice, reason=REASON, minutes=5)
    assert close_glass(glass=glass)
    assert glass_of(eve, alice) is None
    assert not close_glass(glass=glass)


def test_the_patient_is_told_without_the_reason(alice: User, eve: User) -> None:
    break_glass(admin=eve, patient=alice, reason=REASON, minutes=5)
    (mail,) = mails.sent()
    assert mail.to == [alice.email]
    assert "opened in an emergency" in mail.subject
    html = str(mail.alternatives[0][0])  # type: ignore[attr-defined]
    for words in (str(mail.body), html):
        assert "/settings/accesses/" in words
        assert "unconscious" not in words
        assert "Eve" not in words


# The pages of administrators


def test_the_record_opens_after_reason_and_patient(alice: User, eve: User, browse: Browse) -> None:
    client = browse(eve)
    page = client.get(ADD)
    assert "The patient is told at once" in text(page)
    done = client.post(ADD, {"patient": "ALICE@example.org", "reason": REASON, "minutes": "15"})
    assert done.headers["Location"] == f"/patients/{alice.public_id}/"
    glass = BreakGlass.objects.get()
    assert (glass.admin, glass.patient, glass.reason) == (eve, alice, REASON)
    assert "You opened this record in an emergency" in text(client.get(done.headers["Location"]))
    assert AccessEvent.objects.get().break_glass == glass


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"patient": "nobody@example.org"}, "Nobody has this email address."),
        ({"patient": "chen@example.org"}, "Only a patient has a record to open."),
        ({"reason": "because"}, "Say in a sentence why."),
        ({"reason": "          "}, "This field is required."),
        ({"minutes": "100000"}, "Choose between 1 and 60 minutes."),
        ({"minutes": "soon"}, "Enter a whole number."),
    ],
)
def test_a_refusal_says_why_and_loses_nothing(
    browse: Browse, eve: User, alice: User, answers: dict[str, str], sentence: str
) -> None:
    from tests.conftest import make_doctor

    make_doctor("chen@example.org", "Mei Chen")
    good = {"patient": alice.email, "reason": REASON, "minutes": "15"}
    response = browse(eve).post(ADD, good | answers)
    assert response.status_code == 422
    assert sentence in text(response)
    assert "Nothing was opened." in text(response)
    kept = good.keys() - answers.keys()
    assert all(good[name] in response.content.decode() for name in kept)
    assert not BreakGlass.objects.exists()


def test_it_is_closed_early_by_a_button(alice: User, eve: User, browse: Browse) -> None:
    glass = break_glass(admin=eve, patient=alice, reason=REASON, minutes=15)
    client = browse(eve)
    client.get(f"/patients/{alice.public_id}/")
    address = f"{LIST}{glass.pk}/change/"
    page = text(client.get(address))
    assert REASON in page
    assert "your record" in page
    assert "It is open until" in page
    assert "The record is closed again." in text(client.post(address, follow=True))
    assert "It had ended already." in text(client.post(address, follow=True))
    assert "It was closed early" in text(client.get(address))
    assert client.get(f"/patients/{alice.public_id}/").status_code == 404


def test_every_administrator_sees_the_list_and_nobody_edits_it(
    alice: User, eve: User, browse: Browse
) -> None:
    glass = break_glass(admin=eve, patient=alice, reason=REASON, minutes=15)
    client = browse(eve)
    page = text(client.get(LIST))
    assert "Alice Sommer" in page
    assert client.post(f"{LIST}{glass.pk}/delete/").status_code == 403
    assert client.get(f"{LIST}999999/change/").status_code == 302


@pytest.mark.parametrize("who", ["alice", "chen"])
def test_these_pages_are_for_administrators(
    who: str, bob: User, eve: User, browse: Browse, request: pytest.FixtureRequest
) -> None:
    glass = break_glass(admin=eve, patient=bob, reason=REASON, minutes=15)
    client = browse(request.getfixturevalue(who))
    for path in (ADD, LIST, f"{LIST}{glass.pk}/change/"):
        assert client.get(path).status_code in (302, 403, 404)
        assert client.post(path, {}).status_code in (302, 403, 404)
    glass.refresh_from_db()
    assert glass.closed_at is None


def test_other_admin_pages_show_nothing_of_a_patient(
    alice: User, eve: User, submit: Submit, browse: Browse
) -> None:
    analysis = submit(alice, body_site="face")
    client = browse(eve)
    for path in ("/admin/", "/admin/accounts/user/", f"/admin/accounts/user/{alice.pk}/change/", "/"):
        page = client.get(path, follow=True).content.decode()
        assert str(analysis.public_id) not in page
        assert "thumbnail" not in page
    assert not AccessEvent.objects.exists()
