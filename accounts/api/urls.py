from accounts.api import doctors, notices, people, privacy, relations

urlpatterns = [
    *people.urlpatterns,
    *doctors.urlpatterns,
    *relations.urlpatterns,
    *privacy.urlpatterns,
    *notices.urlpatterns,
]
