from django.urls import URLPattern, path

from accounts.views import relations

urlpatterns: list[URLPattern] = [
    path("share/", relations.share, name="share"),
    path("settings/sharing/", relations.sharing, name="sharing"),
    path("settings/sharing/<uuid:public_id>/", relations.sharing_end, name="sharing-end"),
    path("settings/sharing/<uuid:public_id>/stop/", relations.sharing_stop, name="sharing-stop"),
    path("settings/accesses/", relations.accesses, name="accesses"),
]
