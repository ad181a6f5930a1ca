"""No two rows of the same owner may overlap in time: the database's own rule, on both engines."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement, Table
from django.db.models import Q


class NoOverlap(models.BaseConstraint):
    """Rows with one `owner` whose `status` is one of `occupying` never share a moment of [start, end).

    On PostgreSQL an exclusion constraint over `tstzrange` (needs the extension btree_gist), on SQLite two
    triggers that raise IntegrityError with the constraint's name. SQLite forgets triggers whenever Django
    rebuilds a table; they are part of what `create_model` defers, so every rebuilding makes them anew.
    """

    default_violation_error_message = "This time is taken."

    def __init__(
        self,
        *,
        owner: str,
        start: str,
        end: str,
        status: str,
        occupying: tuple[str, ...],
        name: str,
        violation_error_code: str | None = None,
        violation_error_message: Any = None,
    ) -> None:
        self.owner, self.start, self.end = owner, start, end
        self.status, self.occupying = status, tuple(str(value) for value in occupying)
        super().__init__(
            name=name,
            violation_error_code=violation_error_code,
            violation_error_message=violation_error_message,
        )

    # In the schema

    def constraint_sql(
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> str:
        assert model is not None and schema_editor is not None  # noqa: PT018, S101
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.deferred_sql.extend(self._triggers(model, schema_editor))
            return ""
        return f"CONSTRAINT {schema_editor.quote_name(self.name)} {self._exclusion(model, schema_editor)}"

    def create_sql(  # type: ignore[override]  # one statement, by Django's contract
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> Statement | str | None:
        assert model is not None and schema_editor is not None  # noqa: PT018, S101
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.deferred_sql.extend(self._triggers(model, schema_editor))
            return None
        return Statement(
            f"ALTER TABLE %(table)s ADD CONSTRAINT %(name)s {self._exclusion(model, schema_editor)}",
            table=Table(model._meta.db_table, schema_editor.quote_name),
            name=schema_editor.quote_name(self.name),
        )

    def remove_sql(  # type: ignore[override]
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> Statement | str | None:
        assert model is not None and schema_editor is not None  # noqa: PT018, S101
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {self.name}_insert")
            return f"DROP TRIGGER IF EXISTS {self.name}_update"
        return Statement(
            "ALTER TABLE %(table)s DROP CONSTRAINT %(name)s",
            table=Table(model._meta.db_table, schema_editor.quote_name),
            name=schema_editor.quote_name(self.name),
        )

    def _column(self, model: type[models.Model], name: str) -> str:
        return str(_field(model, name).column)

    def _exclusion(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> str:
        quote = editor.quote_name
        owner, start, end, status = (
            quote(self._column(model, name)) for name in (self.owner, self.start, self.end, self.status)
        )
        values = ", ".join(editor.quote_value(value) for value in self.occupying)
        return (
            f"EXCLUDE USING gist ({owner} WITH =, tstzrange({start}, {end}, '[)') WITH &&) "
            f"WHERE ({status} IN ({values}))"
        )

    def _triggers(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> list[Statement]:
        quote = editor.quote_name
        owner, start, end, status = (
            quote(self._column(model, name)) for name in (self.owner, self.start, self.end, self.status)
        )
        key = quote(str(model._meta.pk.column))
        values = ", ".join(editor.quote_value(value) for value in self.occupying)
        # Times are stored as text of one form in UTC, so their order is the order of time.
        clash = (  # names are quoted, values come from the code
            f"EXISTS (SELECT 1 FROM %(table)s AS other WHERE other.{owner} = NEW.{owner} "  # noqa: S608
            f"AND other.{key} <> NEW.{key} AND other.{status} IN ({values}) "
            f"AND other.{start} < NEW.{end} AND other.{end} > NEW.{start})"
        )
        return [
            # After the row is written: an inserted row has its key then, and REPLACE has taken its victims.
            Statement(
                f"CREATE TRIGGER {self.name}_{event} AFTER {event.upper()} ON %(table)s "
                f"WHEN NEW.{status} IN ({values}) AND {clash} "
                f"BEGIN SELECT RAISE(ABORT, 'overlap: {self.name}'); END",
                # Django renames the reference with the table, when it rebuilds one under another name.
                table=Table(model._meta.db_table, quote),
            )
            for event in ("insert", "update")
        ]

    # In Python

    def validate(
        self,
        model: type[models.Model],
        instance: models.Model,
        exclude: Any = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """Raises ValidationError where the database would refuse; the database decides all the same."""
        if exclude and {self.owner, self.start, self.end, self.status} & set(exclude):
            return
        start, end = getattr(instance, self.start), getattr(instance, self.end)
        owner = getattr(instance, _field(model, self.owner).attname)
        if getattr(instance, self.status) not in self.occupying or None in (start, end, owner):
            return
        others = model._default_manager.using(using).filter(
            Q(**{self.owner: owner, f"{self.status}__in": self.occupying})
            & Q(**{f"{self.start}__lt": end, f"{self.end}__gt": start})
        )
        if others.exclude(pk=instance.pk).exists():
            raise ValidationError(self.get_violation_error_message(), code=self.violation_error_code)

    def deconstruct(self) -> Any:
        path, _args, options = super().deconstruct()
        options |= {name: getattr(self, name) for name in ("owner", "start", "end", "status", "occupying")}
        return path, (), options

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NoOverlap):
            return NotImplemented
        return bool(self.deconstruct() == other.deconstruct())

    __hash__ = None  # type: ignore[assignment]  # like Django's own constraints


def _field(model: type[models.Model], name: str) -> "models.Field[Any, Any]":
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)  # noqa: S101  # never a relation from elsewhere
    return field


def broken(error: BaseException, name: str) -> bool:
    """Whether an IntegrityError tells of the constraint of this name."""
    return name in str(error)
