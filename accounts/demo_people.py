"""What the demo tells of its invented people: practices, licences, a profile, somebody who waits."""

import datetime
from decimal import Decimal
from io import BytesIO

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone
from PIL import Image, ImageDraw

from accounts import verification
from accounts.documents import examine_document
from accounts.models import (
    ApplicationStatus,
    DoctorApplication,
    PatientProfile,
    Role,
    Sex,
    SkinType,
    Speciality,
    User,
)
from accounts.practice import Practice, save_practice
from accounts.profiles import Why, update_profile

PRACTICES = {
    "chen@example.org": Practice(
        title="Dr. med.",
        clinic_name="Hautpraxis am See",
        clinic_address="Seestrasse 14, 8002 Zürich, Switzerland",
        latitude=Decimal("47.364700"),
        longitude=Decimal("8.535100"),
        biography=(
            "Dermatologist since 2009, ten years of them in a clinic for pigmented lesions. "
            "I like to look twice and to explain what I see."
        ),
        fee="CHF 90 for a first look by video",
        accepts_video=True,
        accepts_in_person=True,
        specialities=[Speciality.DERMATOLOGY, Speciality.ONCOLOGY],
        languages=["de", "en", "zh"],
    ),
    "diaz@example.org": Practice(
        title="Dr.",
        clinic_name="Clínica Dermatológica Las Canteras",
        clinic_address="Calle Luis Morote 20, 35007 Las Palmas de Gran Canaria, Spain",
        latitude=Decimal("28.141100"),
        longitude=Decimal("-15.431600"),
        biography="Surgeon and dermatologist. I take out what has to go, and leave what may stay.",
        fee="60 € a visit",
        accepts_video=False,
        accepts_in_person=True,
        specialities=[Speciality.DERMATOLOGY, Speciality.SURGERY],
        languages=["es", "en"],
    ),
}
ZONES = {"chen@example.org": "Europe/Zurich", "diaz@example.org": "Atlantic/Canary"}
LICENCES = {
    "chen@example.org": ("ZH-20931", "Gesundheitsdirektion Kanton Zürich", "CH"),
    "diaz@example.org": ("28-1047733", "Colegio de Médicos de Las Palmas", "ES"),
    "frey@example.org": ("BE-11802", "Gesundheitsdirektion Kanton Bern", "CH"),
}


@transaction.atomic
def load() -> None:
    """Tell all of it, once: what people have changed since in their demo stays."""
    admin = User.objects.get(email="eve@example.org")
    for email, practice in PRACTICES.items():
        doctor = User.objects.get(email=email)
        if not DoctorApplication.objects.filter(doctor=doctor).exists():
            User.objects.filter(pk=doctor.pk).update(time_zone=ZONES[email])
            save_practice(doctor=doctor, practice=practice)
            _verify(_hand_in(doctor), admin)
    _applicant()
    _patient()


def _patient() -> None:
    alice = User.objects.get(email="alice@example.org")
    if PatientProfile.objects.filter(user=alice).exists():
        return
    update_profile(
        patient=alice,
        by=alice,
        why=Why.PAGE,
        date_of_birth=datetime.date(1984, 3, 9),
        sex=Sex.FEMALE,
        skin_type=SkinType.II,
        allergies="Penicillin",
        medication="Levothyroxine",
        skin_cancer_history="My grandfather had a melanoma on the back, about 1995.",
        place="Zürich",
        latitude=Decimal("47.37"),
        longitude=Decimal("8.54"),
    )


def _applicant() -> None:
    """A doctor who waits for the administrator. Nobody can sign in as he: he has no password."""
    if User.objects.filter(email="frey@example.org").exists():
        return
    frey = User.objects.create_user("frey@example.org", name="Jonas Frey", role=Role.DOCTOR)
    save_practice(doctor=frey, practice=Practice(title="Dr. med.", languages=["de"]))
    _hand_in(frey)


def _hand_in(doctor: User) -> DoctorApplication:
    number, authority, country = LICENCES[doctor.email]
    return verification.submit_application(
        doctor=doctor,
        licence=verification.Licence(
            number=number,
            authority=authority,
            country=country,
            expires_on=timezone.localdate() + datetime.timedelta(days=3 * 365),
        ),
        document=examine_document(_specimen(doctor.name, number, authority)),
    )


def _verify(application: DoctorApplication, admin: User) -> None:
    seen = application.events.values_list("pk", flat=True).last()
    verification.decide(application=application, admin=admin, to=ApplicationStatus.VERIFIED, seen=seen)


def _specimen(name: str, number: str, authority: str) -> SimpleUploadedFile:
    """A sheet of paper that says of itself that it is none."""
    sheet = Image.new("RGB", (840, 594), "#fbfaf5")
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((24, 24, 816, 570), outline="#0b6e69", width=3)
    lines = (
        "Licence to practise medicine",
        name,
        number,
        authority,
        "SPECIMEN: invented for a demonstration",
    )
    for row, line in enumerate(lines):
        draw.text((72, 96 + row * 84), line, fill="#14232b", font_size=34)
    out = BytesIO()
    sheet.save(out, "PNG")
    return SimpleUploadedFile("licence.png", out.getvalue(), "image/png")
