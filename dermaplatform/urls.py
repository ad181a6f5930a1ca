from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

from diagnosis.views import home

urlpatterns = [
    path("", home, name="home"),
    path("about/", TemplateView.as_view(template_name="about.html"), name="about"),
    path("accounts/", include("allauth.account.urls")),
    path("", include("accounts.urls")),
    path("", include("diagnosis.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("dermaplatform.api")),
    path("_allauth/", include("allauth.headless.urls")),
]

handler400 = "dermaplatform.problems.bad_request"
handler403 = "dermaplatform.problems.permission_denied"
handler404 = "dermaplatform.problems.not_found"
handler500 = "dermaplatform.problems.server_error"
