"""Which release of the classifier answers patients, and which runs along: rows that administrators add."""

from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from diagnosis.models import ReleaseChange, Slot
from ml_models import release as folder
from ml_models.release import Card, ReleaseError


@dataclass(frozen=True)
class Installed:
    """A folder of `ml_models/releases`; without a card it cannot be used, and `refusal` says why."""

    name: str
    card: Card | None
    refusal: str = ""


def latest(slot: Slot) -> ReleaseChange | None:
    """The choice in force."""
    return ReleaseChange.objects.filter(slot=slot).order_by("-number").select_related("by").first()


def active_release() -> str:
    """The name of the release that answers patients. ReleaseError if nothing names one.

    DERMA_RELEASE comes before everything; where nobody has chosen yet, the tree's DEFAULT is taken.
    """
    if settings.DERMA_RELEASE:
        return str(settings.DERMA_RELEASE)
    change = latest(Slot.ACTIVE)
    return change.release if change else folder.default_release()


def active_or_none() -> str:
    """The same; nothing if nothing names one, which health and the checks say louder."""
    try:
        return active_release()
    except ReleaseError:
        return ""


def release_before() -> str:
    """The release that rolling back returns to; nothing if there is none.

    Choices form a stack: who returns to the release before takes the present one away, so that the next
    rollback does not lead back to what was left. Any other choice comes on top.
    """
    stack: list[str] = []
    changes = ReleaseChange.objects.filter(slot=Slot.ACTIVE).order_by("number")
    for previous, release in changes.values_list("previous", "release"):
        stack = stack or [previous]
        if stack[-2:-1] == [release]:
            stack.pop()
        else:
            stack.append(release)
    return stack[-2] if len(stack) > 1 else ""


def shadow_release() -> str:
    """The name of the release that runs along, or nothing. Never the active one."""
    change = latest(Slot.SHADOW)
    return change.release if change and change.release != active_release() else ""


def verified(name: str) -> Card:
    """The card of a release whose hashes, classes and input contract match. Raises ReleaseError."""
    return named(folder.verify(folder.release_path(name)), name)


def named(card: Card, name: str) -> Card:
    """The card, if the folder `name` is called as it says; every result is signed with that name."""
    if card.name != name:
        raise ReleaseError(f"The folder {name} holds the release {card.name}.")
    return card


def is_installed(name: str) -> bool:
    """Whether it is in the tree, fit or not."""
    try:
        folder.release_path(name)
    except ReleaseError:
        return False
    return True


def names() -> list[str]:
    """Every release in the tree, fit or not."""
    return sorted(path.name for path in folder.RELEASES.iterdir() if path.is_dir())


def installed() -> list[Installed]:
    found = []
    for name in names():
        try:
            found.append(Installed(name, verified(name)))
        except ReleaseError as error:
            found.append(Installed(name, None, str(error)))
    return found


def chosen_releases() -> dict[str, str]:
    """What the database asks for, by slot; empty while it has no tables yet."""
    try:
        changes = [latest(slot) for slot in Slot]
    except DatabaseError:
        return {}
    return {change.slot: change.release for change in changes if change and change.release}


def activate(*, release: str, reason: str, by: User, seen: int) -> ReleaseChange:
    """Have patients answered by `release` from the next job on.

    `seen` is the number of the choice that was in force on the administrator's page, 0 for none. Raises
    ValidationError for a release that does not match, for a change that changes nothing and for one that
    somebody else has overtaken.
    """
    if settings.DERMA_RELEASE:
        raise ValidationError(
            _("DERMA_RELEASE in the environment names %(release)s: while it is set, nothing else is taken."),
            params={"release": settings.DERMA_RELEASE},
        )
    before = active_or_none()
    if release == before:
        raise ValidationError(_("%(release)s answers patients already."), params={"release": release})
    with transaction.atomic():
        change = _choose(Slot.ACTIVE, release, before, reason=reason, by=by, seen=seen)
        shadow = latest(Slot.SHADOW)
        if shadow and shadow.release == release:
            why = _("It answers patients now.")
            _choose(Slot.SHADOW, "", release, reason=why, by=by, seen=shadow.number)
    return change


def roll_back(*, by: User, seen: int) -> ReleaseChange:
    """Return to the release that was active before the present one, as `activate` does."""
    change = latest(Slot.ACTIVE)
    if change and change.number != seen:
        raise _overtaken()
    before = release_before()
    if not change or not before:
        raise ValidationError(_("No release was active before this one."))
    reason = _("Rolled back from %(release)s.") % {"release": change.release}
    return activate(release=before, reason=reason, by=by, seen=seen)


def run_along(*, release: str, reason: str, by: User, seen: int) -> ReleaseChange:
    """Have `release` judge live images silently; an empty name ends it. Raises ValidationError."""
    change = latest(Slot.SHADOW)
    before = change.release if change else ""
    if release and release == active_or_none():
        raise ValidationError(
            _("%(release)s answers patients: there would be nothing to compare."),
            params={"release": release},
        )
    if release == before:
        raise ValidationError(
            _("%(release)s runs along already.") if release else _("No release runs along."),
            params={"release": release},
        )
    return _choose(Slot.SHADOW, release, before, reason=reason, by=by, seen=seen)


def _choose(slot: Slot, release: str, before: str, *, reason: str, by: User, seen: int) -> ReleaseChange:
    if not by.is_admin:
        raise PermissionDenied
    if release:
        try:
            verified(release)
        except ReleaseError as error:
            raise ValidationError(
                _("This release is refused. %(problem)s"), params={"problem": str(error)}
            ) from error
    # First: a number that no page has shown may be larger than a column holds.
    latest_change = latest(slot)
    if (latest_change.number if latest_change else 0) != seen:
        raise _overtaken()
    change = ReleaseChange(
        slot=slot, number=seen + 1, release=release, previous=before, reason=reason.strip(), by=by
    )
    change.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            change.save()
    except IntegrityError as error:
        raise _overtaken() from error
    return change


def _overtaken() -> ValidationError:
    return ValidationError(
        _("Somebody else has changed this in the meantime. Nothing was changed now; look again.")
    )
