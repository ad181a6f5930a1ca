from django.urls import path

from diagnosis import views

app_name = "diagnosis"
urlpatterns = [
    path("analyses/", views.history, name="history"),
    path("analyses/new/", views.new, name="new"),
    path("analyses/<uuid:public_id>/", views.detail, name="detail"),
    path("analyses/<uuid:public_id>/state/", views.state, name="state"),
    path("analyses/<uuid:public_id>/image/", views.image, name="image"),
    path("analyses/<uuid:public_id>/thumbnail/", views.thumbnail, name="thumbnail"),
]
