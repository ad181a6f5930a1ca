"""`python -m tests.browser.meeting NAME SECONDS`: a video visit whose room opens in so many seconds.

Both sign in as NAME-doctor@example.org and NAME-patient@example.org; the doctor works every day.
"""

import os
import sys
from datetime import timedelta

import django

from tests.browser import practice
from tests.processes.platform import Platform


def open_in(site: Platform, name: str, seconds: int) -> str:
    """The address of the visit."""
    return practice.run(site, __name__, name, str(seconds))


def main(name: str, seconds: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dermaplatform.settings")
    django.setup()
    from django.utils import timezone

    from accounts.relations import open_for_visit
    from appointments.booking.times import record_open_until
    from appointments.models import Appointment, Place, Schedule, Status, WeeklyRule
    from appointments.visits import OPENS_BEFORE

    doctor, patient = practice.people(name)
    schedule = Schedule.objects.create(doctor=doctor, time_zone=practice.ZONE)
    for weekday in range(7):
        WeeklyRule.objects.create(schedule=schedule, weekday=weekday, begins=9 * 60, ends=17 * 60)
    now = timezone.now()
    start = now + OPENS_BEFORE + timedelta(seconds=seconds)
    end = start + timedelta(minutes=30)
    visit = Appointment.objects.create(
        patient=patient,
        doctor=doctor,
        start=start,
        end=end,
        blocked_from=start,
        blocked_until=end,
        place=Place.VIDEO,
        status=Status.CONFIRMED,
        reason="A video visit",
        relation=open_for_visit(patient=patient, doctor=doctor, until=record_open_until(end), by=patient),
        booked_at=now,
    )
    sys.stdout.write(f"{visit.get_absolute_url()}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
