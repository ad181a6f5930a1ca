"""Licences for tests: documents, applications, decisions."""

from datetime import timedelta
from functools import cache
from io import BytesIO
from typing import Any

import pypdfium2
from django.utils import timezone

from accounts import verification
from accounts.documents import ReceivedDocument
from accounts.models import ApplicationStatus, DoctorApplication, User
from accounts.verification import Licence


@cache  # each has an identifier of its own
def a_pdf(*, pages: int = 1, size: int = 0) -> bytes:
    """An empty PDF; with `size` it is filled up to so many bytes by a comment."""
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(595, 842).close()
    out = BytesIO()
    document.save(out)
    document.close()
    data = out.getvalue()
    if size:
        head, tail = data.split(b"startxref", 1)
        data = head + b"%" + b" " * (size - len(data) - 2) + b"\nstartxref" + tail
    return data


def licence(*, days: int = 400, **fields: Any) -> Licence:
    values = {"number": "GMC 12345", "authority": "Medical Council", "country": "CH"}
    expires_on = timezone.now().date() + timedelta(days=days)
    return Licence(**{**values, "expires_on": expires_on, **fields})


def hand_in(doctor: User, **fields: Any) -> DoctorApplication:
    return verification.submit_application(
        doctor=doctor, licence=licence(**fields), document=ReceivedDocument("application/pdf", a_pdf())
    )


def decide(application: DoctorApplication, admin: User, to: ApplicationStatus, reason: str = "") -> None:
    """A decision by somebody who has just looked."""
    last = application.events.last()
    verification.decide(
        application=application, admin=admin, to=to, reason=reason, seen=last.pk if last else None
    )
