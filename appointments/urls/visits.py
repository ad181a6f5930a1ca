from django.urls import path

from appointments.steps import STEPS
from appointments.views import after, agenda, visits

urlpatterns = [
    path("visits/", visits.visits, name="visits"),
    path("visits/<uuid:public_id>/", visits.visit, name="visit"),
    *(
        path(f"visits/<uuid:public_id>/{name}/", visits.take_step, {"name": name}, name=name)
        for name in STEPS
    ),
    path("visits/<uuid:public_id>/note/", after.note, name="note"),
    path("visits/<uuid:public_id>/files/", after.add_file, name="files"),
    path("visits/<uuid:public_id>/files/<uuid:file_id>/", after.file, name="file"),
    path("visits/<uuid:public_id>/files/<uuid:file_id>/remove/", after.remove_file, name="remove-file"),
    path("visits/<uuid:public_id>/rating/", after.rate, name="rating"),
    path("visits/<uuid:public_id>/photo/", after.ask_for_photo, name="photo"),
    path(
        "visits/<uuid:public_id>/photo/<uuid:photo_id>/withdraw/", after.withdraw_photo, name="withdraw-photo"
    ),
    path("day/", agenda.day, name="day"),
    path("week/", agenda.week, name="week"),
]
