"""The database's own rules about visits, each from both sides, on whichever engine the suite runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.fields import AddField, AlterField, RenameField
from django.db.migrations.operations.models import AddConstraint, AddIndex, RemoveConstraint
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter

from accounts.models import User
from appointments.constraints import NoOverlap, broken
from appointments.models import OCCUPYING, PASSING, Appointment, Place, Status

NOON = datetime(2030, 5, 6, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TABLE = Appointment._meta.db_table
FREE_AGAIN = [status for status in Status if status not in OCCUPYING]


Four = tuple[User, User, User, User]


@pytest.fixture
def four(alice: User, bob: User, chen: User, diaz: User) -> Four:
    return alice, bob, chen, diaz


def row(patient: User, doctor: User, begins: int = 0, lasts: int = 30, **fields: Any) -> Appointment:
    """Not saved; `begins` is in minutes from noon."""
    start = NOON + begins * MINUTE
    end = start + lasts * MINUTE
    status = fields.setdefault("status", Status.CONFIRMED)
    values = {
        "start": start,
        "end": end,
        "blocked_from": start,
        "blocked_until": end,
        "place": Place.CLINIC,
        "expires_at": NOON if status in PASSING else None,
        "booked_at": None if status in (Status.HELD, Status.EXPIRED) else NOON,
    }
    return Appointment(patient=patient, doctor=doctor, **(values | fields))


def saved(*args: Any, **fields: Any) -> Appointment:
    appointment = row(*args, **fields)
    appointment.save()
    return appointment


@contextmanager
def refused(name: str) -> Iterator[None]:
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        yield
    assert broken(caught.value, name)


DOCTORS, PATIENTS = "appointment_doctor_free", "appointment_patient_free"
# Minutes from noon and how long; the first visit lasts from 0 to 30.
OVERLAPS = [(0, 30), (-15, 30), (15, 30), (5, 15), (-30, 120), (29, 60), (-59, 60)]
BESIDE = [(30, 30), (-30, 30), (60, 15), (-240, 60)]


@pytest.mark.parametrize(("begins", "lasts"), OVERLAPS)
def test_a_doctor_never_sees_two_at_once(alice: User, bob: User, chen: User, begins: int, lasts: int) -> None:
    saved(alice, chen)
    with refused(DOCTORS):
        saved(bob, chen, begins, lasts)


@pytest.mark.parametrize(("begins", "lasts"), OVERLAPS)
def test_a_patient_is_never_at_two_places_at_once(
    alice: User, chen: User, diaz: User, begins: int, lasts: int
) -> None:
    saved(alice, chen)
    with refused(PATIENTS):
        saved(alice, diaz, begins, lasts)


@pytest.mark.parametrize(("begins", "lasts"), BESIDE)
def test_visits_may_touch(four: Four, begins: int, lasts: int) -> None:
    alice, bob, chen, diaz = four
    saved(alice, chen)
    saved(bob, chen, begins, lasts)
    saved(alice, diaz, begins, lasts)


def test_two_doctors_and_two_patients_do_not_meet(alice: User, bob: User, chen: User, diaz: User) -> None:
    saved(alice, chen)
    saved(bob, diaz)


def test_buffers_keep_the_doctor_and_not_the_patient(alice: User, bob: User, chen: User, diaz: User) -> None:
    saved(alice, chen, blocked_until=NOON + 45 * MINUTE)
    with refused(DOCTORS):
        saved(bob, chen, 30)
    saved(bob, chen, 45)
    saved(alice, diaz, 30)


@pytest.mark.parametrize("status", OCCUPYING)
def test_each_state_that_occupies_time_does(
    alice: User, bob: User, chen: User, diaz: User, status: Status
) -> None:
    saved(alice, chen, status=status)
    with refused(DOCTORS):
        saved(bob, chen, status=Status.HELD)
    with refused(PATIENTS):
        saved(alice, diaz, status=Status.REQUESTED)


@pytest.mark.parametrize("status", FREE_AGAIN)
def test_what_has_ended_keeps_nobody(alice: User, bob: User, chen: User, status: Status) -> None:
    ended = saved(alice, chen, status=status)
    saved(bob, chen)
    saved(alice, chen, 240)
    with refused(DOCTORS):
        Appointment.objects.filter(pk=ended.pk).update(
            status=Status.CONFIRMED, expires_at=None, booked_at=NOON
        )


def test_moving_and_growing_are_checked_as_well(alice: User, bob: User, chen: User) -> None:
    saved(alice, chen)
    other = Appointment.objects.filter(pk=saved(bob, chen, 60).pk)
    with refused(DOCTORS):
        other.update(blocked_from=NOON + 29 * MINUTE)
    with refused(DOCTORS):
        other.update(start=NOON, end=NOON + 30 * MINUTE, blocked_from=NOON, blocked_until=NOON + 30 * MINUTE)
    other.update(blocked_from=NOON + 30 * MINUTE)  # up to the other, and over where it lay itself


def test_a_microsecond_counts(alice: User, bob: User, chen: User) -> None:
    """Times with and without a fraction of a second compare as times, though SQLite keeps them as text."""
    tick = timedelta(microseconds=1)
    saved(alice, chen, blocked_until=NOON + 30 * MINUTE + tick)
    with refused(DOCTORS):
        saved(bob, chen, 30)
    saved(bob, chen, 31, blocked_from=NOON + 30 * MINUTE + tick)


def test_a_second_and_its_fraction_are_in_order(alice: User, bob: User, chen: User, diaz: User) -> None:
    half = timedelta(milliseconds=500)
    saved(alice, chen, blocked_from=NOON - half)
    with refused(DOCTORS):
        saved(bob, chen, -30)
    saved(bob, chen, -30, lasts=29, blocked_until=NOON - half)


def test_many_rows_at_once_are_checked(alice: User, bob: User, chen: User) -> None:
    with refused(DOCTORS):
        Appointment.objects.bulk_create([row(alice, chen), row(bob, chen, 15)])
    assert not Appointment.objects.exists()
    Appointment.objects.bulk_create([row(alice, chen), row(bob, chen, 30)])


def test_writing_over_a_row_is_checked(alice: User, bob: User, chen: User) -> None:
    saved(alice, chen)
    other = saved(bob, chen, 60)
    other.start, other.end = NOON, NOON + 30 * MINUTE
    other.blocked_from, other.blocked_until = other.start, other.end
    fields = ["start", "end", "blocked_from", "blocked_until"]
    with refused(DOCTORS):
        Appointment.objects.bulk_create(
            [other], update_conflicts=True, unique_fields=["id"], update_fields=fields
        )


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite knows these")
@pytest.mark.parametrize("how", ["OR REPLACE", "OR IGNORE", "OR ABORT", "OR FAIL", "OR ROLLBACK"])
def test_no_kind_of_insert_gets_past_the_triggers(alice: User, bob: User, chen: User, how: str) -> None:
    saved(alice, chen)
    other = saved(bob, chen, 60)
    later = NOON + 30 * MINUTE
    new = {"public_id": "'new'", "room": "'new'"}
    new |= dict.fromkeys(("start", "blocked_from"), f"'{NOON:%Y-%m-%d %H:%M:%S}'")
    new |= dict.fromkeys(("end", "blocked_until"), f"'{later:%Y-%m-%d %H:%M:%S}'")
    columns = [str(field.column) for field in Appointment._meta.concrete_fields if not field.primary_key]
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(new.get(column, f'"{column}"') for column in columns)
    with connection.cursor() as cursor, refused(DOCTORS):
        cursor.execute(
            f"INSERT {how} INTO {TABLE} ({names}) SELECT {values} FROM {TABLE} WHERE id = {other.pk}"  # noqa: S608
        )


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite knows this")
def test_replacing_a_row_at_its_own_time_is_no_overlap(alice: User, chen: User) -> None:
    present = saved(alice, chen)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT OR REPLACE INTO {TABLE} SELECT * FROM {TABLE} WHERE id = {present.pk}")  # noqa: S608
    assert Appointment.objects.get() == present


# The other constraints


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("appointment_status_known", {"status": "dreamt", "booked_at": NOON}),
        ("appointment_place_known", {"place": "moon"}),
        ("appointment_ends_after_start", {"end": NOON, "blocked_until": NOON + MINUTE}),
        ("appointment_ends_after_start", {"end": NOON - MINUTE, "blocked_from": NOON - 5 * MINUTE}),
        ("appointment_ends_after_start", {"blocked_from": NOON + MINUTE}),
        ("appointment_ends_after_start", {"blocked_until": NOON + 29 * MINUTE}),
        ("appointment_passing_expires", {"status": Status.HELD, "expires_at": None}),
        ("appointment_passing_expires", {"status": Status.REQUESTED, "expires_at": None}),
        ("appointment_passing_expires", {"status": Status.CONFIRMED, "expires_at": NOON}),
        ("appointment_booked_has_time", {"status": Status.CONFIRMED, "booked_at": None}),
        ("appointment_booked_has_time", {"status": Status.HELD, "booked_at": NOON}),
        ("appointment_booked_has_time", {"status": Status.DECLINED, "booked_at": None}),
    ],
)
def test_what_is_no_visit_is_refused(alice: User, chen: User, name: str, fields: dict[str, Any]) -> None:
    with refused(name):
        saved(alice, chen, **fields)


@pytest.mark.parametrize("status", Status)
def test_a_visit_of_each_state_is_kept(alice: User, chen: User, status: Status) -> None:
    saved(alice, chen, status=status)


def test_a_request_that_expired_was_booked_once(alice: User, chen: User) -> None:
    saved(alice, chen, status=Status.EXPIRED, booked_at=NOON)


def test_nobody_visits_themselves(alice: User) -> None:
    with refused("appointment_between_two"):
        saved(alice, alice)


def test_a_person_holds_one_time_beside_offers(alice: User, bob: User, chen: User) -> None:
    saved(alice, chen, status=Status.HELD)
    saved(bob, chen, 30, status=Status.HELD)
    saved(alice, chen, 60, status=Status.HELD, offered=True)
    saved(alice, chen, 90, status=Status.HELD, offered=True)
    saved(alice, chen, 120, status=Status.EXPIRED)
    with pytest.raises(IntegrityError), transaction.atomic():
        saved(alice, chen, 150, status=Status.HELD)


# In Python


def constraint(name: str) -> NoOverlap:
    [found] = [each for each in Appointment._meta.constraints if each.name == name]
    assert isinstance(found, NoOverlap)
    return found


def test_validate_says_what_the_database_would(alice: User, bob: User, chen: User, diaz: User) -> None:
    first = saved(alice, chen)
    with pytest.raises(ValidationError, match="just been taken") as caught:
        row(bob, chen, 15).validate_constraints()
    assert caught.value.error_dict["__all__"][0].code == "slot_taken"
    with pytest.raises(ValidationError, match="another visit") as caught:
        row(alice, diaz, 15).validate_constraints()
    assert caught.value.error_dict["__all__"][0].code == "patient_busy"
    row(bob, chen, 30).validate_constraints()
    row(bob, chen, 15, status=Status.DECLINED).validate_constraints()
    first.validate_constraints()  # it does not stand in its own way


def test_validate_leaves_out_what_is_not_known(alice: User, bob: User, chen: User) -> None:
    saved(alice, chen)
    rule = constraint(DOCTORS)
    unknown = row(bob, chen, 15)
    rule.validate(Appointment, unknown, exclude={"blocked_from"})
    unknown.blocked_from = None  # type: ignore[assignment]
    rule.validate(Appointment, unknown)
    with pytest.raises(ValidationError):
        rule.validate(Appointment, row(bob, chen, 15), exclude={"reason"})


@pytest.mark.parametrize("name", [DOCTORS, PATIENTS])
def test_a_migration_can_write_it_down(name: str) -> None:
    rule = constraint(name)
    path, args, options = rule.deconstruct()
    assert (path, args) == ("appointments.constraints.NoOverlap", ())
    assert NoOverlap(**options) == rule == rule.clone()
    text, imports = MigrationWriter.serialize(rule)
    assert "import appointments.constraints" in imports
    read = eval(text, {"appointments": __import__("appointments.constraints")})  # noqa: S307  (what we wrote)
    assert read == rule
    assert NoOverlap(**(options | {"occupying": ("held",)})) != rule
    assert rule != object()


# Rebuilding the table

Change = Callable[[Operation], None]


@pytest.fixture
def change(transactional_db: None) -> Iterator[Change]:
    """Applies an operation as a migration would, and takes it back in the end."""
    state = ProjectState.from_apps(__import__("django.apps").apps.apps)
    done: list[tuple[Operation, ProjectState, ProjectState]] = []

    def apply(operation: Operation) -> None:
        before = done[-1][2] if done else state
        after = before.clone()
        operation.state_forwards("appointments", after)
        with connection.schema_editor() as editor:
            operation.database_forwards("appointments", editor, before, after)
        done.append((operation, before, after))

    yield apply
    with connection.cursor() as cursor:  # the model may have columns that the table has not
        cursor.execute(f"DELETE FROM {TABLE}")  # noqa: S608
    for operation, before, after in reversed(done):
        with connection.schema_editor() as editor:
            operation.database_backwards("appointments", editor, after, before)


def triggers() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE])
        return int(cursor.fetchone()[0])


REBUILDINGS: dict[str, list[Operation]] = {
    "alter": [AlterField("appointment", "ended_because", models.TextField(max_length=1000, null=True))],
    "alter_time": [AlterField("appointment", "blocked_from", models.DateTimeField(db_index=True))],
    "alter_status": [
        AlterField("appointment", "status", models.CharField(max_length=30, choices=Status, default="held"))
    ],
    "check": [
        AddConstraint("appointment", models.CheckConstraint(condition=models.Q(sequence__lt=999), name="few"))
    ],
    "unique": [AddConstraint("appointment", models.UniqueConstraint(fields=["room"], name="room_once"))],
    "index": [AddIndex("appointment", models.Index(fields=["room"], name="by_room"))],
    "add_null": [AddField("appointment", "mood", models.TextField(null=True))],
    "add_default": [AddField("appointment", "mood", models.IntegerField(default=3))],
    "rename": [RenameField("appointment", "reason", "why")],
    "remove_other": [RemoveConstraint("appointment", "appointment_place_known")],
    "twice": [
        AlterField("appointment", "ended_because", models.TextField(max_length=1000, null=True)),
        AddField("appointment", "mood", models.IntegerField(default=3)),
        RemoveConstraint("appointment", "appointment_place_known"),
    ],
}


@pytest.mark.parametrize("kind", REBUILDINGS)
def test_rebuilding_the_table_keeps_the_rules(change: Change, four: Four, kind: str) -> None:
    for operation in REBUILDINGS[kind]:
        change(operation)
    if connection.vendor == "sqlite":
        assert triggers() == 4
    overlaps_are_refused(four)


def overlaps_are_refused(four: Four) -> None:
    """By raw SQL, because the model may have other columns than the table has now."""
    alice, bob, chen, diaz = four
    with connection.cursor() as cursor:
        write(cursor, alice, chen, 0)
        with refused(DOCTORS):
            write(cursor, bob, chen, 15)
        with refused(PATIENTS):
            write(cursor, alice, diaz, 15)
        write(cursor, bob, chen, 30)
        with refused(DOCTORS):
            cursor.execute(f"UPDATE {TABLE} SET blocked_from = %s WHERE start = %s", [at(29), at(30)])  # noqa: S608


def at(begins: int) -> Any:
    return connection.ops.adapt_datetimefield_value(NOON + begins * MINUTE)


def write(cursor: Any, patient: User, doctor: User, begins: int) -> None:
    made = row(patient, doctor, begins)
    with connection.cursor() as look:
        present = {column.name for column in connection.introspection.get_table_description(look, TABLE)}
    values = {
        str(field.column): field.get_db_prep_save(getattr(made, field.attname), connection)
        for field in Appointment._meta.concrete_fields
        if not field.primary_key and field.column in present
    }
    values |= {name: value for name, value in {"why": "", "mood": 1}.items() if name in present}
    names = ", ".join(connection.ops.quote_name(name) for name in values)
    places = ", ".join(["%s"] * len(values))
    cursor.execute(f"INSERT INTO {TABLE} ({names}) VALUES ({places})", list(values.values()))  # noqa: S608


def test_a_rule_can_be_taken_away_and_put_back(change: Change, four: Four) -> None:
    alice, bob, chen, diaz = four
    rule = constraint(DOCTORS)
    change(RemoveConstraint("appointment", DOCTORS))
    saved(alice, chen)
    both = saved(bob, chen, 15)
    with refused(PATIENTS):  # the other rule is still there
        saved(alice, diaz)
    both.delete()
    Appointment.objects.all().delete()
    change(AddConstraint("appointment", rule))
    overlaps_are_refused(four)


def test_the_statements_alone_do_the_same(change: Change, alice: User, bob: User, chen: User) -> None:
    rule = constraint(DOCTORS)
    with connection.schema_editor() as editor:
        editor.execute(rule.remove_sql(Appointment, editor))  # type: ignore[arg-type]
    saved(alice, chen)
    saved(bob, chen, 15).delete()
    with connection.schema_editor() as editor:
        if statement := rule.create_sql(Appointment, editor):
            editor.execute(statement)
    with refused(DOCTORS):
        saved(bob, chen, 15)
