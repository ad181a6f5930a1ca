from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from accounts.models import User


class AppointmentsConfig(AppConfig):
    name = "appointments"
    verbose_name = _("Appointments")

    def ready(self) -> None:
        from accounts import registries
        from appointments import waitlist  # noqa: F401  (connects its receivers)
        from appointments.availability import next_free_times

        registries.next_free_times.append(next_free_times)
        registries.doctor_stopped.append(_flag_coming)
        registries.doctor_verified.append(_unflag_coming)


def _flag_coming(doctor: "User", reason: str) -> None:
    from appointments import booking

    booking.flag_coming(doctor)  # the reason is between the doctor and the administrators


def _unflag_coming(doctor: "User") -> None:
    from appointments import booking

    booking.unflag_coming(doctor)
