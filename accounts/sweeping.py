"""Files that no row names: left behind by an upload that was never finished, or by a killed worker."""

from collections.abc import Iterator
from datetime import timedelta

import structlog
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts import registries
from accounts.erasure import delete_files

log = structlog.get_logger(__name__)

LEAVE_ALONE = timedelta(days=1)  # a file stands before its row does


def sweep_files() -> int:
    """Delete files that no row names and that are older than a day; how many there were."""
    abandoned = set()
    for named in registries.named_files:
        abandoned |= {name for folder in named.folders for name in _old_files(folder)}
    for named in registries.named_files:
        abandoned.difference_update(named.names())
    if abandoned:
        log.info("files_swept", count=len(abandoned))
        delete_files(abandoned)
    return len(abandoned)


def _old_files(folder: str) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in (f"{folder}/{file}" for file in files):
        if _is_old(name):
            yield name
    for inner in folders:
        yield from _old_files(f"{folder}/{inner}")


def _is_old(name: str) -> bool:
    try:
        return default_storage.get_modified_time(name) < timezone.now() - LEAVE_ALONE
    except FileNotFoundError:  # deleted just now
        return False
