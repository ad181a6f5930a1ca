from django.urls import URLPattern, path

from accounts.views import profile, settings, signup

urlpatterns: list[URLPattern] = [
    path("accounts/signup/doctor/", signup.doctor_signup, name="doctor-signup"),
    path("settings/", settings.index, name="settings"),
    path("settings/profile/", profile.profile, name="profile"),
    path("settings/language/", profile.language, name="language"),
    path("settings/time-zone/", profile.time_zone, name="time-zone"),
]
