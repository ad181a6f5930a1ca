from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

from dermaplatform import problems
from dermaplatform.home import home

urlpatterns = [
    path("", home, name="home"),
    path("about/", TemplateView.as_view(template_name="about.html"), name="about"),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/devices/", include("allauth.usersessions.urls")),
    path("", include("accounts.urls")),
    path("", include("diagnosis.urls")),
    path("", include("appointments.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("dermaplatform.api")),
    path("api/docs/", TemplateView.as_view(template_name="api/docs.html"), name="api-docs"),
    # allauth offers telephones whether or not there are any, and fails when asked for one.
    path("_allauth/app/v1/account/phone", problems.not_found),
    path("_allauth/app/v1/auth/phone/verify", problems.not_found),
    path("_allauth/app/v1/auth/phone/verify/resend", problems.not_found),
    path("_allauth/", include("allauth.headless.urls")),
]

handler400 = "dermaplatform.problems.bad_request"
handler403 = "dermaplatform.problems.permission_denied"
handler404 = "dermaplatform.problems.not_found"
handler429 = "dermaplatform.problems.too_many_requests"  # allauth's limits ask for it
handler500 = "dermaplatform.problems.server_error"
