"""What is told to people about visits."""

from django.urls import reverse

from accounts.notifications import notify
from appointments.models import WaitlistEntry
from dermaplatform.addresses import absolute


def offer(entry: WaitlistEntry) -> None:
    """Tell somebody on the waiting list that a time is kept for them, in the present transaction."""
    offered = entry.offer
    if offered is not None and offered.expires_at is not None:
        link = absolute(reverse("appointments:offer", args=[entry.public_id]))
        notify(entry.patient, "visit_offer", link=link, until=offered.expires_at)
