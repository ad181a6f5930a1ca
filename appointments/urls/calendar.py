from django.urls import path

from appointments.views import calendar

urlpatterns = [
    path("settings/calendar/", calendar.calendar, name="calendar"),
    path("settings/calendar/revoke/", calendar.revoke, name="calendar-revoke"),
    path("calendar/<str:token>.ics", calendar.feed, name="feed"),
]
