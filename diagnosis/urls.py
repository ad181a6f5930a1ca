from django.urls import path

from diagnosis import views, views_overlay, views_releases

app_name = "diagnosis"
urlpatterns = [
    path("about/classifier/", views_releases.classifier, name="classifier"),
    path("about/classifier/<str:release>/", views_releases.classifier, name="classifier-release"),
    path("about/classifier/<str:release>/plots/<slug:name>.svg", views_releases.plot, name="classifier-plot"),
    path("analyses/", views.history, name="history"),
    path("analyses/new/", views.new, name="new"),
    path("analyses/<uuid:public_id>/", views.detail, name="detail"),
    path("analyses/<uuid:public_id>/state/", views.state, name="state"),
    path("analyses/<uuid:public_id>/image/", views.image, name="image"),
    path("analyses/<uuid:public_id>/thumbnail/", views.thumbnail, name="thumbnail"),
    path("analyses/<uuid:public_id>/overlay/<slug:code>/", views_overlay.overlay, name="overlay"),
]
