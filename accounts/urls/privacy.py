from django.urls import path

from accounts.views import consents

urlpatterns = [
    path("consent/", consents.consent, name="consent"),
]
