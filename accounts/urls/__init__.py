"""Pages about people, one module a subject."""

from accounts.urls import doctors, notices, people, privacy, relations

app_name = "accounts"
urlpatterns = [
    *people.urlpatterns,
    *doctors.urlpatterns,
    *relations.urlpatterns,
    *privacy.urlpatterns,
    *notices.urlpatterns,
]
