from django.apps import AppConfig
from django.db.models.signals import post_migrate, post_save
from django.utils.translation import gettext_lazy as _


class AppointmentsConfig(AppConfig):
    name = "appointments"
    verbose_name = _("Appointments")

    def ready(self) -> None:
        self._fill_registries_of_visits()

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
