from django.urls import path

from appointments.views import booking, changing, next_visit, waitlist

urlpatterns = [
    path("doctors/<uuid:public_id>/times/", booking.times, name="times"),
    path("doctors/<uuid:public_id>/wait/", waitlist.wait, name="wait"),
    path("visits/<uuid:public_id>/book/", booking.book, name="book"),
    path("visits/<uuid:public_id>/release/", booking.release, name="release"),
    path("visits/<uuid:public_id>/move/", changing.move, name="move"),
    path("visits/<uuid:public_id>/cancel/", changing.cancel, name="cancel"),
    path("visits/<uuid:public_id>/next/", next_visit.next_visit, name="next-visit"),
    path("visits/<uuid:public_id>/wait/", waitlist.wait_before, name="wait-before"),
    path("waiting/", waitlist.waitlist, name="waitlist"),
    path("waiting/<uuid:public_id>/offer/", waitlist.offer, name="offer"),
    path("waiting/<uuid:public_id>/decline/", waitlist.decline, name="decline-offer"),
    path("waiting/<uuid:public_id>/leave/", waitlist.leave, name="leave"),
]
