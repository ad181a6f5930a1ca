"""Triggers by which the database itself refuses what no code may do, on both engines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True)
class Guard:
    """Triggers over `tables`, by name. `sqlite` says when each fires and what it does; `postgresql` says what
    its function does, and when its trigger calls it.
    """

    tables: frozenset[str]
    sqlite: Mapping[str, str]
    postgresql: Mapping[str, tuple[str, str]]

    def install(self, connection: BaseDatabaseWrapper) -> None:
        """Put the guard up, in its present form. Doing it again changes nothing."""
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                for name, trigger in self.sqlite.items():
                    cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
                    cursor.execute(f"CREATE TRIGGER {name} {trigger}")
                return
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
            standing = {name for (name,) in cursor.fetchall()}
            for name, (body, trigger) in self.postgresql.items():
                function = f"FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
                cursor.execute(f"CREATE OR REPLACE {function}")
                if name not in standing:  # putting one up locks the table
                    cursor.execute(f"CREATE {trigger} EXECUTE FUNCTION {name}()")

    def remove(self, connection: BaseDatabaseWrapper) -> None:
        """Take the guard down: for a migration on its way back."""
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                for name in self.sqlite:
                    cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            else:
                for name in self.postgresql:
                    cursor.execute(f"DROP FUNCTION IF EXISTS {name}() CASCADE")

    def after_migrate(self, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
        """After every run of `migrate`: SQLite rebuilds a table to change it, and forgets its triggers."""
        connection = connections[using]
        if not self.tables <= set(connection.introspection.table_names()):
            return  # on the way back to before there were these tables
        with transaction.atomic(using=using):
            self.install(connection)
