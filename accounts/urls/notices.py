from django.urls import path

from accounts.views import notices

urlpatterns = [
    path("notices/", notices.notices, name="notices"),
    path("notices/read/", notices.read_all, name="notices-read"),
    path("notices/<uuid:public_id>/", notices.notice, name="notice"),
    path("settings/notifications/", notices.notifications, name="notifications"),
]
