"""System checks for settings of our own: a mistake is said at the start, not at the first upload."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from diagnosis import releases
from diagnosis.models import Slot
from ml_models.runtime import ReleaseError, default_release


@register()
def release_is_fit(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    """The release of the environment or of the tree: hashes, classes, input contract."""
    try:
        releases.verified(settings.DERMA_RELEASE or default_release())
    except ReleaseError as error:
        return [
            Error(str(error), hint="Set DERMA_RELEASE to a folder in ml_models/releases.", id="derma.E001")
        ]
    return []


@register(Tags.database)
def chosen_releases_are_fit(
    app_configs: object, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What administrators have chosen. Runs with `migrate` and `check --database default`."""
    found: list[CheckMessage] = []
    for slot, release in releases.chosen_releases().items() if databases else ():
        if slot == Slot.ACTIVE and settings.DERMA_RELEASE:
            continue
        try:
            releases.verified(release)
        except ReleaseError as error:
            hint = "Put its folder back in order, or choose another release in the administration."
            found.append(Error(str(error), hint=hint, id="derma.E004"))
    return found


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
