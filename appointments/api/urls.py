from django.urls import path
from rest_framework.routers import SimpleRouter

from appointments.api import (
    after,
    calendar,
    follow_ups,
    hours,
    next_visit,
    notes,
    photos,
    rooms,
    times,
    visits,
    waiting,
)

router = SimpleRouter()
router.register("appointments", visits.AppointmentViewSet, basename="api-appointment")

VISIT = "appointments/<uuid:public_id>/"

urlpatterns = [
    *router.urls,
    path(f"{VISIT}note/", notes.Notes.as_view(), name="api-note"),
    path(f"{VISIT}note/sign/", notes.Sign.as_view(), name="api-note-sign"),
    path(f"{VISIT}files/", after.Files.as_view(), name="api-visit-files"),
    path(f"{VISIT}files/<uuid:file_id>/", after.File.as_view(), name="api-visit-file"),
    path(f"{VISIT}rating/", after.RatingOfVisit.as_view(), name="api-rating"),
    path(f"{VISIT}photo-requests/", photos.PhotosOfVisit.as_view(), name="api-photo-requests"),
    path(
        f"{VISIT}photo-requests/<uuid:request_id>/", photos.PhotoOfVisit.as_view(), name="api-photo-request"
    ),
    path(f"{VISIT}next/", next_visit.NextVisit.as_view(), name="api-next-visit"),
    path(f"{VISIT}room/", rooms.RoomOfVisit.as_view(), name="api-room"),
    path("me/photo-requests/", photos.MyPhotoRequests.as_view(), name="api-my-photo-requests"),
    path("me/calendar/", calendar.MyCalendar.as_view(), name="api-calendar"),
    path("follow-ups/", follow_ups.FollowUps.as_view(), name="api-follow-ups"),
    path("follow-ups/<uuid:public_id>/close/", follow_ups.Close.as_view(), name="api-follow-up-close"),
    path("doctors/<uuid:public_id>/slots/", times.SlotList.as_view(), name="api-slot-list"),
    path("me/hours/", hours.MyHours.as_view(), name="api-hours"),
    path("me/hours/exceptions/", hours.MyExceptions.as_view(), name="api-exception-list"),
    path("me/hours/exceptions/<uuid:public_id>/", hours.MyException.as_view(), name="api-exception"),
    path("me/waitlist/", waiting.MyWaits.as_view(), name="api-wait-list"),
    path("me/waitlist/<uuid:public_id>/", waiting.MyWait.as_view(), name="api-wait"),
    path("me/waitlist/<uuid:public_id>/decline/", waiting.DeclineOffer.as_view(), name="api-wait-decline"),
    path("me/waitlist/<uuid:public_id>/take/", waiting.TakeOffer.as_view(), name="api-wait-take"),
]
