from django.urls import include, path

app_name = "appointments"
urlpatterns = [
    path("", include("appointments.urls.booking")),
    path("", include("appointments.urls.visits")),
    path("", include("appointments.urls.hours")),
    path("", include("appointments.urls.calendar")),
    path("", include("appointments.urls.notices")),
]
