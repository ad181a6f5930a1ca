from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.db.models.signals import post_migrate, post_save
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from accounts.models import User


class AppointmentsConfig(AppConfig):
    name = "appointments"
    verbose_name = _("Appointments")

    def ready(self) -> None:
        from accounts import notices as told
        from accounts import registries
        from appointments import follow_up, notices, waitlist  # noqa: F401  (connect their receivers)
        from appointments.availability import next_free_times
        from appointments.earliest import earliest_times

        told.GROUPS.update(notices.GROUPS)
        registries.next_free_times.append(next_free_times)
        registries.earliest_times.append(earliest_times)
        registries.doctor_stopped.append(_flag_coming)
        registries.doctor_verified.append(_unflag_coming)
        self._fill_registries_of_visits()
        self._fill_registries_of_people()

    def _fill_registries_of_visits(self) -> None:
        from accounts import registries
        from appointments import note_triggers, notes, photos, ratings, visit_files
        from diagnosis import erasing
        from diagnosis.models import Analysis

        post_migrate.connect(note_triggers.after_migrate, sender=self)
        post_save.connect(photos.close_by, sender=Analysis)
        registries.named_files.append(visit_files.NAMED_FILES)
        registries.doctor_ratings.append(ratings.averages)
        erasing.review_times.append(notes.review_times)

    def _fill_registries_of_people(self) -> None:
        from accounts import demo, registries
        from appointments.demo import load
        from appointments.erasing import ERASURE, erase_lapsed
        from appointments.exporting import EXPORTERS

        demo.loaders.append(load)
        registries.exporters[1:1] = EXPORTERS  # after what people look for first
        registries.erasures.append(ERASURE)
        registries.lapsed.insert(0, erase_lapsed)  # visits hold on to analyses


def _flag_coming(doctor: "User", reason: str) -> None:
    from appointments import booking

    booking.flag_coming(doctor)  # the reason is between the doctor and the administrators


def _unflag_coming(doctor: "User") -> None:
    from appointments import booking

    booking.unflag_coming(doctor)
