"""What the computer looked at, as a layer for the picture: drawn here from what the worker stored."""

from io import BytesIO
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.access_log import record_access
from accounts.models import Opened
from accounts.requests import SignedInRequest
from diagnosis.models import Analysis
from ml_models.explanation import overlay as draw

_SIDE = 320  # pixels; the map has a few places a side, so more would show nothing more


@require_safe
@login_required
def overlay(request: SignedInRequest, public_id: UUID, code: str) -> HttpResponse:
    """A transparent square for the centre of the picture; 404 where the release gave no map."""
    found = Analysis.objects.visible_to(request.user).select_related("patient")
    analysis = get_object_or_404(found, public_id=public_id)
    rows = (analysis.activation or {}).get(code)
    if rows is None:
        raise Http404
    record_access(request, analysis.patient, Opened.IMAGE, analysis.public_id)
    out = BytesIO()
    draw(rows, _SIDE).save(out, "PNG")
    # As with the picture itself, only its patient's browser may keep it.
    headers = {
        "Cache-Control": "private, max-age=3600" if analysis.patient == request.user else "private, no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return HttpResponse(out.getvalue(), content_type="image/png", headers=headers)
