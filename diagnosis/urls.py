from django.urls import path

from diagnosis.views import analyses, overlay, patients, releases

app_name = "diagnosis"
urlpatterns = [
    path("about/classifier/", releases.classifier, name="classifier"),
    path("about/classifier/<str:release>/", releases.classifier, name="classifier-release"),
    path("about/classifier/<str:release>/plots/<slug:name>.svg", releases.plot, name="classifier-plot"),
    path("analyses/", analyses.history, name="history"),
    path("analyses/new/", analyses.new, name="new"),
    path("analyses/<uuid:public_id>/", analyses.detail, name="detail"),
    path("analyses/<uuid:public_id>/state/", analyses.state, name="state"),
    path("analyses/<uuid:public_id>/image/", analyses.image, name="image"),
    path("analyses/<uuid:public_id>/thumbnail/", analyses.thumbnail, name="thumbnail"),
    path("analyses/<uuid:public_id>/overlay/<slug:code>/", overlay.overlay, name="overlay"),
    path("patients/", patients.patients, name="patients"),
    path("patients/<uuid:public_id>/", patients.patient, name="patient"),
]
