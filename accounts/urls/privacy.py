from django.urls import path

from accounts.views import consents, privacy

urlpatterns = [
    path("consent/", consents.consent, name="consent"),
    path("settings/consents/", consents.overview, name="consents"),
    path("settings/consents/<slug:kind>/", consents.text, name="consents-text"),
    path("settings/consents/<slug:kind>/give/", consents.give, name="consents-give"),
    path("settings/consents/<slug:kind>/withdraw/", consents.withdraw, name="consents-withdraw"),
    path("settings/data/", privacy.overview, name="privacy"),
    path("settings/data/copies/", privacy.request_export, name="export"),
    path("settings/data/copies/state/", privacy.export_state, name="export-state"),
    path("settings/data/copies/<uuid:public_id>/", privacy.export_file, name="export-file"),
    path("settings/data/erase/", privacy.erase, name="erasure"),
    path("erased/<uuid:public_id>/", privacy.receipt, name="erasure-receipt"),
]
