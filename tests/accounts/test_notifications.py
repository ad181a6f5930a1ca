"""The outbox: every mail goes out once, whatever falls over in between, and nothing of it stays behind."""

import re
import smtplib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core import mail as django_mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import mailing
from accounts.models import MailStatus, OutgoingMail, User
from accounts.notifications import notify
from accounts.tasks import send_mail, sweep_mails
from dermaplatform import bell, leases
from diagnosis import wording
from ml_models.taxonomy import CODES, Urgency
from tests.mails import sent

KINDS = sorted(path.name for path in (Path(settings.BASE_DIR) / "templates/email").iterdir() if path.is_dir())


@pytest.fixture
def hello(tmp_path: Path, settings: Any) -> str:
    """A kind of mail of which the words are known."""
    folder = tmp_path / "templates" / "email" / "hello"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("Hello\n{{ name }}")
    (folder / "text.txt").write_text(
        '{% extends "email/base.txt" %}{% block content %}{{ name }} at {{ at }}: {{ said }}{% endblock %}'
    )
    (folder / "body.html").write_text(
        '{% extends "email/base.html" %}{% block content %}<p>{{ said }}</p>{% endblock %}'
    )
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path / "templates", *engine["DIRS"]]}]
    return "hello"


@pytest.fixture
def queued(alice: User) -> OutgoingMail:
    return mailing.enqueue(
        kind="test",
        recipient=alice,
        address=alice.email,
        subject="Subject",
        text="Words",
        html="<p>Words</p>",
    )


class DeadServer(EmailBackend):
    """A mail server that is not there."""

    def send_messages(self, messages: object) -> int:
        raise ConnectionRefusedError("nobody listens")


@pytest.fixture
def no_mail_server(settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.DeadServer"


def test_a_mail_has_text_and_html_and_escapes_each_in_its_way(alice: User, hello: str) -> None:
    notify(alice, hello, said="5 < 6 & so on")
    [message] = sent()
    assert message.to == [alice.email]
    assert message.subject == "Hello Alice Sommer"
    assert "5 < 6 & so on" in message.body
    [(html, content_type)] = message.alternatives  # type: ignore[attr-defined]
    assert content_type == "text/html"
    assert "5 &lt; 6 &amp; so on" in html
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"


def test_a_mail_tells_times_in_the_zone_of_who_reads_it(alice: User, hello: str) -> None:
    alice.time_zone = "Asia/Tokyo"
    at = timezone.now().replace(2026, 1, 2, 20, 0)
    notify(alice, hello, at=at)
    assert "Jan. 3, 2026, 05:00" in sent()[0].body


def test_a_zone_that_is_not_known_here_stops_no_mail(alice: User, hello: str) -> None:
    alice.time_zone = "Europe/Atlantis"
    notify(alice, hello, at=timezone.now().replace(2026, 1, 2, 20, 0))
    assert "Jan. 2, 2026, 20:00" in sent()[0].body


def test_an_account_that_is_switched_off_gets_no_mail(alice: User, hello: str) -> None:
    alice.is_active = False
    assert notify(alice, hello) is None
    assert not OutgoingMail.objects.exists()


def test_a_mail_belongs_to_the_transaction_that_it_tells_of(alice: User, hello: str) -> None:
    with transaction.atomic():
        notify(alice, hello)
        transaction.set_rollback(True)
    assert not OutgoingMail.objects.exists()


def test_the_bell_rings_after_the_commit(
    alice: User, hello: str, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    rung: list[tuple[Any, ...]] = []
    monkeypatch.setattr(bell, "ring_now", lambda task, *args, **_: rung.append((task.name, *args)))
    with django_capture_on_commit_callbacks(execute=True):
        mail = notify(alice, hello)
        assert rung == []
    assert mail
    assert rung == [("accounts.tasks.send_mail", mail.pk)]


def test_what_is_sent_leaves_nothing_private_behind(queued: OutgoingMail) -> None:
    assert len(sent()) == 1
    queued.refresh_from_db()
    assert queued.status == MailStatus.SENT
    assert queued.sent_at
    assert (queued.address, queued.subject, queued.text, queued.html) == ("", "", "", "")


def test_a_mail_goes_out_once_however_often_the_bell_rings(queued: OutgoingMail) -> None:
    for _ in range(3):
        send_mail(queued.pk)
    assert len(django_mail.outbox) == 1
    queued.refresh_from_db()
    assert queued.attempts == 1


def test_two_workers_cannot_claim_the_same_mail(queued: OutgoingMail) -> None:
    first = mailing.claim(queued.pk)
    assert first
    assert mailing.claim(queued.pk) is None
    assert mailing.finish(first)


@pytest.mark.usefixtures("no_mail_server")
def test_a_mail_server_that_is_down_loses_nothing(queued: OutgoingMail) -> None:
    send_mail(queued.pk)
    queued.refresh_from_db()
    assert (queued.status, queued.text, queued.log) == (MailStatus.WAITING, "Words", "ConnectionRefusedError")
    assert queued.not_before > timezone.now()
    send_mail(queued.pk)  # rung too early
    queued.refresh_from_db()
    assert queued.attempts == 1


def test_it_is_sent_once_the_mail_server_is_back(queued: OutgoingMail, settings: Any) -> None:
    backend = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = f"{__name__}.DeadServer"
    start = timezone.now()
    send_mail(queued.pk)
    settings.EMAIL_BACKEND = backend
    with time_machine.travel(start + timedelta(minutes=2)):
        send_mail(queued.pk)
    queued.refresh_from_db()
    assert queued.status == MailStatus.SENT
    assert len(django_mail.outbox) == 1


@pytest.mark.usefixtures("no_mail_server")
def test_after_a_day_it_is_given_up_and_blanked(queued: OutgoingMail) -> None:
    start = queued.created_at
    for hours in range(0, 26, 2):
        with time_machine.travel(start + timedelta(hours=hours), tick=False):
            send_mail(queued.pk)
    queued.refresh_from_db()
    assert queued.status == MailStatus.GIVEN_UP
    assert (queued.address, queued.text, queued.lease_token) == ("", "", None)
    assert queued.log == "ConnectionRefusedError"


def test_the_pauses_grow_to_an_hour() -> None:
    pauses = [mailing.pause(attempts) for attempts in range(1, 40)]
    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(seconds=30)
    assert pauses[-1] == timedelta(hours=1)


def test_a_worker_that_was_killed_gives_its_mail_back_when_the_lease_ends(queued: OutgoingMail) -> None:
    killed = mailing.claim(queued.pk)
    assert killed
    sweep_mails()
    queued.refresh_from_db()
    assert queued.status == MailStatus.SENDING
    with time_machine.travel(timezone.now() + mailing.LEASE + timedelta(seconds=1)):
        sweep_mails()
        queued.refresh_from_db()
        assert queued.status == MailStatus.WAITING
        assert not mailing.finish(killed)  # it was not dead but slow: its word counts no more
    queued.refresh_from_db()
    assert queued.status == MailStatus.WAITING


def test_every_attempt_at_a_mail_has_the_same_message_id(queued: OutgoingMail) -> None:
    mailing.deliver(queued)
    mailing.deliver(queued)
    first, second = (message.extra_headers["Message-ID"] for message in django_mail.outbox)
    assert first == second
    assert re.fullmatch(r"<\d+\.\d+@\S+>", first)


def test_the_sweep_rings_again_for_what_nobody_heard(
    queued: OutgoingMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[Any] = []

    def heard(task: object, *args: object, **options: object) -> bool:
        rung.append(args)
        return True

    monkeypatch.setattr(leases, "ring_now", heard)
    sweep_mails()
    assert rung == []  # it was rung for just now
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False):
        sweep_mails()
        sweep_mails()
    assert rung == [(queued.pk,)]


def test_a_broker_that_is_down_ends_the_sweep_quietly(
    queued: OutgoingMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "ring_now", lambda *args, **_: False)
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False):
        assert mailing.leases.ring_overdue(send_mail) == 0
    queued.refresh_from_db()
    assert queued.rung_at < timezone.now()


def test_rows_of_old_mails_are_forgotten(queued: OutgoingMail) -> None:
    sent()
    with time_machine.travel(timezone.now() + timedelta(days=89)):
        mailing.forget_old()
    assert OutgoingMail.objects.exists()
    with time_machine.travel(timezone.now() + timedelta(days=91)):
        mailing.forget_old()
    assert not OutgoingMail.objects.exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError("alice@example.org"), "TimeoutError"),
        (smtplib.SMTPDataError(451, b"alice@example.org is busy"), "SMTPDataError 451"),
        (
            smtplib.SMTPRecipientsRefused({"alice@example.org": (550, b"no alice@example.org here")}),
            "SMTPRecipientsRefused 550",
        ),
    ],
)
def test_what_operators_read_does_not_repeat_the_address(error: OSError, words: str) -> None:
    assert mailing.what_went_wrong(error) == words


def test_a_mail_that_is_over_must_be_blank(queued: OutgoingMail) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        OutgoingMail.objects.update(status=MailStatus.SENT)
    OutgoingMail.objects.update(status=MailStatus.SENT, address="", subject="", text="", html="")


def test_exactly_what_is_being_sent_is_leased(queued: OutgoingMail) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        OutgoingMail.objects.update(status=MailStatus.SENDING)
    with pytest.raises(IntegrityError), transaction.atomic():
        OutgoingMail.objects.update(lease_expires_at=timezone.now())


@pytest.mark.usefixtures("no_mail_server")
def test_mails_of_the_sign_in_wait_in_the_outbox_too(client: Client, alice: User) -> None:
    answer = client.post(reverse("account_reset_password"), {"email": alice.email})
    assert answer.status_code == 302
    mail = OutgoingMail.objects.get()
    assert (mail.recipient, mail.kind) == (alice, "account.password_reset_key")
    link = re.search(r"https?://\S+", mail.text)
    assert link
    assert f'href="{link[0]}"' in mail.html


def test_an_address_without_an_account_gets_its_mail_without_a_recipient(client: Client, db: None) -> None:
    client.post(reverse("account_reset_password"), {"email": "nobody@example.org"})
    mail = OutgoingMail.objects.get()
    assert (mail.recipient, mail.address) == (None, "nobody@example.org")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mail_is_whole(kind: str) -> None:
    folder = Path(settings.BASE_DIR) / "templates/email" / kind
    assert {path.name for path in folder.iterdir()} == {"subject.txt", "text.txt", "body.html"}
    assert '{% extends "email/base.txt" %}' in (folder / "text.txt").read_text()
    assert '{% extends "email/base.html" %}' in (folder / "body.html").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_no_mail_has_clinical_words(kind: str) -> None:
    """A mail is a postcard: it says that there is something, never what."""
    folder = Path(settings.BASE_DIR) / "templates/email" / kind
    words = "".join(path.read_text() for path in folder.iterdir()).lower()
    clinical = [wording.class_name(code) for code in CODES]
    clinical += [wording.urgency_headline(urgency) for urgency in Urgency]
    clinical += [
        "urgent",
        "probabilit",
        "urgency",
        "body_site",
        "diagnosis",
        "cancer",
        "allerg",
        "medication",
    ]
    assert [word for word in clinical if word.lower() in words] == []


def test_a_page_does_not_wait_for_the_mail_server(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch, browse: Callable[[User], Client]
) -> None:
    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("A page sends no mail itself.")

    monkeypatch.setattr(mailing, "deliver", forbidden)
    assert browse(alice).post(reverse("account_email"), {"action_add": "", "email": "a@example.org"})
