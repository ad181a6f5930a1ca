"""System checks for settings of our own: a mistake is said at the start, not at the first upload."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from ml_models.runtime import ReleaseError, default_release, read_card, release_path


@register()
def release_is_readable(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    try:
        read_card(release_path(settings.DERMA_RELEASE or default_release()))
    except ReleaseError as error:
        return [
            Error(str(error), hint="Set DERMA_RELEASE to a folder in ml_models/releases.", id="derma.E001")
        ]
    return []


@register()
def media_is_not_public(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    media = Path(settings.MEDIA_ROOT).resolve()
    public = [Path(settings.STATIC_ROOT), *map(Path, settings.STATICFILES_DIRS)]
    if any(media.is_relative_to(folder.resolve()) for folder in public):
        return [Error("Patients' images would be public: DERMA_MEDIA_DIR is under static.", id="derma.E002")]
    return []


@register()
def lease_outlives_renewals(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    if settings.DERMA_LEASE_SECONDS < 6:
        return [
            Error(
                "DERMA_LEASE_SECONDS must be 6 or more: a lease is renewed by thirds of it.", id="derma.E003"
            )
        ]
    return []
