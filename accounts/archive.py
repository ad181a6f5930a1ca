"""The copy of everything that is kept about a person: one ZIP that can be read without this product."""

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts import fhir, registries
from accounts.models import User
from accounts.reading import as_read_by
from accounts.registries import ExportSection

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Table:
    """A section as the index page shows it."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    pictures: list[str]
    documents: list[str]


def write_archive(user: User, target: IO[bytes], progress: Callable[[int], None]) -> None:
    """Write the ZIP into `target`, and tell `progress` how many per cent are done. OSError if a disk fails.

    A file that is gone is named on the index page instead of making every copy impossible.
    """
    with as_read_by(user):
        sections = [section for exporter in registries.exporters if (section := exporter(user)).rows]
        missing: list[str] = []
        with ZipFile(target, "w") as archive:
            files = [file for section in sections for file in section.files]
            for number, file in enumerate(files, start=1):
                try:
                    archive.writestr(file.path, file.read())
                except FileNotFoundError:
                    missing.append(file.path)
                progress(100 * number // (len(files) + 1))
            for name, content in _texts(user, sections, missing).items():
                archive.writestr(name, content, compress_type=ZIP_DEFLATED)
    progress(100)


def _texts(user: User, sections: list[ExportSection], missing: list[str]) -> dict[str, str | bytes]:
    resources = [fhir.person(user), *(resource for section in sections for resource in section.resources)]
    everything = {section.title: section.rows for section in sections}
    index = {
        "person": user,
        "at": timezone.now(),
        "tables": [_table(section, missing) for section in sections],
        "missing": missing,
    }
    return {
        "index.html": render_to_string("accounts/privacy/copy/index.html", index),
        "style.css": (settings.BASE_DIR / "static/css/copy.css").read_bytes(),
        "data.json": _json(everything),
        "bundle.json": _json(fhir.bundle(resources)),
    }


def _json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)


def _table(section: ExportSection, missing: list[str]) -> Table:
    columns = list(dict.fromkeys(column for row in section.rows for column in row))
    paths = [file.path for file in section.files if file.path not in missing]
    return Table(
        title=section.title,
        columns=columns,
        rows=[[words(row.get(column)) for column in columns] for row in section.rows],
        pictures=[path for path in paths if path.endswith(_PICTURES)],
        documents=[path for path in paths if not path.endswith(_PICTURES)],
    )


def words(value: Any) -> str:
    """A value as a person reads it; nothing for what was not said."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, datetime.datetime):
        return date_format(timezone.localtime(value), "DATETIME_FORMAT")
    if isinstance(value, datetime.date):
        return date_format(value, "DATE_FORMAT")
    if isinstance(value, list | tuple):
        return ", ".join(map(words, value))
    return str(value)
