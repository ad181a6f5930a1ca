"""`python -m tests.browser.practice NAME`: a doctor without hours and a patient with an urgent result.

Both sign in as in the demo, as NAME-doctor@example.org and NAME-patient@example.org. The picture is examined
as any other; that it is urgent is written over, because no generated picture is sure to be.
"""

import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import django

from ml_models.taxonomy import Urgency
from tests.processes.platform import DEMO_PASSWORD, REPOSITORY, Client, Platform, wait_until

if TYPE_CHECKING:
    from accounts.models import User

ZONE = "Europe/Zurich"
EXAMINED_SECONDS = 240


def open_in(site: Platform, name: str) -> str:
    """A doctor and a patient whom no other test knows; the id of the patient's result."""
    return run(site, __name__, name)


def run(site: Platform, module: str, *arguments: str) -> str:
    """The last word that such a command says."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=site.environment,
        check=True,
        timeout=400,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.split()[-1]


def people(name: str) -> tuple["User", "User"]:
    """A verified doctor and a patient."""
    from allauth.account.models import EmailAddress
    from django.utils import timezone

    from accounts.models import (
        ApplicationStatus,
        ConsentKind,
        DoctorApplication,
        DoctorProfile,
        Role,
        User,
    )
    from accounts.services import give_consent

    def person(role: Role) -> User:
        email = f"{name}-{role}@example.org"
        user = User.objects.create_user(
            email, DEMO_PASSWORD, name=f"{name.title()} {role.title()}", role=role, time_zone=ZONE
        )
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        return user

    doctor, patient = person(Role.DOCTOR), person(Role.PATIENT)
    DoctorProfile.objects.update_or_create(user=doctor, defaults={"accepts_in_person": True})
    application = DoctorApplication.objects.create(
        doctor=doctor,
        licence_number=f"LIC-{name}",
        licence_authority="Medical Council",
        licence_country="CH",
        licence_expires_on=timezone.localdate() + timedelta(days=365),
        document="documents/none.pdf",
        document_type="application/pdf",
    )
    application.move(ApplicationStatus.VERIFIED, by=None)
    give_consent(user=patient, kind=ConsentKind.CARE)
    return doctor, patient


def main(name: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dermaplatform.settings")
    django.setup()
    from diagnosis.models import Analysis, Status

    doctor, patient = people(name)
    analysis = Client(f"http://127.0.0.1:{os.environ['PORT']}/", patient.email).submit(
        seed=doctor.pk + 70_000
    )
    done = Analysis.objects.filter(patient=patient, status=Status.DONE)
    wait_until(done.exists, EXAMINED_SECONDS, "the result")
    done.update(urgency=Urgency.URGENT)
    sys.stdout.write(f"{analysis}\n")


if __name__ == "__main__":
    main(sys.argv[1])
