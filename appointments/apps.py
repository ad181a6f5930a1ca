from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AppointmentsConfig(AppConfig):
    name = "appointments"
    verbose_name = _("Appointments")

    def ready(self) -> None:
        from accounts import registries
        from appointments import availability, waitlist  # noqa: F401  (connects its receivers)

        registries.next_free_times.append(availability.next_free_times)
