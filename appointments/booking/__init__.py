"""Holding, booking, moving and ending visits. The database decides who was first."""

from appointments.booking.clock import complete_left, end_all, expire_stale, flag_coming, unflag_coming
from appointments.booking.course import cancel, check_in, complete, confirm, decline, no_show
from appointments.booking.next_visit import book_next, refuse_next, without_notice
from appointments.booking.once import forget_keys, once
from appointments.booking.taking import book, hold, release, reschedule
from appointments.booking.times import ALTERNATIVES, SlotTaken

__all__ = [
    "ALTERNATIVES",
    "SlotTaken",
    "book",
    "book_next",
    "cancel",
    "check_in",
    "complete",
    "complete_left",
    "confirm",
    "decline",
    "end_all",
    "expire_stale",
    "flag_coming",
    "forget_keys",
    "hold",
    "no_show",
    "once",
    "refuse_next",
    "release",
    "reschedule",
    "unflag_coming",
    "without_notice",
]
