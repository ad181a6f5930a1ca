from accounts.api import doctors, people, privacy, relations

urlpatterns = [
    *people.urlpatterns,
    *doctors.urlpatterns,
    *relations.urlpatterns,
    *privacy.urlpatterns,
]
