"""The access log: what is written, what the database refuses, and what the patient reads."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F
from django.test import Client, RequestFactory
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import triggers
from accounts.access_log import accesses_to, pseudonymise, record_access, record_accesses, sittings
from accounts.break_glass import break_glass
from accounts.models import AccessEvent, AccessLogGate, CareRelation, Opened, Scope, User
from accounts.relations import share
from diagnosis.models import Analysis
from tests.test_pages import text

Browse = Callable[[User], Client]
Submit = Callable[..., Analysis]


def asked_by(user: User | AnonymousUser, address: str = "203.0.113.7") -> Any:
    request = RequestFactory().get("/", REMOTE_ADDR=address)
    request.user = user
    return request


@pytest.fixture
def opened(alice: User, chen: User) -> AccessEvent:
    """Dr Chen has opened Alice's record, which she had shared."""
    relation = share(patient=alice, doctor=chen)
    record_access(asked_by(chen), alice, Opened.ANALYSIS, item := uuid4())
    event = AccessEvent.objects.get()
    assert (event.relation, event.item) == (relation, item)
    return event


# What is written


def test_it_says_who_what_when_through_what_and_from_where(opened: AccessEvent, chen: User) -> None:
    assert opened.actor == chen
    assert opened.opened == Opened.ANALYSIS
    assert timezone.now() - opened.at < timedelta(minutes=1)
    assert opened.address == "203.0.113.7"
    assert opened.break_glass is None


def test_what_a_patient_opens_of_their_own_is_not_written(alice: User) -> None:
    record_access(asked_by(alice), alice, Opened.ANALYSIS, uuid4())
    record_accesses(asked_by(alice), [alice], Opened.ANALYSES)
    assert not AccessEvent.objects.exists()


def test_a_list_is_one_event_for_each_patient(
    alice: User, bob: User, chen: User, django_assert_num_queries: Any
) -> None:
    relations = {share(patient=patient, doctor=chen) for patient in (alice, bob)}
    with django_assert_num_queries(3):
        record_accesses(asked_by(chen), [alice, bob, alice], Opened.PATIENTS)
    assert {event.relation for event in AccessEvent.objects.all()} == relations
    assert AccessEvent.objects.count() == 2


def test_the_relation_is_the_one_that_opens_this_item(alice: User, chen: User, submit: Submit) -> None:
    first, second = submit(alice, 1), submit(alice, 2)
    named = share(patient=alice, doctor=chen, items=[first.public_id])
    record_access(asked_by(chen), alice, Opened.IMAGE, first.public_id)
    assert AccessEvent.objects.latest("pk").relation == named
    record_access(asked_by(chen), alice, Opened.IMAGE, second.public_id)
    assert AccessEvent.objects.latest("pk").relation is None
    whole = share(patient=alice, doctor=chen)
    record_access(asked_by(chen), alice, Opened.IMAGE, first.public_id)
    assert AccessEvent.objects.latest("pk").relation == whole


def test_an_emergency_is_named(alice: User, eve: User) -> None:
    glass = break_glass(admin=eve, patient=alice, reason="She was found unconscious.", minutes=5)
    record_access(asked_by(eve), alice, Opened.RECORD)
    event = AccessEvent.objects.get()
    assert (event.break_glass, event.relation) == (glass, None)


def test_nobody_opens_a_record_namelessly(alice: User) -> None:
    with pytest.raises(TypeError):
        record_access(asked_by(AnonymousUser()), alice, Opened.RECORD)


# What the database refuses


def changes() -> dict[str, Callable[[], object]]:
    return {
        "update": lambda: AccessEvent.objects.update(opened=Opened.IMAGE),
        "update to the same": lambda: AccessEvent.objects.update(at=F("at")),
        "emptying": lambda: AccessEvent.objects.update(item=None),
        "delete": lambda: AccessEvent.objects.all().delete(),
        "raw delete": lambda: AccessEvent.objects.all()._raw_delete("default"),
        "save": lambda: AccessEvent.objects.get().save(),
    }


@pytest.mark.parametrize("change", changes())
def test_a_row_is_neither_changed_nor_deleted(opened: AccessEvent, change: str) -> None:
    with pytest.raises(IntegrityError, match="only added to"), transaction.atomic():
        changes()[change]()
    assert AccessEvent.objects.filter(pk=opened.pk, item=opened.item).exists()


def test_a_row_is_not_replaced(opened: AccessEvent) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("INSERT OR REPLACE is SQLite's")
    table = AccessEvent._meta.db_table
    with pytest.raises(IntegrityError, match="only added to"), connection.cursor() as cursor:
        cursor.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")  # noqa: S608


@pytest.mark.django_db(transaction=True)
def test_the_table_is_not_truncated(opened: AccessEvent) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("TRUNCATE is PostgreSQL's")
    with pytest.raises(IntegrityError, match="only added to"), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {AccessEvent._meta.db_table}")
    assert AccessEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_gate_that_is_left_open_cannot_be_committed() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no constraint triggers")
    with pytest.raises(IntegrityError, match="only added to"):
        AccessLogGate.objects.create()
    assert not AccessLogGate.objects.exists()


def test_the_open_gate_lets_through_nothing_but_emptying(opened: AccessEvent, bob: User) -> None:
    others: list[dict[str, Any]] = [
        {"at": timezone.now()},
        {"actor": bob},
        {"patient": bob},
        {"opened": Opened.IMAGE},
        {"item": uuid4()},
        {"address": "203.0.113.8"},
    ]
    gate = AccessLogGate.objects.create()
    for other in others:
        with pytest.raises(IntegrityError), transaction.atomic():
            AccessEvent.objects.update(**other)
    with pytest.raises(IntegrityError), transaction.atomic():
        AccessEvent.objects.all().delete()
    assert AccessEvent.objects.update(item=None) == 1
    gate.delete()


def test_a_second_run_of_migrate_changes_nothing(opened: AccessEvent) -> None:
    triggers.after_migrate()
    triggers.after_migrate()
    with pytest.raises(DatabaseError), transaction.atomic():
        AccessEvent.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_the_guard_comes_back_after_the_table_was_rebuilt(opened: AccessEvent) -> None:
    triggers.remove(connection)
    editor: Any
    with connection.schema_editor() as editor:
        if connection.vendor == "sqlite":
            editor._remake_table(AccessEvent)
    call_command("migrate", verbosity=0)
    with pytest.raises(IntegrityError, match="only added to"), transaction.atomic():
        AccessEvent.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_the_migration_has_a_way_back(opened: AccessEvent) -> None:
    from importlib import import_module

    migration = import_module("accounts.migrations.0004_access_log_triggers")
    with connection.schema_editor() as editor:
        migration.remove(None, editor)
    assert AccessEvent.objects.update(item=None) == 1
    with connection.schema_editor() as editor:
        migration.install(None, editor)
    with pytest.raises(IntegrityError), transaction.atomic():
        AccessEvent.objects.update(item=None)


# Erasure


def test_pseudonymising_a_patient_forgets_what_leads_to_them(
    opened: AccessEvent, alice: User, chen: User
) -> None:
    before = opened.at
    assert pseudonymise(alice) == 1
    opened.refresh_from_db()
    assert (opened.item, opened.relation, opened.break_glass) == (None, None, None)
    assert (opened.at, opened.actor, opened.opened) == (before, chen, Opened.ANALYSIS)
    assert opened.address == "203.0.113.7"
    assert pseudonymise(alice) == 0
    CareRelation.objects.all().delete()


def test_pseudonymising_a_doctor_forgets_their_address_only(opened: AccessEvent, chen: User) -> None:
    pseudonymise(chen)
    item = opened.item
    opened.refresh_from_db()
    assert opened.address is None
    assert opened.item == item
    assert opened.relation is not None


def test_the_gate_is_shut_afterwards(opened: AccessEvent, alice: User, bob: User, chen: User) -> None:
    share(patient=bob, doctor=chen)
    record_access(asked_by(chen), bob, Opened.RECORD)
    pseudonymise(alice)
    assert AccessEvent.objects.get(patient=bob).relation is not None
    assert not AccessLogGate.objects.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        AccessEvent.objects.update(address=None)


# What the patient reads


def test_a_patient_reads_their_own_log_and_nobody_elses(
    opened: AccessEvent, alice: User, bob: User, chen: User, eve: User
) -> None:
    assert list(AccessEvent.objects.visible_to(alice)) == [opened]
    for other in (bob, chen, eve, None):
        assert not AccessEvent.objects.visible_to(other).exists()


def test_looks_soon_after_each_other_are_one_sitting(alice: User, chen: User, diaz: User) -> None:
    share(patient=alice, doctor=chen)
    share(patient=alice, doctor=diaz)
    now = timezone.now()
    item = uuid4()
    for minutes, doctor in ((100, chen), (50, chen), (49, chen), (48, diaz), (1, chen)):
        relation = CareRelation.objects.get(doctor=doctor)
        at = now - timedelta(minutes=minutes)
        AccessEvent.objects.create(
            at=at, actor=doctor, patient=alice, opened=Opened.IMAGE, item=item, relation=relation
        )
    told = sittings(accesses_to(alice))
    assert [sitting.actor for sitting in told] == [chen, diaz, chen, chen]
    assert [part.times for part in told[2].parts.values()] == [2]


def test_the_page_says_it_in_words(
    alice: User, chen: User, submit: Submit, browse: Browse, django_assert_max_num_queries: Any
) -> None:
    analysis = submit(alice, body_site="face")
    share(patient=alice, doctor=chen, items=[analysis.public_id])
    doctor = browse(chen)
    doctor.get(analysis.get_absolute_url())
    for _ in range(3):
        b"".join(doctor.get(f"{analysis.get_absolute_url()}image/").streaming_content)  # type: ignore[attr-defined]
    patient = browse(alice)
    patient.get("/settings/accesses/")
    with django_assert_max_num_queries(8):
        page = text(patient.get("/settings/accesses/"))
    assert "Mei Chen" in page
    assert "because you shared some analyses" in page
    assert "an analysis: Face" in page
    assert "an image: Face (3 times)" in page
    assert "127.0.0.1" in page


def test_the_page_tells_the_reason_of_an_emergency(alice: User, eve: User, browse: Browse) -> None:
    break_glass(admin=eve, patient=alice, reason="She was found unconscious.", minutes=5)
    browse(eve).get(f"/patients/{alice.public_id}/")
    page = text(browse(alice).get("/settings/accesses/"))
    assert "in an emergency. The reason given: “She was found unconscious.”" in page


def test_an_empty_log_says_so(alice: User, browse: Browse) -> None:
    assert "Nobody has opened anything" in text(browse(alice).get("/settings/accesses/"))


def test_only_patients_have_the_page(chen: User, eve: User, browse: Browse) -> None:
    for user in (chen, eve):
        assert browse(user).get("/settings/accesses/").status_code == 403


def test_apps_read_it_too(
    opened: AccessEvent, alice: User, bob: User, chen: User, app_of: Callable[[User], APIClient]
) -> None:
    (row,) = app_of(alice).get("/api/v1/me/accesses/").json()["results"]
    assert row["who"] == "Mei Chen"
    assert (row["opened"], row["item"], row["emergency"]) == ("analysis", str(opened.item), None)
    assert row["share"] == str(CareRelation.objects.get(scope=Scope.RECORD).public_id)
    assert app_of(bob).get("/api/v1/me/accesses/").json()["results"] == []
    assert app_of(chen).get("/api/v1/me/accesses/").status_code == 403
