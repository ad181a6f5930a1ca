from django.urls import path
from rest_framework.routers import SimpleRouter

from appointments.api import hours, times, visits, waiting

router = SimpleRouter()
router.register("appointments", visits.AppointmentViewSet, basename="api-appointment")

urlpatterns = [
    *router.urls,
    path("doctors/<uuid:public_id>/slots/", times.SlotList.as_view(), name="api-slot-list"),
    path("me/hours/", hours.MyHours.as_view(), name="api-hours"),
    path("me/hours/exceptions/", hours.MyExceptions.as_view(), name="api-exception-list"),
    path("me/hours/exceptions/<uuid:public_id>/", hours.MyException.as_view(), name="api-exception"),
    path("me/waitlist/", waiting.MyWaits.as_view(), name="api-wait-list"),
    path("me/waitlist/<uuid:public_id>/", waiting.MyWait.as_view(), name="api-wait"),
    path("me/waitlist/<uuid:public_id>/decline/", waiting.DeclineOffer.as_view(), name="api-wait-decline"),
    path("me/waitlist/<uuid:public_id>/take/", waiting.TakeOffer.as_view(), name="api-wait-take"),
]
