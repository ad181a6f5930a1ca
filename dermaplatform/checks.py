"""System checks for settings of our own: a mistake is said at the start, not at the first upload."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution

from dermaplatform.throttling import Rate
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
    """What administrators have chosen. Runs with `migrate` and `check --database default`.

    Without the release that runs along only the comparison is missing, so it keeps nobody from deploying.
    """
    found: list[CheckMessage] = []
    for slot, release in releases.chosen_releases().items() if databases else ():
        if slot == Slot.ACTIVE and settings.DERMA_RELEASE:
            continue
        try:
            releases.verified(release)
        except ReleaseError as error:
            hint = "Put its folder back in order, or choose another release in the administration."
            if slot == Slot.SHADOW:
                found.append(Caution(str(error), hint=hint, id="derma.W002"))
            else:
                found.append(Error(str(error), hint=hint, id="derma.E008"))
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


@register()
def site_has_an_address(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    parts = urlsplit(settings.SITE_URL)
    host = parts.hostname or "."
    # With a dot before it, as ALLOWED_HOSTS may have it, it is all the names below and none of them.
    if parts.scheme in ("http", "https") and not host.startswith(".") and "*" not in parts.netloc:
        return []
    return [
        Error(
            f"Links in mails would lead nowhere: {settings.SITE_URL!r} is no address.",
            hint="Set SITE_URL, such as https://derma.example.org",
            id="derma.E004",
        )
    ]


@register()
def rates_can_be_read(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for action, limits in settings.DERMA_RATES.items():
        for kind, written in limits.items():
            try:
                Rate.parse(written)
            except ValueError as error:
                found.append(Error(f"{action} by {kind}: {error}", id="derma.E005"))
    return found


# What each number may be, and why not more or less.
_BOUNDS = {
    "DERMA_TRUSTED_PROXIES": (0, 10, "it is how many proxies stand before the web server"),
    "DERMA_IDLE_MINUTES": (1, 8 * 60, "a doctor's screen must not stay open over night"),
    "DERMA_BREAK_GLASS_MINUTES": (1, 24 * 60, "the database refuses an emergency access of more than a day"),
    "DERMA_RETENTION_YEARS": (0, 100, "it is a number of years"),
    "DERMA_EXPORT_DAYS": (1, 30, "a copy of a whole record must not lie about"),
}


@register()
def numbers_are_in_bounds(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    return [
        Error(f"{name} must lie between {least} and {most}: {why}.", id="derma.E006")
        for name, (least, most, why) in _BOUNDS.items()
        if not least <= getattr(settings, name) <= most
    ]


@register()
def location_for_files_is_a_path(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    location = settings.DERMA_X_ACCEL
    if not location or (location.startswith("/") and not location.startswith("//")):
        return []
    return [
        Error("DERMA_X_ACCEL is the path of an internal location of nginx, such as /media/", id="derma.E007")
    ]


@register(Tags.security, deploy=True)
def nobody_goes_without_a_second_factor(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    if settings.DERMA_REQUIRE_MFA:
        return []
    return [
        Caution(
            "Doctors and administrators may see patients' data with a password alone.",
            hint="Leave DERMA_REQUIRE_MFA at its default.",
            id="derma.W001",
        )
    ]
