"""What people say about themselves: read, and changed with who and why."""

from enum import StrEnum
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import PatientProfile, User
from accounts.verification import standing_application


class Why(StrEnum):
    """Where a profile was changed; kept with every version of it."""

    PAGE = "own profile page"
    APP = "own app"
    UPLOAD = "asked with a new analysis"


# What a patient may answer; all of it is optional.
ANSWERS = (
    "date_of_birth",
    "sex",
    "skin_type",
    "allergies",
    "medication",
    "skin_cancer_history",
    "place",
    "latitude",
    "longitude",
)
ACCOUNT = ("name", "language", "time_zone")
NAME_IS_CHECKED = _("It was checked together with your licence. An administrator can change it.")


def patient_profile(user: User) -> PatientProfile:
    """The patient's profile, which is made empty when it is first asked for."""
    if not user.is_patient:
        raise PermissionDenied
    return PatientProfile.objects.get_or_create(user=user)[0]


@transaction.atomic
def update_profile(*, patient: User, by: User, why: str, **answers: Any) -> PatientProfile:
    """Change some answers of a patient; a version with who and why is kept of every change.

    Answers that are the same leave no version. Raises ValidationError, by field.
    """
    if unknown := answers.keys() - set(ANSWERS):
        raise TypeError(f"No answers of a profile: {unknown}")
    patient_profile(patient)
    profile = PatientProfile.objects.select_for_update(no_key=True).get(user=patient)
    before = {name: getattr(profile, name) for name in answers}
    for name, value in answers.items():
        setattr(profile, name, value)
    profile.full_clean()
    if any(getattr(profile, name) != value for name, value in before.items()):
        profile._history_user = by  # type: ignore[attr-defined]
        profile._change_reason = why  # type: ignore[attr-defined]
        profile.save()
    return profile


def name_is_checked(user: User) -> bool:
    """Whether the name belongs to a licence that counts: then it changes with the licence only."""
    return user.is_doctor and standing_application(user) is not None


def update_account(*, user: User, **fields: Any) -> User:
    """Change name, language or time zone. Raises ValidationError, by field."""
    if unknown := fields.keys() - set(ACCOUNT):
        raise TypeError(f"Nothing that people change themselves: {unknown}")
    if fields.get("name", user.name) != user.name and name_is_checked(user):
        raise ValidationError({"name": NAME_IS_CHECKED}, code="checked")
    for name, value in fields.items():
        setattr(user, name, value)
    try:
        user.full_clean(exclude={"password"})
    except ValidationError:
        user.refresh_from_db(fields=list(fields))  # the page goes on with who they are
        raise
    user.save(update_fields=list(fields))
    return user
