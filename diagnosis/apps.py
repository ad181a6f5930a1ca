from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DiagnosisConfig(AppConfig):
    name = "diagnosis"
    verbose_name = _("Diagnosis")

    def ready(self) -> None:
        from accounts import demo, registries
        from diagnosis import worker  # noqa: F401  (connects Celery's worker signals)
        from diagnosis.demo import load
        from diagnosis.erasing import ERASURE, NAMED_FILES, erase_lapsed
        from diagnosis.exporting import analyses
        from diagnosis.sharing import shareable_analyses

        demo.loaders.append(load)
        registries.shareables.append(shareable_analyses)
        registries.exporters.insert(0, analyses)  # what people look for first
        registries.erasures.append(ERASURE)
        registries.lapsed.append(erase_lapsed)
        registries.named_files.append(NAMED_FILES)
