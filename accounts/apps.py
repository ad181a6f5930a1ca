from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        from accounts import folding, triggers

        connection_created.connect(folding.teach_sqlite)
        post_migrate.connect(triggers.after_migrate, sender=self)
        self._fill_registries()

    def _fill_registries(self) -> None:
        from accounts import own_data, own_erasure, registries

        registries.exporters.extend(own_data.EXPORTERS)
        registries.erasures.append(own_erasure.ERASURE)
        registries.named_files.append(own_data.NAMED_FILES)
