"""Texts compared as people compare them: without case and accents, in the database."""

import re
import unicodedata
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Func

_SQLITE_FUNCTION = "derma_fold"
_ACCENTS = "[\\u0300-\\u036f]"


def fold(text: str) -> str:
    """The text in lower case and without accents: “Díaz” and “DIAZ” become “diaz”."""
    return re.sub(_ACCENTS, "", unicodedata.normalize("NFD", text)).lower()


class Fold(Func):
    """`fold` of a column. PostgreSQL has what it takes; SQLite gets the function above."""

    function = _SQLITE_FUNCTION
    arity = 1
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = f"lower(regexp_replace(normalize(%(expressions)s, NFD), '{_ACCENTS}', '', 'g'))"
        return self.as_sql(compiler, connection, template=template, **context)


def teach_sqlite(sender: object, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Receiver of `connection_created`."""
    if connection.vendor == "sqlite":
        connection.connection.create_function(
            _SQLITE_FUNCTION, 1, lambda text: None if text is None else fold(text), deterministic=True
        )
