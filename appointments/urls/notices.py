from django.urls import path

from appointments.views import notices

urlpatterns = [
    path("follow-ups/", notices.follow_ups, name="follow-ups"),
    path("follow-ups/<uuid:public_id>/close/", notices.close, name="close-follow-up"),
]
