from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DiagnosisConfig(AppConfig):
    name = "diagnosis"
    verbose_name = _("Diagnosis")

    def ready(self) -> None:
        from accounts import demo
        from diagnosis import worker  # noqa: F401  (connects Celery's worker signals)
        from diagnosis.demo import load

        demo.loaders.append(load)
