"""What the life of visits tells to the rest of the app: mails, waiting list, calendars, open loops."""

from enum import StrEnum

from django.dispatch import Signal


class Happened(StrEnum):
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    BOOKED_NEXT = "booked_next"  # by the doctor, for the patient; it is confirmed
    DECLINED = "declined"
    CANCELLED = "cancelled"  # by one of the two, or because somebody left
    EXPIRED = "expired"  # a request that was not answered; holds pass silently
    MOVED = "moved"
    CHECKED_IN = "checked_in"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    FLAGGED = "flagged"  # the doctor may not practise at present
    UNFLAGGED = "unflagged"  # and may again


# Sent inside the transaction: sender is Appointment; appointment, happened (Happened), by (User or None),
# start_before (datetime or None: where a moved visit lay).
visit_changed = Signal()
# Sent after the commit in which time of a doctor became free: sender is Appointment; doctor_id.
time_freed = Signal()
