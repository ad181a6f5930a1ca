from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PlatformConfig(AppConfig):
    name = "dermaplatform"

    def ready(self) -> None:
        from allauth.account.decorators import secure_admin_login
        from django.contrib import admin

        from dermaplatform import checks  # noqa: F401  (registers the system checks)

        admin.site.site_header = admin.site.site_title = _("Derma administration")
        # The plain admin sign-in knows neither rate limits nor a second factor.
        admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
