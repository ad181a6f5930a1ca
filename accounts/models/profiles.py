"""What patients and doctors say about themselves."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from accounts.geography import coarse
from accounts.models.people import User
from accounts.validators import OLDEST, validate_birth_date

LATITUDE = (MinValueValidator(Decimal(-90)), MaxValueValidator(Decimal(90)))
LONGITUDE = (MinValueValidator(Decimal(-180)), MaxValueValidator(Decimal(180)))


def rounded(degrees: Any) -> Any:
    """A coordinate to 0.01 degrees; what is no number is left as it is, for validation to refuse."""
    try:
        return coarse(Decimal(str(degrees)))
    except InvalidOperation:
        return degrees


def on_earth(name: str) -> models.CheckConstraint:
    """Coordinates come in pairs and lie on the earth."""
    both = Q(latitude__isnull=False, longitude__isnull=False)  # a comparison with NULL would pass the check
    return models.CheckConstraint(
        condition=Q(latitude=None, longitude=None)
        | both & Q(latitude__gte=-90, latitude__lte=90, longitude__gte=-180, longitude__lte=180),
        name=name,
        violation_error_message=_(
            "Give both coordinates: latitude from -90 to 90, longitude from -180 to 180."
        ),
    )


class Sex(models.TextChoices):
    FEMALE = "female", _("Female")
    MALE = "male", _("Male")
    INTERSEX = "intersex", _("Intersex")


class SkinType(models.IntegerChoices):
    """Fitzpatrick's types, in words that people recognise themselves in."""

    I = 1, _("I: very fair, always burns, never tans")  # noqa: E741
    II = 2, _("II: fair, burns easily, tans a little")
    III = 3, _("III: medium, sometimes burns, tans slowly")
    IV = 4, _("IV: olive, rarely burns, tans well")
    V = 5, _("V: brown, very rarely burns")
    VI = 6, _("VI: dark brown or black, hardly ever burns")


class PatientProfile(models.Model):
    """A patient's own answers. All of them are optional; an empty one means that it was not said."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="patient_profile")
    date_of_birth = models.DateField(
        _("date of birth"), null=True, blank=True, validators=[validate_birth_date]
    )
    sex = models.CharField(_("sex at birth"), max_length=10, choices=Sex, blank=True)
    skin_type = models.PositiveSmallIntegerField(_("skin type"), choices=SkinType, null=True, blank=True)
    allergies = models.TextField(_("allergies"), max_length=2000, blank=True)
    medication = models.TextField(_("medication"), max_length=2000, blank=True)
    skin_cancer_history = models.TextField(_("skin cancer in the past"), max_length=2000, blank=True)
    place = models.CharField(_("place"), max_length=200, blank=True)
    # Rounded to 0.01 degrees, about a kilometre: enough to find a doctor, too little to find a door.
    latitude = models.DecimalField(
        _("latitude"), max_digits=4, decimal_places=2, null=True, blank=True, validators=LATITUDE
    )
    longitude = models.DecimalField(
        _("longitude"), max_digits=5, decimal_places=2, null=True, blank=True, validators=LONGITUDE
    )
    updated_at = models.DateTimeField(auto_now=True)

    history = HistoricalRecords(related_name="versions")

    class Meta:
        verbose_name = _("patient profile")
        verbose_name_plural = _("patient profiles")
        constraints = [
            on_earth("patient_on_earth"),
            models.CheckConstraint(
                condition=Q(skin_type=None) | Q(skin_type__in=SkinType.values), name="patient_skin_type_known"
            ),
            models.CheckConstraint(condition=Q(sex__in=["", *Sex.values]), name="patient_sex_known"),
            models.CheckConstraint(
                condition=Q(date_of_birth=None) | Q(date_of_birth__gte=OLDEST), name="patient_born_since_1900"
            ),
        ]

    def __str__(self) -> str:
        return str(self.user.public_id)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._round()
        super().save(*args, **kwargs)

    def clean_fields(self, exclude: Any = None) -> None:
        self._round()
        super().clean_fields(exclude=exclude)

    def _round(self) -> None:
        """No more of a place is ever kept, in no version either, than finding a doctor needs."""
        self.latitude, self.longitude = rounded(self.latitude), rounded(self.longitude)


class Speciality(models.TextChoices):
    DERMATOLOGY = "dermatology", _("Dermatology")
    ONCOLOGY = "skin_oncology", _("Skin cancer")
    SURGERY = "skin_surgery", _("Skin surgery")
    PAEDIATRIC = "paediatric_dermatology", _("Children's dermatology")
    ALLERGY = "allergy", _("Allergies of the skin")
    PATHOLOGY = "dermatopathology", _("Examination of tissue")
    GENERAL = "general_practice", _("General practice")


class DoctorProfile(models.Model):
    """What a doctor shows to the public once verified. The licence is in the application."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="doctor_profile")
    title = models.CharField(_("title"), max_length=50, blank=True, help_text=_("As in “Dr. med.”"))
    clinic_name = models.CharField(_("clinic"), max_length=150, blank=True)
    clinic_address = models.CharField(_("address of the clinic"), max_length=300, blank=True)
    latitude = models.DecimalField(
        _("latitude"), max_digits=8, decimal_places=6, null=True, blank=True, validators=LATITUDE
    )
    longitude = models.DecimalField(
        _("longitude"), max_digits=9, decimal_places=6, null=True, blank=True, validators=LONGITUDE
    )
    biography = models.TextField(_("about me"), max_length=3000, blank=True)
    photo = models.FileField(_("photo"), upload_to="doctors/", blank=True)  # re-encoded; public once verified
    fee = models.CharField(_("fee"), max_length=200, blank=True)
    accepts_video = models.BooleanField(_("sees patients by video"), default=False)
    accepts_in_person = models.BooleanField(_("sees patients in person"), default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("doctor profile")
        verbose_name_plural = _("doctor profiles")
        constraints = [on_earth("doctor_on_earth")]

    def __str__(self) -> str:
        return f"{self.title} {self.user.name}".strip()


class DoctorSpeciality(models.Model):
    profile = models.ForeignKey(DoctorProfile, on_delete=models.CASCADE, related_name="specialities")
    code = models.CharField(max_length=30, choices=Speciality)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("profile", "code"), name="doctor_speciality_once"),
            models.CheckConstraint(condition=Q(code__in=Speciality.values), name="doctor_speciality_known"),
        ]

    def __str__(self) -> str:
        return self.get_code_display()


class DoctorLanguage(models.Model):
    """A language that a doctor speaks, by its ISO 639-1 code."""

    profile = models.ForeignKey(DoctorProfile, on_delete=models.CASCADE, related_name="languages")
    code = models.CharField(max_length=2)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("profile", "code"), name="doctor_language_once")]

    def __str__(self) -> str:
        return self.code
