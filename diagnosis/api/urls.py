from rest_framework.routers import SimpleRouter

from diagnosis.api.views import AnalysisViewSet

router = SimpleRouter()
router.register("analyses", AnalysisViewSet, basename="api-analysis")

urlpatterns = router.urls
