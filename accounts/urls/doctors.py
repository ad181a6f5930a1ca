from django.urls import path

from accounts.views import doctors, licence

urlpatterns = [
    path("doctors/", doctors.doctors, name="doctors"),
    path("doctors/<uuid:public_id>/", doctors.doctor, name="doctor"),
    path("doctors/<uuid:public_id>/photo/", doctors.photo, name="doctor-photo"),
    path("settings/practice/", doctors.practice, name="practice"),
    path("settings/licence/", licence.licence, name="licence"),
    path("settings/licence/apply/", licence.apply, name="licence-apply"),
    path("settings/licence/answer/", licence.answer, name="licence-answer"),
    path("settings/licence/withdraw/", licence.withdraw, name="licence-withdraw"),
    path("settings/licence/documents/<uuid:public_id>/", licence.document, name="licence-document"),
    path(
        "settings/licence/documents/<uuid:public_id>/pages/<int:number>/",
        licence.page,
        name="licence-document-page",
    ),
]
