"""Consents: given to a text that was read, withdrawn as easily, each with its history."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.consents import consent_state, consent_text
from accounts.models import Consent, ConsentKind, User
from accounts.selectors import CONSENT_VERSIONS, has_consent
from accounts.services import give_consent, withdraw_consent
from diagnosis.models import Analysis
from diagnosis.services import ConsentRequired

Browse = Callable[[User], Client]
CARE, RESEARCH = ConsentKind.CARE, ConsentKind.RESEARCH


def url(name: str, kind: str = "") -> str:
    return reverse(f"accounts:{name}", args=[kind] if kind else [])


@pytest.fixture
def second_version(alice: User, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The care text was rewritten after Alice had agreed to it."""
    folder = tmp_path / "templates" / "accounts" / "consents"
    folder.mkdir(parents=True)
    (folder / "care_2.html").write_text("<p>Other words.</p>")
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path / "templates", *engine["DIRS"]]}]
    monkeypatch.setitem(CONSENT_VERSIONS, CARE, 2)


@pytest.mark.parametrize("kind", ConsentKind)
def test_every_version_has_its_text(kind: ConsentKind) -> None:
    for version in range(1, CONSENT_VERSIONS[kind] + 1):
        assert len(consent_text(kind, version)) > 200


def test_research_is_off_by_default_and_never_needed(alice: User, submit: Callable[..., Analysis]) -> None:
    assert not has_consent(alice, RESEARCH)
    assert submit(alice)


def test_withdrawing_care_stops_new_uploads_and_keeps_what_exists(
    alice: User, submit: Callable[..., Analysis], browse: Browse
) -> None:
    kept = submit(alice)
    client = browse(alice)
    page = client.post(url("consents-withdraw", CARE), follow=True).content.decode()
    assert "Your consent is withdrawn" in page
    assert "stays in your record" in page
    with pytest.raises(ConsentRequired):
        submit(alice, seed=1)
    assert Analysis.objects.visible_to(alice).get() == kept


def test_withdrawing_twice_changes_nothing(alice: User) -> None:
    assert withdraw_consent(user=alice, kind=CARE)
    withdrawn = Consent.objects.get().withdrawn_at
    assert not withdraw_consent(user=alice, kind=CARE)
    assert Consent.objects.get().withdrawn_at == withdrawn


def test_history_keeps_every_answer(alice: User) -> None:
    withdraw_consent(user=alice, kind=CARE)
    give_consent(user=alice, kind=CARE)
    state = consent_state(alice, CARE)
    assert [consent.withdrawn_at is None for consent in state.history] == [True, False]
    assert state.is_given


@pytest.mark.usefixtures("second_version")
def test_a_new_text_asks_again(alice: User, browse: Browse) -> None:
    state = consent_state(alice, CARE)
    assert (state.is_given, state.is_outdated) == (False, True)
    client = browse(alice)
    assert "has changed since you agreed" in client.get(url("consents")).content.decode()
    client.post(url("consents-give", CARE), {"version": 2})
    assert has_consent(alice, CARE)
    assert [consent.version for consent in consent_state(alice, CARE).history] == [2, 1]


@pytest.mark.usefixtures("second_version")
def test_only_the_text_that_was_read_is_agreed_to(carol: User, browse: Browse) -> None:
    client = browse(carol)
    answer = client.post(url("consents-give", CARE), {"version": 1}, follow=True)
    assert "The text has changed in the meantime" in answer.content.decode()
    client.post(url("consents-give", CARE), {})
    client.post(url("consents-give", CARE), {"version": "two"})
    assert client.post(url("consent"), {"agree": "on", "version": 1}, follow=True).status_code == 200
    with pytest.raises(ValidationError):
        give_consent(user=carol, kind=CARE, version=1)
    assert not Consent.objects.filter(user=carol).exists()


@pytest.mark.parametrize("kind", ConsentKind)
def test_a_consent_is_given_and_withdrawn_on_its_page(carol: User, browse: Browse, kind: ConsentKind) -> None:
    client = browse(carol)
    page = client.get(url("consents-text", kind)).content.decode()
    assert "You have not agreed to this." in page
    assert "Withdraw my consent" not in page
    client.post(url("consents-give", kind), {"version": CONSENT_VERSIONS[kind]})
    assert has_consent(carol, kind)
    page = client.get(url("consents-text", kind)).content.decode()
    assert "Withdraw my consent" in page
    assert "in force" in page
    client.post(url("consents-withdraw", kind))
    assert not has_consent(carol, kind)


def test_consents_are_questions_to_patients(chen: User, eve: User, browse: Browse, client: Client) -> None:
    for user in (chen, eve):
        assert browse(user).get(url("consents")).status_code == 403
        assert browse(user).post(url("consent"), {"agree": "on"}).status_code == 403
        assert browse(user).post(url("consents-give", CARE), {"version": 1}).status_code == 403
    assert client.get(url("consents")).status_code == 302
    assert not Consent.objects.exists()


def test_nobody_answers_for_another(alice: User, bob: User, browse: Browse) -> None:
    browse(bob).post(url("consents-withdraw", CARE))
    assert has_consent(alice, CARE)
    assert not has_consent(bob, CARE)


def test_a_consent_that_does_not_exist_is_not_found(alice: User, browse: Browse) -> None:
    client = browse(alice)
    assert client.get(url("consents-text", "sale")).status_code == 404
    assert client.post(url("consents-give", "sale")).status_code == 404
    assert client.get(url("consents-give", CARE)).status_code == 405


def test_an_app_lists_gives_and_withdraws(carol: User, app_of: Callable[[User], APIClient]) -> None:
    app = app_of(carol)
    care, research = app.get("/api/v1/me/consents/").json()
    assert (care["kind"], care["given"], research["given"]) == ("care", False, False)
    assert "<li>" in care["text"]
    given = app.post(care["url"], {"version": care["version"]})
    assert (given.status_code, given.json()["given"]) == (200, True)
    assert has_consent(carol, CARE)
    withdrawn = app.delete(care["url"])
    assert withdrawn.json()["given"] is False
    assert withdrawn.json()["history"][0]["withdrawn_at"]


def test_an_app_hears_what_is_wrong(
    carol: User, chen: User, app_of: Callable[[User], APIClient], client: Client
) -> None:
    app = app_of(carol)
    outdated = app.post("/api/v1/me/consents/care/", {"version": 7})
    assert (outdated.status_code, outdated.json()["code"]) == (409, "consent_outdated")
    assert outdated.json()["version"] == CONSENT_VERSIONS[CARE]
    assert app.post("/api/v1/me/consents/care/", {}).status_code == 400
    assert app.post("/api/v1/me/consents/sale/", {"version": 1}).status_code == 404
    assert app_of(chen).get("/api/v1/me/consents/").status_code == 403
    assert client.get("/api/v1/me/consents/").status_code == 401
    assert not Consent.objects.exists()
