from django.urls import path

from appointments.views import hours

urlpatterns = [
    path("settings/hours/", hours.week, name="hours"),
    path("settings/hours/terms/", hours.terms, name="hours-terms"),
    path("settings/hours/exceptions/", hours.exceptions, name="hours-exceptions"),
    path("settings/hours/exceptions/add/", hours.exception_add, name="hours-exception-add"),
    path(
        "settings/hours/exceptions/<uuid:public_id>/remove/",
        hours.exception_remove,
        name="hours-exception-remove",
    ),
    path("settings/hours/preview/", hours.preview, name="hours-preview"),
]
