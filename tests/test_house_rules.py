"""Rules of the house as code. Each says what it forbids and what to do instead."""

import ast
import html
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.migrations.loader import MigrationLoader

ROOT = Path(__file__).resolve().parents[1]
APPS = ("accounts", "diagnosis", "appointments", "adminpanel")
CODE = [
    path
    for folder in ("accounts", "adminpanel", "appointments", "dermaplatform", "diagnosis", "ml_models")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
PRODUCT = [path for path in CODE if "migrations" not in path.parts]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html")) + sorted((ROOT / "templates").rglob("*.txt"))
PAGES = [path for path in TEMPLATES if path.suffix == ".html"]


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def own_models() -> Iterator[type[models.Model]]:
    for label in APPS:
        yield from apps.get_app_config(label).get_models()


@pytest.mark.parametrize("path", PRODUCT, ids=names(PRODUCT))
def test_tasks_are_sent_by_the_bell_only(path: Path) -> None:
    if path.name == "bell.py":
        return
    found = re.search(r"\.(delay|apply_async|send_task)\(", path.read_text())
    assert not found, (
        "Use dermaplatform.bell.ring: it waits for the commit and survives a broker that is down."
    )


# Rows that are a part of another and end with it.
PARTS = {"DoctorSpeciality", "DoctorLanguage", "LicenceReminder", "SharedItem", "OutgoingMail"}


def test_every_foreign_key_has_a_related_name_and_protects() -> None:
    for model in own_models():
        if hasattr(model, "history_object"):
            continue  # the versions of another row, made by django-simple-history
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignKey) and field.model is model:
                assert field.remote_field.related_name, f"{field} needs a related_name."
                assert field.remote_field.on_delete is models.PROTECT or model.__name__ in PARTS, (
                    f"{field}: clinical rows are protected."
                )


@pytest.mark.parametrize("path", PRODUCT, ids=names(PRODUCT))
def test_locks_let_others_refer_to_the_row(path: Path) -> None:
    """PostgreSQL takes FOR KEY SHARE on every row that a new row refers to; FOR UPDATE waits for it."""
    if path.relative_to(ROOT) == Path("accounts/erasure.py"):
        return  # a person who goes waits for what is being written about them
    locks = re.findall(r"select_for_update\(([^)]*)\)", path.read_text())
    assert all("no_key=True" in lock for lock in locks), (
        "Use select_for_update(no_key=True): else a circle with whoever writes a row that refers to it."
    )


def test_only_aware_datetimes() -> None:
    assert settings.USE_TZ
    for path in PRODUCT:
        found = re.search(r"datetime\.(now\(\)|utcnow)", path.read_text())
        assert not found, f"{path}: use django.utils.timezone."


@pytest.mark.parametrize("path", PAGES, ids=names(PAGES))
def test_pages_have_nothing_inline(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)", text), "Put the script in a file under static/js."
    assert not re.search(r"<style[\s>]", text), "Put the style in static/css/site.css."
    if "email" not in path.parts:
        assert not re.search(r"\sstyle=", text), "Use a class: the content security policy forbids style=."
    assert not re.search(r"\son[a-z]+=\"", text), "Listen in a script file."
    assert not re.search(r"(src|href)=\"(https?:)?//", text), "Vendor it: pages load nothing from elsewhere."


def untranslated(text: str) -> list[str]:
    """What stands in a template outside every translation tag and has letters in it."""
    text = re.sub(r"\{%\s*comment.*?endcomment\s*%\}|\{#.*?#\}|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"\{%\s*blocktrans(late)?\b.*?endblocktrans(late)?\s*%\}", "", text, flags=re.S)
    text = re.sub(r"\{%\s*block \w+_(?:class|attributes)\b.*?endblock.*?%\}", "", text)
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", "", text, flags=re.S)
    attributes = [
        value
        for value in re.findall(r"\b(?:alt|title|placeholder|aria-label)=\"([^\"]*)\"", text)
        if re.search(r"[A-Za-z]{2}", re.sub(r"\{[%{].*?[%}]\}", "", value))
    ]
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "\n", text, flags=re.S)
    text = html.unescape(re.sub(r"<[^>]*>", "\n", text, flags=re.S))
    words = [line.strip() for line in text.splitlines() if re.search(r"[A-Za-z]{2}", line)]
    return [word for word in words if word.strip("· ") != "Derma"] + attributes


def test_the_rule_for_translation_finds_what_it_should() -> None:
    assert untranslated('<p>Hello</p>{% translate "x" %}') == ["Hello"]
    assert untranslated('<img alt="A picture">') == ["A picture"]
    assert untranslated("<p>{% blocktranslate %}Hello{% endblocktranslate %} {{ name }}</p>") == []


@pytest.mark.parametrize("path", TEMPLATES, ids=names(TEMPLATES))
def test_every_word_in_a_template_is_translated(path: Path) -> None:
    assert untranslated(path.read_text()) == [], "Wrap it in {% translate %} or {% blocktranslate trimmed %}."


# What people read in Python: arguments of these names, and messages.
_SPOKEN = {"label", "help_text", "verbose_name", "verbose_name_plural", "violation_error_message"}


def spoken_untranslated(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        spoken = [word.value for word in node.keywords if word.arg in _SPOKEN]
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "messages":
            spoken += node.args[1:2]
        if isinstance(node.func, ast.Name) and node.func.id == "ValidationError":
            spoken += node.args[:1]
        for value in spoken:
            if isinstance(value, ast.Constant | ast.JoinedStr):
                yield f"line {node.lineno}: {ast.unparse(value)}"


# The API's help texts are read by programmers, in its OpenAPI document.
APP_CODE = [path for path in PRODUCT if path.relative_to(ROOT).parts[0] in APPS and "api" not in path.parts]


@pytest.mark.parametrize("path", APP_CODE, ids=names(APP_CODE))
def test_every_word_for_people_in_python_is_translated(path: Path) -> None:
    assert not list(spoken_untranslated(ast.parse(path.read_text()))), "Wrap it in gettext."


def test_every_periodic_task_exists_and_expires() -> None:
    from dermaplatform.celery import app

    app.loader.import_default_modules()
    schedule: dict[str, Any] = settings.CELERY_BEAT_SCHEDULE
    for name, entry in schedule.items():
        assert entry["task"] in app.tasks, f"{name} names a task that does not exist."
        assert entry["options"]["expires"] <= entry["schedule"], f"{name} would pile up."


def test_every_task_of_ours_belongs_to_a_workload() -> None:
    from dermaplatform.celery import app, route

    app.loader.import_default_modules()
    ours = [task for name, task in app.tasks.items() if name.split(".")[0] in APPS]
    assert ours
    for task in ours:
        assert route(task.name, (), {}, {}, task) in ({"queue": "inference"}, {"queue": "default"})
        assert task.acks_late
        assert task.reject_on_worker_lost
        assert task.soft_time_limit < task.time_limit


def test_a_message_is_not_handed_out_again_while_its_task_may_still_run() -> None:
    from dermaplatform.celery import app

    app.loader.import_default_modules()
    hard = max(task.time_limit for name, task in app.tasks.items() if name.split(".")[0] in APPS)
    assert app.conf.broker_transport_options.get("visibility_timeout", 3600) > hard


def test_migrations_have_names_and_a_way_back() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    for (app, name), migration in loader.disk_migrations.items():
        if app not in APPS:
            continue
        assert not re.search(r"_auto_|_alter_.*_and_more", name), f"{app}.{name}: give it a name."
        for operation in migration.operations:
            assert operation.reversible, f"{app}.{name}: {operation} cannot be reversed."


@pytest.mark.parametrize("path", PRODUCT, ids=names(PRODUCT))
def test_a_module_is_one_room(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 420, "Make it a package."


def test_urls_import() -> None:
    assert import_module(settings.ROOT_URLCONF).urlpatterns


def test_no_image_of_a_patient_is_tracked() -> None:
    """Data for training never enters the project; what is an image here was drawn or generated."""
    allowed = ("static/", "docs/")
    images = [
        str(path.relative_to(ROOT))
        for folder in (
            "accounts",
            "adminpanel",
            "appointments",
            "dermaplatform",
            "diagnosis",
            "ml_models",
            "templates",
            "tests",
        )
        for path in (ROOT / folder).rglob("*")
        if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp", ".heic"}
    ]
    assert [name for name in images if not name.startswith(allowed)] == []
