from django.apps import AppConfig


class PlatformConfig(AppConfig):
    name = "dermaplatform"

    def ready(self) -> None:
        from allauth.account.decorators import secure_admin_login
        from django.contrib import admin

        from dermaplatform import checks  # noqa: F401  (registers the system checks)

        # The plain admin sign-in knows neither rate limits nor a second factor.
        admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
