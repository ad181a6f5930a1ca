"""`python -m tests.processes.crowd 50`: so many signed-in patients and a doctor with hours, as JSON.

Sessions are written as a sign-in would leave them: fifty password hashes would take longer than the test.
"""

import json
import os
import sys
from datetime import timedelta
from importlib import import_module

import django


def main(count: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dermaplatform.settings")
    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.utils import timezone

    from accounts.models import ApplicationStatus, DoctorApplication, DoctorProfile, Role, User
    from appointments.models import Place, Schedule, WeeklyRule

    doctor = User.objects.create(email="crowded@example.org", name="Cara Crowded", role=Role.DOCTOR)
    DoctorProfile.objects.get_or_create(user=doctor)
    application = DoctorApplication.objects.create(
        doctor=doctor,
        licence_number="LIC-1",
        licence_authority="Medical Council",
        licence_country="CH",
        licence_expires_on=timezone.localdate() + timedelta(days=365),
        document="documents/none.pdf",
        document_type="application/pdf",
    )
    application.move(ApplicationStatus.VERIFIED, by=None)
    schedule = Schedule.objects.create(
        doctor=doctor, time_zone="UTC", lengths=[30, 60], notice_hours=0, horizon_days=60
    )
    for weekday in range(7):
        WeeklyRule.objects.create(
            schedule=schedule, weekday=weekday, begins=540, ends=1020, place=Place.CLINIC
        )
    tokens = []
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for number in range(count):
        person = User(email=f"crowd{number}@example.org", name=f"Crowd {number}", role=Role.PATIENT)
        person.set_unusable_password()
        person.save()
        session = store()
        session[SESSION_KEY] = str(person.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = person.get_session_auth_hash()
        session.create()
        tokens.append(session.session_key)
    sys.stdout.write(json.dumps({"doctor": str(doctor.public_id), "tokens": tokens}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
