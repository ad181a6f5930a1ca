from django.urls import path

from diagnosis.views import analyses, patients

app_name = "diagnosis"
urlpatterns = [
    path("analyses/", analyses.history, name="history"),
    path("analyses/new/", analyses.new, name="new"),
    path("analyses/<uuid:public_id>/", analyses.detail, name="detail"),
    path("analyses/<uuid:public_id>/state/", analyses.state, name="state"),
    path("analyses/<uuid:public_id>/image/", analyses.image, name="image"),
    path("analyses/<uuid:public_id>/thumbnail/", analyses.thumbnail, name="thumbnail"),
    path("patients/", patients.patients, name="patients"),
    path("patients/<uuid:public_id>/", patients.patient, name="patient"),
]
