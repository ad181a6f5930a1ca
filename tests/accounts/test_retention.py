"""What is left behind is swept away: files without a row, and nothing else."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts import erasure, exporting, registries
from accounts.models import DataExport, DoctorApplication, DoctorProfile, User
from accounts.sweeping import sweep_files
from accounts.tasks import prepare_export
from accounts.tasks import sweep_files as sweep_task
from diagnosis.models import Analysis

TWO_DAYS = 2 * 24 * 3600


def aged(name: str, seconds: int = TWO_DAYS) -> Path:
    path = Path(django_settings.MEDIA_ROOT, name)
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


@pytest.fixture
def litter() -> list[Path]:
    """Files of uploads that were never finished, in every folder that is ours."""
    folders = [folder for named in registries.named_files for folder in named.folders]
    assert set(folders) >= {"images", "thumbnails", "documents", "doctors", "exports"}
    return [aged(default_storage.save(f"{folder}/2026/01/x.bin", ContentFile(b"x"))) for folder in folders]


def test_old_files_without_a_row_go(db: None, litter: list[Path]) -> None:
    assert sweep_files() == len(litter)
    assert not any(path.exists() for path in litter)
    assert sweep_files() == 0


def test_files_with_a_row_stay(
    alice: User, chen: User, submit: Callable[..., Analysis], litter: list[Path]
) -> None:
    analysis = submit(alice)
    export = exporting.request_export(user=alice)
    prepare_export(export.pk)
    application = DoctorApplication.objects.get(doctor=chen)
    application.document.save("x.pdf", ContentFile(b"%PDF"))
    profile = DoctorProfile.objects.get(user=chen)
    profile.photo.save("p.jpg", ContentFile(b"x"))
    export = DataExport.objects.get()
    named = [analysis.image, analysis.thumbnail, export.file, application.document, profile.photo]
    paths = [aged(str(file.name)) for file in named]
    sweep_files()
    assert all(path.exists() for path in paths)
    assert not any(path.exists() for path in litter)


def test_new_files_wait_for_their_row(db: None) -> None:
    fresh = default_storage.save("images/2026/01/fresh.png", ContentFile(b"x"))
    aged(fresh, seconds=23 * 3600)
    assert sweep_files() == 0
    assert default_storage.exists(fresh)


def test_foreign_folders_are_left_alone(db: None) -> None:
    name = default_storage.save("backup/notes.txt", ContentFile(b"x"))
    aged(name)
    assert sweep_files() == 0
    assert default_storage.exists(name)


def test_a_file_that_cannot_be_deleted_does_not_stop_the_others(
    db: None, litter: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stubborn:
        @staticmethod
        def delete(name: str) -> None:
            if name.startswith("images"):
                raise PermissionError
            default_storage.delete(name)

    monkeypatch.setattr(erasure, "default_storage", Stubborn)
    sweep_files()
    assert [path.exists() for path in litter].count(True) == 1


def test_the_sweep_ends_old_sessions(db: None, settings: Any) -> None:
    Session.objects.create(session_key="old", session_data="", expire_date=timezone.now() - timedelta(days=1))
    Session.objects.create(session_key="new", session_data="", expire_date=timezone.now() + timedelta(days=1))
    sweep_task()
    assert [session.session_key for session in Session.objects.all()] == ["new"]
