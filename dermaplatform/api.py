"""The API, version 1."""

from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

from dermaplatform.health import HealthView

urlpatterns = [
    path("health/", HealthView.as_view(), name="health"),
    path("schema/", SpectacularJSONAPIView.as_view(), name="schema"),
    path("", include("accounts.api.urls")),
    path("", include("diagnosis.api.urls")),
    path("", include("appointments.api.urls")),
]
