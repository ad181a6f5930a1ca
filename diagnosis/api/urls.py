from rest_framework.routers import SimpleRouter

from diagnosis.api.patients import PatientViewSet
from diagnosis.api.views import AnalysisViewSet

router = SimpleRouter()
router.register("analyses", AnalysisViewSet, basename="api-analysis")
router.register("patients", PatientViewSet, basename="api-patient")

urlpatterns = router.urls
